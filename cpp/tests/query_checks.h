// What counts of a small space say, against its configurations one by one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/cost_counter.h"
#include "query/elimination.h"
#include "tests/query_plans.h"

namespace netledger::testing {

inline void check_cumulative(CostCounter& counts, const Truth& truth, Dice& dice) {
  std::vector<std::int64_t> limits{-5'000'000, 5'000'000};
  for (int limit = 0; limit < 6; ++limit) limits.push_back(random_band(dice, truth).first);
  const auto found = counts.cumulative(limits, {});
  REQUIRE(found.size() == limits.size());
  for (std::size_t index = 0; index < limits.size(); ++index) {
    CHECK(found[index] == Natural(truth.count(-10'000'000, limits[index])));
  }
}

inline void check_nearest(CostCounter& counts, const Truth& truth, Dice& dice) {
  const auto by_cost = truth.by_cost();
  for (int round = 0; round < 5; ++round) {
    const std::int64_t target = random_band(dice, truth).first + (round == 0 ? 2'000'000 : 0) -
                                (round == 1 ? 2'000'000 : 0);
    const auto [below, above] = counts.nearest(target, {});
    const auto next = by_cost.lower_bound(target);
    const auto past = by_cost.upper_bound(target);
    CHECK(below.has_value() == (past != by_cost.begin()));
    if (below) CHECK(*below == std::prev(past)->first);
    CHECK(above.has_value() == (next != by_cost.end()));
    if (above) CHECK(*above == next->first);
  }
}

inline void check_find(CostCounter& counts, const Truth& truth, Dice& dice) {
  const auto by_cost = truth.by_cost();
  for (int round = 0; round < 6; ++round) {
    const std::int64_t cost = random_band(dice, truth).first;
    std::vector<std::uint16_t> codes;
    const bool is_there = counts.find(cost, codes, {});
    REQUIRE(is_there == by_cost.contains(cost));
    if (!is_there) continue;
    const auto* const network = truth.find(codes);
    REQUIRE(network != nullptr);
    CHECK(network->cost == cost);
  }
}

inline void check_distribution(CostCounter& counts, const Truth& truth) {
  const CostCounts found = counts.distribution({});
  std::map<std::int64_t, std::uint64_t> by_cost;
  REQUIRE((found.large_counts.empty() || found.counts.empty()));
  REQUIRE(found.large_counts.empty());
  if (!found.dense) REQUIRE(found.values.size() == found.counts.size());
  for (std::size_t index = 0; index < found.counts.size(); ++index) {
    const std::int64_t cost = found.dense
                                  ? found.start + static_cast<std::int64_t>(index) * found.step
                                  : found.values[index];
    if (found.counts[index] > 0) by_cost[cost] = found.counts[index];
  }
  CHECK(by_cost == truth.by_cost());
  if (!found.dense) CHECK(std::ranges::is_sorted(found.values));
}

inline void check_bins(CostCounter& counts, const Truth& truth, Dice& dice) {
  for (int round = 0; round < 3; ++round) {
    const std::int64_t start = random_band(dice, truth).first - dice.roll(0, 40);
    const std::int64_t width = dice.chance(30) ? 1 : dice.roll(1, 500);
    const auto count = static_cast<std::size_t>(dice.roll(0, 30));
    const auto found = counts.bins(start, static_cast<std::uint64_t>(width), count, {});
    REQUIRE(found.size() == count);
    for (std::size_t bin = 0; bin < count; ++bin) {
      const std::int64_t low = start + static_cast<std::int64_t>(bin) * width;
      CHECK(found[bin] == Natural(truth.count(low, low + width - 1)));
    }
  }
}

// Whether every network of the band is drawn, and as often as any other.
inline void check_sample(CostCounter& counts, const Truth& truth, Dice& dice,
                         std::size_t rows = 300) {
  const auto [low, high] = random_band(dice, truth);
  const std::size_t columns = truth.networks.empty() ? 1 : truth.networks.front().row.size();
  const auto width = dice.chance(50) ? CodeWidth::byte : CodeWidth::word;
  Matrix matrix(rows, columns, width);
  const auto seed = static_cast<std::uint64_t>(dice.roll(0, 1'000'000));
  const Effort effort{.threads = static_cast<unsigned>(dice.roll(1, 2)), .wait = {}};
  const std::size_t in_band = truth.count(low, high);
  const std::vector<std::byte> untouched = matrix.bytes();
  REQUIRE(counts.sample(seed, low, high, matrix.output(), effort) == (in_band > 0));
  if (in_band == 0) {
    CHECK(matrix.bytes() == untouched);
    return;
  }
  std::map<std::vector<std::uint16_t>, std::uint64_t> drawn;
  for (std::size_t row = 0; row < rows; ++row) ++drawn[codes_of(matrix.row(row))];
  std::vector<std::uint64_t> times;
  for (const auto& [codes, count] : drawn) {
    const auto* const network = truth.find(codes);
    REQUIRE(network != nullptr);
    REQUIRE(network->cost >= low);
    REQUIRE(network->cost <= high);
    times.push_back(count);
  }
  if (in_band * 10 <= rows) {
    times.resize(in_band);
    CHECK(is_uniform(times));
  }
  // The same again.
  Matrix again(rows, columns, width);
  REQUIRE(counts.sample(seed, low, high, again.output(), {}));
  CHECK(again.bytes() == matrix.bytes());
}

inline void check_uses(CostCounter& counts, const Problem& problem, const Slices& slices,
                       const Truth& truth, Dice& dice) {
  const auto [low, high] = random_band(dice, truth);
  std::set<std::pair<std::size_t, std::size_t>> told;
  counts.uses(
      low, high,
      [&](std::size_t slice, std::size_t part, const auto& ways) {
        REQUIRE(told.insert({slice, part}).second);
        std::set<VariableIndex> variables;
        std::set<std::size_t> potentials;
        for (const std::size_t bucket : buckets_below(slices.tree, slices.tree.roots[part])) {
          variables.insert(slices.tree.buckets[bucket].variable);
          potentials.insert(slices.tree.buckets[bucket].potentials.begin(),
                            slices.tree.buckets[bucket].potentials.end());
        }
        // By the part's cost: its configurations, and the networks within the limits.
        std::map<std::int64_t, std::set<std::vector<std::uint16_t>>> configurations;
        std::map<std::int64_t, std::uint64_t> networks;
        for (const auto& network : truth.networks) {
          const auto codes = codes_of(network.row);
          const bool here = std::ranges::all_of(slices.given, [&](VariableIndex variable) {
            return codes[variable] == slices.slices[slice].codes[variable];
          });
          if (!here) continue;
          MetricCosts costs{};
          for (const std::size_t potential : potentials) {
            REQUIRE(BucketCosts::add(problem, problem.potentials()[potential], codes, costs));
          }
          std::vector<std::uint16_t> own;
          for (const VariableIndex variable : variables) own.push_back(codes[variable]);
          configurations[costs[0]].insert(own);
          if (network.cost >= low && network.cost <= high) ++networks[costs[0]];
        }
        REQUIRE(ways.size() == configurations.size());
        auto known = configurations.begin();
        for (const auto& [cost, count] : ways) {
          REQUIRE(cost == known->first);
          CHECK(count * Natural(known->second.size()) == Natural(networks[cost]));
          ++known;
        }
      },
      {});
  // Each part of each slice that has a network.
  std::set<std::vector<std::uint16_t>> occurring;
  for (const auto& network : truth.networks) {
    std::vector<std::uint16_t> codes;
    for (const VariableIndex variable : slices.given) {
      codes.push_back(static_cast<std::uint16_t>(network.row[variable]));
    }
    occurring.insert(codes);
  }
  CHECK(told.size() == occurring.size() * slices.tree.roots.size());
}

// Everything, before tables are kept and with them.
inline void check_counts(CostCounter& counts, const Truth& truth, Dice& dice) {
  // In any order: what was asked before must not matter.
  for (int round = 0; round < 4; ++round) {
    if (round == 2 || (round == 1 && dice.chance(50))) {
      counts.prepare({});
      CHECK((counts.prepared() || truth.networks.empty()));
    }
    std::vector<int> order{0, 1, 2, 3, 4, 5};
    for (std::size_t place = 0; place + 1 < order.size(); ++place) {
      std::swap(order[place],
                order[static_cast<std::size_t>(dice.roll(static_cast<std::int64_t>(place), 5))]);
    }
    if (round > 0) order.resize(static_cast<std::size_t>(dice.roll(2, 6)));
    for (const int what : order) {
      switch (what) {
        case 0:
          check_cumulative(counts, truth, dice);
          break;
        case 1:
          check_nearest(counts, truth, dice);
          break;
        case 2:
          check_find(counts, truth, dice);
          break;
        case 3:
          check_distribution(counts, truth);
          break;
        case 4:
          check_bins(counts, truth, dice);
          break;
        default:
          check_sample(counts, truth, dice);
      }
    }
  }
}

}  // namespace netledger::testing
