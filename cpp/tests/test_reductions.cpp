// Reductions: the same as from all rows by brute force, whatever the source and the threads.
#include "space/reductions.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"
#include "swept_costs.h"

namespace netledger {

using namespace testing;

namespace {

MetricValue whole(std::int64_t value) { return {value, 0}; }
MetricValue real(double value) { return {0, value}; }
constexpr MetricId first{0, false};
constexpr MetricId second{1, false};
constexpr MetricId latency{0, true};

// A space, and the costs of many of its rows.
struct Sample {
  explicit Sample(unsigned seed, std::size_t count = 3000)
      : dice(seed),
        plan(make(dice)),
        rows(random_rows(plan, dice, count)),
        codes(rows, plan.variables.size(), CodeWidth::byte),
        sweeper(plan),
        source(codes_source(sweeper, codes.view())) {
    for (const Row& row : rows) costs.push_back(true_cost(plan, row));
  }

  static Plan make(Dice& dice) {
    PlanShape shape;
    shape.refusals = 20;
    shape.reals = 1;
    // Few values, so that many are equal.
    shape.largest_value = 9;
    return random_plan(dice, shape);
  }

  [[nodiscard]] double value(std::size_t row, MetricId metric) const {
    return metric.real ? costs[row].reals[metric.index]
                       : static_cast<double>(costs[row].metrics[metric.index]);
  }
  // Accepted, and with the first metric within [-15, 25] if asked for.
  [[nodiscard]] std::vector<std::size_t> kept(bool budget) const {
    std::vector<std::size_t> all;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (costs[row].refusal != accepted) continue;
      if (budget && (costs[row].metrics[0] < -15 || costs[row].metrics[0] > 25)) continue;
      all.push_back(row);
    }
    return all;
  }

  Dice dice;
  Plan plan;
  std::vector<Row> rows;
  Matrix codes;
  Sweeper sweeper;
  std::unique_ptr<Source> source;
  std::vector<TrueCost> costs;
};

std::vector<Budget> budgets_if(bool wanted) {
  if (!wanted) return {};
  return {{first, whole(-15), whole(25)}};
}

RunOptions threads(unsigned count) {
  RunOptions options;
  options.threads = count;
  return options;
}

}  // namespace

TEST_CASE("histograms count what lies between edges") {
  const Sample sample(41);
  for (const bool budget : {false, true}) {
    for (const MetricId metric : {first, second, latency}) {
      const std::vector<double> edges{-20, -3, -3, 0, 1, 7, 18};
      std::vector<MetricValue> values;
      for (const double edge : edges) {
        values.push_back(metric.real ? real(edge) : whole(static_cast<std::int64_t>(edge)));
      }
      Histogram expected;
      expected.counts.resize(6);
      for (const std::size_t row : sample.kept(budget)) {
        const double value = sample.value(row, metric);
        if (value < -20) ++expected.below;
        if (value >= 18) ++expected.above;
        for (std::size_t bin = 0; bin < 6; ++bin) {
          if (value >= edges[bin] && value < edges[bin + 1]) ++expected.counts[bin];
        }
      }
      const auto found = histogram(*sample.source, metric, values, budgets_if(budget), {});
      REQUIRE(found);
      CHECK(found->counts == expected.counts);
      CHECK(found->below == expected.below);
      CHECK(found->above == expected.above);
      CHECK(found->refused == sample.rows.size() - sample.kept(false).size());
      CHECK(found->outside_budgets == sample.kept(false).size() - sample.kept(budget).size());
    }
  }
}

TEST_CASE("histograms with far edges do not overflow") {
  const Sample sample(42, 500);
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::vector<MetricValue> edges{whole(least), whole(0), whole(most)};
  const auto found = histogram(*sample.source, first, edges, {}, {});
  REQUIRE(found);
  std::vector<std::uint64_t> expected(2);
  for (const std::size_t row : sample.kept(false)) ++expected[sample.value(row, first) >= 0];
  CHECK(found->counts == expected);
  CHECK(found->below + found->above == 0);
}

