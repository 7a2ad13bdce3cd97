// Random plans, and their costs by brute force: what the tests of sweeps compare with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "quantity/lanes.h"
#include "space/codes.h"
#include "space/plan.h"

namespace netledger::testing {

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  // Uniform, both ends included.
  std::int64_t roll(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool chance(int percent) { return roll(1, 100) <= percent; }

 private:
  std::mt19937_64 engine_;
};

struct PlanShape {
  std::size_t variables = 6;
  std::uint32_t largest_size = 4;
  std::size_t metrics = 2;
  std::size_t reals = 0;
  std::size_t factors = 8;
  std::int64_t largest_value = 1000;
  // In percent.
  int refusals = 0;
  int activities = 0;
  bool lanes = false;
};

inline std::size_t entries_of(const Plan& plan, std::span<const VariableIndex> variables) {
  std::size_t entries = 1;
  for (const VariableIndex variable : variables) entries *= plan.variables[variable].size;
  return entries;
}

inline std::vector<VariableIndex> random_scope(Dice& dice, std::size_t below, std::size_t most) {
  std::vector<VariableIndex> all(below);
  std::iota(all.begin(), all.end(), VariableIndex{0});
  std::vector<VariableIndex> scope;
  const auto count =
      static_cast<std::size_t>(dice.roll(1, static_cast<std::int64_t>(std::min(below, most))));
  while (scope.size() < count) {
    const auto picked = all.begin() + dice.roll(0, static_cast<std::int64_t>(all.size()) - 1);
    scope.push_back(*picked);
    all.erase(picked);
  }
  std::ranges::sort(scope);
  return scope;
}

inline void add_factor(Plan& plan, Dice& dice, const PlanShape& shape) {
  Factor factor;
  factor.variables = random_scope(dice, plan.variables.size(), 3);
  factor.entries = entries_of(plan, factor.variables);
  factor.values.resize(shape.metrics);
  factor.reals.resize(shape.reals);
  if (dice.chance(shape.refusals)) {
    for (std::size_t entry = 0; entry < factor.entries; ++entry) {
      factor.refusals.push_back(dice.chance(15) ? static_cast<Refusal>(dice.roll(1, 9)) : accepted);
    }
  }
  const auto refused = [&](std::size_t entry) {
    return !factor.refusals.empty() && factor.refusals[entry] != accepted;
  };
  for (auto& values : factor.values) {
    if (dice.chance(20)) continue;
    for (std::size_t entry = 0; entry < factor.entries; ++entry) {
      values.push_back(refused(entry) ? 0 : dice.roll(-shape.largest_value, shape.largest_value));
    }
  }
  for (auto& reals : factor.reals) {
    for (std::size_t entry = 0; entry < factor.entries; ++entry) {
      // Sums of these are exact.
      reals.push_back(refused(entry) ? 0 : static_cast<double>(dice.roll(-99, 99)) / 8);
    }
  }
  plan.factors.push_back(std::move(factor));
}

// Lanes that add (3 * first - last) to the first metric, and refuse by step 5 where both are 1.
inline void add_lanes(Plan& plan) {
  Program program;
  std::vector<Quantity> variables;
  std::vector<Interval> domains;
  for (const PlanVariable& variable : plan.variables) {
    variables.push_back(program.variable(variable.name));
    domains.push_back(variable.size > 0 ? Interval{0, std::int64_t{variable.size} - 1}
                                        : Interval{variable.minimum, variable.maximum});
  }
  const Quantity& first = variables.front();
  const Quantity& last = variables.back();
  const Quantity cost = first * 3 - last;
  const Quantity both = select(first == 1, select(last == 1, 0, 1), 1);
  std::vector<std::uint32_t> roots{program.id(cost)};
  for (std::size_t metric = 1; metric < plan.metrics.size(); ++metric) {
    roots.push_back(program.id(Quantity(0)));
  }
  roots.push_back(program.id(both));
  plan.lanes = std::make_unique<Lanes>(Lanes{LaneProgram(program, roots, domains), {5}});
}

inline Plan random_plan(Dice& dice, const PlanShape& shape) {
  Plan plan;
  for (std::size_t metric = 0; metric < shape.metrics; ++metric) {
    plan.metrics.push_back("metric" + std::to_string(metric));
    plan.constants.push_back(dice.roll(-50, 50));
    plan.bounds.emplace_back(-1'000'000, 1'000'000);
  }
  for (std::size_t metric = 0; metric < shape.reals; ++metric) {
    plan.real_metrics.push_back("real" + std::to_string(metric));
    plan.real_constants.push_back(0.25);
  }
  for (VariableIndex variable = 0; variable < shape.variables; ++variable) {
    const auto size = static_cast<std::uint32_t>(dice.roll(1, shape.largest_size));
    plan.variables.push_back({"v" + std::to_string(variable), size, 0, 0});
    Activity activity;
    if (variable > 0 && dice.chance(shape.activities)) {
      activity.variables = random_scope(dice, variable, 2);
      for (std::size_t entry = 0; entry < entries_of(plan, activity.variables); ++entry) {
        activity.active.push_back(dice.chance(60) ? 1 : 0);
      }
    }
    plan.activities.push_back(std::move(activity));
  }
  for (std::size_t factor = 0; factor < shape.factors; ++factor) add_factor(plan, dice, shape);
  if (shape.lanes) add_lanes(plan);
  return plan;
}

// -- brute force
// -----------------------------------------------------------------------------------

using Row = std::vector<std::int64_t>;

struct TrueCost {
  Refusal refusal = accepted;
  std::vector<std::int64_t> metrics;
  std::vector<double> reals;
};

inline std::size_t entry_at(const Plan& plan, std::span<const VariableIndex> variables,
                            const Row& row) {
  std::size_t entry = 0;
  for (const VariableIndex variable : variables) {
    entry = entry * plan.variables[variable].size + static_cast<std::size_t>(row[variable]);
  }
  return entry;
}

inline void refuse(TrueCost& cost, Refusal refusal) {
  if (refusal == accepted) return;
  cost.refusal = cost.refusal == accepted ? refusal : std::min(cost.refusal, refusal);
}

inline TrueCost true_cost(const Plan& plan, const Row& row) {
  TrueCost cost{accepted, plan.constants, plan.real_constants};
  for (const Factor& factor : plan.factors) {
    const std::size_t entry = entry_at(plan, factor.variables, row);
    for (std::size_t metric = 0; metric < factor.values.size(); ++metric) {
      if (!factor.values[metric].empty()) cost.metrics[metric] += factor.values[metric][entry];
    }
    for (std::size_t metric = 0; metric < factor.reals.size(); ++metric) {
      if (!factor.reals[metric].empty()) cost.reals[metric] += factor.reals[metric][entry];
    }
    if (!factor.refusals.empty()) refuse(cost, factor.refusals[entry]);
  }
  if (plan.lanes != nullptr) {
    if (!cost.metrics.empty()) cost.metrics[0] += 3 * row.front() - row.back();
    if (row.front() == 1 && row.back() == 1) refuse(cost, 5);
  }
  return cost;
}

inline bool is_active(const Plan& plan, VariableIndex variable, const Row& row) {
  const Activity& activity = plan.activities[variable];
  return activity.active.empty() || activity.active[entry_at(plan, activity.variables, row)] != 0;
}

inline Row true_canonical(const Plan& plan, Row row) {
  for (VariableIndex variable = 0; variable < row.size(); ++variable) {
    if (!is_active(plan, variable, row)) row[variable] = 0;
  }
  return row;
}

// All combinations of codes, the last variable fastest.
inline std::vector<Row> all_rows(const Plan& plan) {
  std::vector<Row> rows{{}};
  for (const PlanVariable& variable : plan.variables) {
    std::vector<Row> longer;
    for (const Row& row : rows) {
      for (std::int64_t code = 0; code < variable.size; ++code) {
        longer.push_back(row);
        longer.back().push_back(code);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

inline std::vector<Row> random_rows(const Plan& plan, Dice& dice, std::size_t count) {
  std::vector<Row> rows(count);
  for (Row& row : rows) {
    for (const PlanVariable& variable : plan.variables) {
      row.push_back(dice.roll(0, std::int64_t{variable.size} - 1));
    }
  }
  return rows;
}

// -- matrices
// --------------------------------------------------------------------------------------

// Rows in memory, `gap` codes apart, or by column.
class Matrix {
 public:
  Matrix(std::size_t rows, std::size_t columns, CodeWidth width, std::size_t gap = 0,
         bool by_column = false)
      : rows_(rows), columns_(columns), width_(width), gap_(gap), by_column_(by_column) {
    bytes_.resize(rows * (columns + gap) * size(), std::byte{0xEE});
  }
  Matrix(std::span<const Row> rows, std::size_t columns, CodeWidth width, std::size_t gap = 0,
         bool by_column = false)
      : Matrix(rows.size(), columns, width, gap, by_column) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (std::size_t column = 0; column < columns; ++column) set(row, column, rows[row][column]);
    }
  }

  void set(std::size_t row, std::size_t column, std::int64_t code) {
    const CodeView all = view();
    std::byte* const place = bytes_.data() + (all.at(row, column) - bytes_.data());
    place[0] = static_cast<std::byte>(code & 0xFF);
    if (width_ == CodeWidth::word) place[1] = static_cast<std::byte>(code >> 8);
  }
  [[nodiscard]] CodeView view() const {
    const auto unit = static_cast<std::ptrdiff_t>(size());
    const auto row = by_column_ ? unit : static_cast<std::ptrdiff_t>(columns_ + gap_) * unit;
    const auto column = by_column_ ? static_cast<std::ptrdiff_t>(rows_) * unit : unit;
    return {bytes_.data(), rows_, columns_, row, column, width_};
  }
  [[nodiscard]] CodeOutput output() { return {bytes_.data(), rows_, columns_, width_}; }
  [[nodiscard]] Row row(std::size_t index) const {
    Row codes;
    for (std::size_t column = 0; column < columns_; ++column) {
      codes.push_back(view().code(index, column));
    }
    return codes;
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(width_); }

  std::size_t rows_;
  std::size_t columns_;
  CodeWidth width_;
  std::size_t gap_;
  bool by_column_;
  std::vector<std::byte> bytes_;
};

}  // namespace netledger::testing
