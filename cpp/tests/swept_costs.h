// Columns for a sweep to write, and their comparison with brute force.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "space/sweep.h"
#include "space_plans.h"

namespace netledger::testing {

struct SweptCosts {
  SweptCosts(const Plan& plan, std::size_t rows)
      : metrics(plan.metrics.size(), std::vector<std::int64_t>(rows, 77)),
        reals(plan.real_metrics.size(), std::vector<double>(rows, 77)),
        refusals(rows, 77) {}

  [[nodiscard]] CostColumns columns() {
    CostColumns all;
    for (auto& column : metrics) all.metrics.push_back(column.data());
    for (auto& column : reals) all.reals.push_back(column.data());
    all.refusals = refusals.data();
    return all;
  }

  void check_row(std::size_t row, const TrueCost& cost) const {
    REQUIRE(refusals[row] == cost.refusal);
    const bool refused = cost.refusal != accepted;
    for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
      REQUIRE(metrics[metric][row] == (refused ? -1 : cost.metrics[metric]));
    }
    for (std::size_t metric = 0; metric < reals.size(); ++metric) {
      if (refused) {
        REQUIRE(std::isnan(reals[metric][row]));
      } else {
        REQUIRE(reals[metric][row] == cost.reals[metric]);
      }
    }
  }

  void check(const Plan& plan, std::span<const Row> rows) const {
    for (std::size_t row = 0; row < rows.size(); ++row) check_row(row, true_cost(plan, rows[row]));
  }

  friend bool operator==(const SweptCosts&, const SweptCosts&) = default;

  std::vector<std::vector<std::int64_t>> metrics;
  std::vector<std::vector<double>> reals;
  std::vector<Refusal> refusals;
};

}  // namespace netledger::testing