TEST_CASE("the best few, equal ones by position") {
  const Sample sample(43);
  for (const bool largest : {false, true}) {
    for (const MetricId metric : {first, latency}) {
      for (const std::size_t count :
           {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{9999}}) {
        std::vector<std::size_t> rows = sample.kept(true);
        std::ranges::stable_sort(rows, [&](std::size_t left, std::size_t right) {
          const double a = sample.value(left, metric);
          const double b = sample.value(right, metric);
          return largest ? a > b : a < b;
        });
        rows.resize(std::min(rows.size(), count));
        const auto found =
            top_k(*sample.source, metric, count, largest, budgets_if(true), threads(2));
        REQUIRE(found);
        REQUIRE(found->size() == rows.size());
        for (std::size_t index = 0; index < rows.size(); ++index) {
          CHECK((*found)[index].position == rows[index]);
          const MetricValue value = (*found)[index].value;
          CHECK((metric.real ? value.real : static_cast<double>(value.integer)) ==
                sample.value(rows[index], metric));
        }
      }
    }
  }
}

TEST_CASE("fronts hold what nothing is better than") {
  const Sample sample(44);
  const std::vector<std::vector<Objective>> cases{
      {{first, false}, {second, false}},
      {{first, true}, {second, false}},
      {{second, true}, {latency, true}},
      {{first, false}, {second, true}, {latency, false}},
      {{second, false}}};
  for (const auto& objectives : cases) {
    const auto at_least = [&](std::size_t a, std::size_t b) {
      return std::ranges::all_of(objectives, [&](const Objective& objective) {
        const double left = sample.value(a, objective.metric);
        const double right = sample.value(b, objective.metric);
        return objective.maximize ? left >= right : left <= right;
      });
    };
    std::vector<std::uint64_t> expected;
    const std::vector<std::size_t> rows = sample.kept(true);
    for (const std::size_t row : rows) {
      const bool covered = std::ranges::any_of(rows, [&](std::size_t other) {
        return at_least(other, row) && (!at_least(row, other) || other < row);
      });
      if (!covered) expected.push_back(row);
    }
    for (const unsigned count : {1U, 2U}) {
      const auto found = pareto(*sample.source, objectives, budgets_if(true), threads(count));
      REQUIRE(found);
      auto positions = found->positions;
      for (std::size_t index = 0; index < positions.size(); ++index) {
        for (std::size_t objective = 0; objective < objectives.size(); ++objective) {
          const MetricId metric = objectives[objective].metric;
          const MetricValue value = found->values[objective][index];
          CHECK((metric.real ? value.real : static_cast<double>(value.integer)) ==
                sample.value(positions[index], metric));
        }
      }
      std::ranges::sort(positions);
      CHECK(positions == expected);
    }
  }
}

TEST_CASE("filters give the first ones within all budgets") {
  const Sample sample(45, 200000);
  const std::vector<Budget> budgets{{first, whole(-15), whole(25)},
                                    {latency, std::nullopt, real(10)},
                                    {second, whole(-5), std::nullopt}};
  std::vector<std::uint64_t> expected;
  for (const std::size_t row : sample.kept(true)) {
    if (sample.value(row, latency) <= 10 && sample.value(row, second) >= -5)
      expected.push_back(row);
  }
  REQUIRE(expected.size() > 1000);
  for (const unsigned count : {1U, 3U}) {
    for (const std::optional<std::uint64_t> limit :
         {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{0},
          std::optional<std::uint64_t>{777}}) {
      auto some = expected;
      if (limit) some.resize(*limit);
      const auto found = filter(*sample.source, budgets, limit, threads(count));
      REQUIRE(found);
      REQUIRE(found->positions == some);
      for (std::size_t index = 0; index < some.size(); ++index) {
        REQUIRE(found->values[0][index].integer == sample.costs[some[index]].metrics[0]);
        REQUIRE(found->values[2][index].real == sample.costs[some[index]].reals[0]);
      }
    }
  }
}

TEST_CASE("extremes, sums and counts") {
  const Sample sample(46, 200000);
  const std::vector<MetricId> metrics{second, latency};
  for (const unsigned count : {1U, 3U}) {
    const auto found = extremes(*sample.source, metrics, budgets_if(true), threads(count));
    REQUIRE(found);
    const auto rows = sample.kept(true);
    CHECK(found->count == rows.size());
    CHECK(found->refused == sample.rows.size() - sample.kept(false).size());
    CHECK(found->count + found->refused + found->outside_budgets == sample.rows.size());
    for (std::size_t index = 0; index < 2; ++index) {
      const auto value = [&](std::size_t row) { return sample.value(row, metrics[index]); };
      const auto low = std::ranges::min_element(rows, {}, value);
      // The first of the largest.
      const auto high =
          std::ranges::min_element(rows, {}, [&](std::size_t row) { return -value(row); });
      CHECK(found->metrics[index].minimum.position == *low);
      CHECK(found->metrics[index].maximum.position == *high);
    }
    Int128 sum = 0;
    double real_sum = 0;
    for (const std::size_t row : rows) {
      sum += sample.costs[row].metrics[1];
      real_sum += sample.costs[row].reals[0];
    }
    CHECK(found->metrics[0].sum == sum);
    CHECK(found->metrics[1].real_sum == real_sum);
    CHECK(found->metrics[1].minimum.value.real ==
          sample.value(found->metrics[1].minimum.position, latency));
  }
}

TEST_CASE("columns are those of a sweep, on any number of threads") {
  const Sample sample(47, 150000);
  for (const unsigned count : {1U, 2U, 5U}) {
    SweptCosts costs(sample.plan, 150000);
    CHECK(columns(*sample.source, costs.columns(), threads(count)));
    for (std::size_t row = 0; row < 150000; ++row) costs.check_row(row, sample.costs[row]);
  }
  CHECK_THROWS_AS(columns(*sample.source, {}, {}), SpaceError);
}

TEST_CASE("empty sources reduce to nothing") {
  const Sample sample(48, 0);
  CHECK(top_k(*sample.source, first, 3, true, {}, {})->empty());
  CHECK(filter(*sample.source, {}, {}, {})->positions.empty());
  CHECK(extremes(*sample.source, std::vector{first}, {}, {})->count == 0);
}

TEST_CASE("arguments that mean nothing are refused") {
  const Sample sample(49, 10);
  const Source& source = *sample.source;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<MetricValue> edges{whole(0), whole(5)};
  CHECK_THROWS_AS(histogram(source, {7, false}, edges, {}, {}), SpaceError);
  CHECK_THROWS_AS(histogram(source, first, std::vector{whole(0)}, {}, {}), SpaceError);
  CHECK_THROWS_AS(histogram(source, first, std::vector{whole(5), whole(0)}, {}, {}), SpaceError);
  CHECK_THROWS_AS(histogram(source, latency, std::vector{real(0), real(nan)}, {}, {}), SpaceError);
  CHECK_THROWS_AS(top_k(source, {1, true}, 1, true, {}, {}), SpaceError);
  CHECK_THROWS_AS(pareto(source, {}, {}, {}), SpaceError);
  const Budget wrong{latency, real(nan), std::nullopt};
  CHECK_THROWS_AS(filter(source, {&wrong, 1}, {}, {}), SpaceError);
  CHECK_THROWS_AS(extremes(source, std::vector{MetricId{3, true}}, {}, {}), SpaceError);
}

TEST_CASE("a run that is stopped gives nothing") {
  const Sample sample(50, 200000);
  const std::atomic<bool> stop = true;
  RunOptions options = threads(2);
  options.stop = &stop;
  CHECK_FALSE(top_k(*sample.source, first, 3, true, {}, options));
  SweptCosts costs(sample.plan, 200000);
  CHECK_FALSE(columns(*sample.source, costs.columns(), options));
}

}  // namespace netledger
