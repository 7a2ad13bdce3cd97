// Questions about spaces that nobody can list: binomials, tables of several chunks, and stars.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/product_chain.h"
#include "query/query.h"
#include "space/error.h"
#include "tests/query_plans.h"

namespace netledger {

using testing::binary_plan;
using testing::binomials;
using testing::codes_of;
using testing::Dice;
using testing::factor_of;
using testing::is_uniform;
using testing::Matrix;
using testing::plan_of;

namespace {

constexpr std::size_t plenty = std::size_t{1} << 30U;

Question about(std::size_t metrics) {
  Question question;
  for (std::uint32_t metric = 0; metric < metrics; ++metric) question.metrics.push_back(metric);
  return question;
}

// By cost, where counts fit 64 bits.
using Histogram = std::vector<std::uint64_t>;

// Independent variables, of costs that are not negative.
Histogram convolved(const std::vector<std::vector<std::int64_t>>& costs) {
  Histogram all{1};
  for (const auto& of : costs) {
    Histogram next(all.size() + static_cast<std::size_t>(*std::ranges::max_element(of)));
    for (const std::int64_t cost : of) {
      for (std::size_t place = 0; place < all.size(); ++place) {
        next[place + static_cast<std::size_t>(cost)] += all[place];
      }
    }
    all = std::move(next);
  }
  return all;
}

// Independent variables of 8 choices.
std::vector<std::vector<std::int64_t>> random_costs(Dice& dice, std::size_t variables,
                                                    std::int64_t largest) {
  std::vector<std::vector<std::int64_t>> costs(variables);
  for (auto& of : costs) {
    for (int code = 0; code < 8; ++code) of.push_back(dice.roll(0, largest));
  }
  return costs;
}

Plan plan_with(const std::vector<std::vector<std::int64_t>>& costs) {
  Plan plan = plan_of(std::vector<std::uint32_t>(costs.size(), 8));
  for (VariableIndex variable = 0; variable < costs.size(); ++variable) {
    plan.factors.push_back(factor_of({variable}, {costs[variable]}));
  }
  return plan;
}

// A variable that every other one's cost depends on.
Plan star(Dice& dice, std::size_t leaves, std::int64_t largest) {
  std::vector<std::uint32_t> sizes(leaves + 1, 8);
  const auto hub = static_cast<VariableIndex>(leaves / 2);
  sizes[hub] = 3;
  Plan plan = plan_of(sizes);
  plan.factors.push_back(factor_of({hub}, {{-100, 5, 77}}));
  for (VariableIndex variable = 0; variable < sizes.size(); ++variable) {
    if (variable == hub) continue;
    std::vector<std::int64_t> values;
    for (int entry = 0; entry < 24; ++entry) values.push_back(dice.roll(0, largest));
    plan.factors.push_back(factor_of({std::min(hub, variable), std::max(hub, variable)}, {values}));
  }
  return plan;
}

// Of the star: by what its centre is.
std::vector<Histogram> histograms_of(const Plan& plan) {
  const std::size_t hub = (plan.variables.size() - 1) / 2;
  std::vector<Histogram> all;
  for (std::size_t centre = 0; centre < 3; ++centre) {
    std::vector<std::vector<std::int64_t>> costs;
    for (const Factor& factor : plan.factors) {
      if (factor.variables.size() < 2) continue;
      auto& of = costs.emplace_back();
      for (std::size_t code = 0; code < 8; ++code) {
        of.push_back(
            factor.values[0][factor.variables[0] == hub ? centre * 8 + code : code * 3 + centre]);
      }
    }
    all.push_back(convolved(costs));
  }
  return all;
}

Natural total_up_to(const Histogram& histogram, std::int64_t limit) {
  Natural total;
  for (std::size_t cost = 0; cost < histogram.size() && static_cast<std::int64_t>(cost) <= limit;
       ++cost) {
    total += Natural(histogram[cost]);
  }
  return total;
}

}  // namespace

TEST_CASE("binomials, however many bits they have") {
  // Totals below and beyond 2^64, with and without such a count; 2^128, 2^256 and up to 2^1024.
  for (const std::size_t count : {63U, 64U, 67U, 68U, 70U, 127U, 128U, 255U, 256U, 1023U}) {
    CAPTURE(count);
    const auto row = binomials(count);
    const Plan plan = binary_plan(count, 3);
    Query query(plan, about(1), plenty);
    const auto top = static_cast<std::int64_t>(3 * count);
    Natural size;
    for (const Natural& number : row) size += number;
    REQUIRE(query.size() == size);
    CHECK(size.bits() == count + 1);

    std::vector<std::int64_t> limits{-1, 0, 2, 3, top / 2, top - 1, top, top + 5};
    const auto check_cumulative = [&] {
      const auto found =
          query.with_counter([&](CostCounter& counts) { return counts.cumulative(limits, {}); });
      for (std::size_t index = 0; index < limits.size(); ++index) {
        Natural sum;
        for (std::size_t ones = 0; ones < row.size(); ++ones) {
          if (static_cast<std::int64_t>(3 * ones) <= limits[index]) sum += row[ones];
        }
        CHECK(found[index] == sum);
      }
    };
    check_cumulative();
    const auto bins = query.with_counter(
        [&](CostCounter& counts) { return counts.bins(-3, 6, count / 2 + 2, {}); });
    Natural in_bins;
    for (std::size_t bin = 0; bin < bins.size(); ++bin) {
      Natural sum;
      for (std::size_t ones : {2 * bin, 2 * bin + 1}) {
        if (ones >= 1 && ones - 1 < row.size()) sum += row[ones - 1];
      }
      CHECK(bins[bin] == sum);
      in_bins += bins[bin];
    }
    CHECK(in_bins == size);

    const auto found =
        query.with_counter([](CostCounter& counts) { return counts.distribution({}); });
    const bool narrow =
        std::ranges::all_of(row, [](const Natural& number) { return number.bits() <= 64; });
    CHECK(narrow == (count <= 67));
    CHECK(found.large_counts.empty() == narrow);
    std::map<std::int64_t, Natural> by_cost;
    for (std::size_t index = 0; index < std::max(found.counts.size(), found.large_counts.size());
         ++index) {
      const std::int64_t cost = found.dense
                                    ? found.start + static_cast<std::int64_t>(index) * found.step
                                    : found.values[index];
      by_cost[cost] = narrow ? Natural(found.counts[index]) : found.large_counts[index];
    }
    REQUIRE(by_cost.size() == row.size());
    for (std::size_t ones = 0; ones < row.size(); ++ones) {
      CHECK(by_cost[static_cast<std::int64_t>(3 * ones)] == row[ones]);
    }
    check_cumulative();

    // The rest takes long where counts are that wide.
    if (count > 600) continue;
    // Half of the networks have a code.
    for (const auto& counts : query.marginals(-1, top + 1, {})) {
      CHECK(counts == std::vector<Natural>{counts[0], counts[0], Natural()});
      CHECK(counts[0] + counts[0] == size);
    }
    const auto few = query.marginals(3, 6, {});
    CHECK(few[count / 2][1] == Natural(1) + Natural(count - 1));
    CHECK(few[0][0] + few[0][1] == row[1] + row[2]);
    const auto middle = static_cast<std::int64_t>(3 * (count / 2));
    for (const bool prepare : {false, true}) {
      if (prepare) query.with_counter([](CostCounter& counts) { return counts.prepare({}), 0; });
      Matrix matrix(40, count, CodeWidth::byte);
      REQUIRE(query.with_counter([&](CostCounter& counts) {
        return counts.sample(5, middle, middle + 3, matrix.output(), {});
      }));
      for (std::size_t index = 0; index < 40; ++index) {
        const auto codes = matrix.row(index);
        const std::int64_t ones = std::accumulate(codes.begin(), codes.end(), std::int64_t{0});
        CHECK(3 * ones >= middle);
        CHECK(3 * ones <= middle + 3);
      }
      std::vector<std::uint16_t> codes;
      CHECK(
          query.with_counter([&](CostCounter& counts) { return counts.find(middle, codes, {}); }));
      CHECK(std::accumulate(codes.begin(), codes.end(), std::int64_t{0}) * 3 == middle);
      const auto [below, above] =
          query.with_counter([&](CostCounter& counts) { return counts.nearest(middle + 1, {}); });
      CHECK(below == middle);
      CHECK(above == middle + 3);
    }
    check_cumulative();
  }
}

TEST_CASE("every position is as likely, also where counts are wide") {
  for (const std::size_t count : {40U, 70U, 130U, 260U}) {
    const Plan plan = binary_plan(count);
    Query query(plan, about(1), plenty);
    const std::size_t rows = 20'000;
    Matrix matrix(rows, count, CodeWidth::byte);
    // One or two ones: of count + binomial(count, 2).
    REQUIRE(query.with_counter(
        [&](CostCounter& counts) { return counts.sample(9, 1, 2, matrix.output(), {}); }));
    std::vector<std::uint64_t> drawn(count);
    std::size_t alone = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto codes = matrix.row(row);
      std::int64_t ones = 0;
      for (std::size_t place = 0; place < count; ++place) {
        drawn[place] += static_cast<std::uint64_t>(codes[place]);
        ones += codes[place];
      }
      REQUIRE((ones == 1 || ones == 2));
      if (ones == 1) ++alone;
    }
    CHECK(is_uniform(drawn));
    const double expected = static_cast<double>(rows) / (1 + (static_cast<double>(count) - 1) / 2);
    CHECK(std::abs(static_cast<double>(alone) - expected) < 5 * std::sqrt(expected));
  }
}

TEST_CASE("a space of more than 2^1024 configurations is counted, but not by cost") {
  const Plan plan = binary_plan(1024);
  Query query(plan, about(1), plenty);
  CHECK(query.size().bits() == 1025);
  CHECK_THROWS_AS(query.counter(), SpaceError);
  CHECK(query.extreme(true)->cost == 1024);
  CHECK(query.moments().front().count == query.size());
}

TEST_CASE("counts of 64 bits say so where they do not suffice") {
  for (const std::size_t count : {67U, 68U}) {
    const Plan plan = binary_plan(count);
    const Problem problem(plan, about(1));
    const Slices slices = testing::slices_by(problem, {});
    const auto counts = make_cost_counter(problem, slices, 1, plenty);
    if (count == 67) {
      CHECK(counts->distribution({}).counts.size() == 68);
      counts->prepare({});
      CHECK(counts->prepared());
      continue;
    }
    CHECK_THROWS_AS(counts->distribution({}), CountsTooLarge);
    CHECK_THROWS_AS(counts->prepare({}), CountsTooLarge);
    CHECK_THROWS_AS(counts->bins(0, 7, 20, {}), CountsTooLarge);
    CHECK_FALSE(counts->prepared());
    CHECK(counts->bytes() == 0);
    CHECK_FALSE(counts->answers_at_once());
  }
  // The sum of several slices passes it where none of them does.
  const Plan plan = binary_plan(68);
  const Problem problem(plan, about(1));
  const Slices slices = testing::slices_by(problem, {0, 1, 2});
  REQUIRE(slices.slices.size() == 8);
  const auto counts = make_cost_counter(problem, slices, 1, plenty);
  CHECK_THROWS_AS(counts->distribution({}), CountsTooLarge);
  const auto row = binomials(68);
  const auto bins = counts->bins(0, 1, 69, {});
  counts->prepare({});
  for (std::size_t cost = 0; cost <= 68; ++cost) {
    const auto limit = static_cast<std::int64_t>(cost);
    const std::array<std::int64_t, 2> limits{limit - 1, limit};
    CHECK(bins[cost] == row[cost]);
    const auto found = counts->cumulative(limits, {});
    CHECK(found[1] - found[0] == row[cost]);
  }
}

TEST_CASE("tables are taken again by a query that had not counted yet") {
  for (const std::size_t count : {20U, 67U, 70U, 130U}) {
    const Plan plan = binary_plan(count);
    Query query(plan, about(1), plenty);
    query.with_counter([](CostCounter& counts) { return counts.prepare({}), 0; });
    const std::size_t limbs = query.counter().limbs();
    CHECK(limbs == (count < 68 ? 1 : count == 70 ? 2 : 4));
    Query again(plan, about(1), plenty);
    again.restore(limbs, query.counter().tables());
    CHECK(again.counter().prepared());
    const std::array<std::int64_t, 1> limits{10};
    CHECK(again.counter().cumulative(limits, {}) == query.counter().cumulative(limits, {}));
    Query other(plan, about(1), plenty);
    CHECK_THROWS_AS(other.restore(limbs == 16 ? 4 : 16, query.counter().tables()), SpaceError);
    const Plan longer = binary_plan(count + 1);
    Query wrong(longer, about(1), plenty);
    CHECK_THROWS_AS(wrong.restore(limbs, query.counter().tables()), SpaceError);
    CHECK(wrong.with_counter([&](CostCounter& counts) { return counts.cumulative(limits, {}); })
              .size() == 1);
  }
}

TEST_CASE("tables of several chunks, on two threads") {
  Dice dice(35);
  const auto costs = random_costs(dice, 9, 8000);
  const Histogram truth = convolved(costs);
  const Plan plan = plan_with(costs);
  const auto end = static_cast<std::int64_t>(truth.size());
  for (const unsigned threads : {1U, 2U}) {
    const Effort effort{.threads = threads, .wait = {}};
    Query query(plan, about(1), plenty);
    CostCounter& counts = query.counter();
    const auto check_bins = [&] {
      const auto bins = counts.bins(-500, 997, 90, effort);
      for (std::int64_t bin = 0; bin < 90; ++bin) {
        CHECK(bins[static_cast<std::size_t>(bin)] ==
              total_up_to(truth, -500 + (bin + 1) * 997 - 1) -
                  total_up_to(truth, -500 + bin * 997 - 1));
      }
    };
    check_bins();
    const auto uses = query.marginals(20'000, 24'000, effort);
    for (std::size_t variable = 0; variable < 9; variable += 4) {
      for (std::size_t code = 0; code < 8; code += 3) {
        auto others = costs;
        others[variable] = {costs[variable][code]};
        const Histogram rest = convolved(others);
        CHECK(uses[variable][code] == total_up_to(rest, 24'000) - total_up_to(rest, 19'999));
      }
    }
    const auto found = counts.distribution(effort);
    std::size_t wrong = 0;
    Histogram got(truth.size());
    for (std::size_t index = 0; index < found.counts.size(); ++index) {
      const std::int64_t cost = found.dense
                                    ? found.start + static_cast<std::int64_t>(index) * found.step
                                    : found.values[index];
      REQUIRE(cost >= 0);
      REQUIRE(cost < end);
      got[static_cast<std::size_t>(cost)] = found.counts[index];
    }
    for (std::size_t cost = 0; cost < truth.size(); ++cost) {
      if (truth[cost] != got[cost]) ++wrong;
    }
    CHECK(wrong == 0);
    check_bins();
    for (const bool prepare : {false, true}) {
      if (prepare) counts.prepare(effort);
      for (const std::int64_t target : {std::int64_t{15'000}, std::int64_t{30'000}, end}) {
        const std::array<std::int64_t, 1> limits{target};
        CHECK(counts.cumulative(limits, effort).front() == total_up_to(truth, target));
        std::int64_t below = std::min(target, end - 1);
        while (truth[static_cast<std::size_t>(below)] == 0) --below;
        CHECK(counts.nearest(target, effort).first == below);
      }
      Matrix matrix(20'000, 9, CodeWidth::word);
      REQUIRE(counts.sample(11, 25'000, 25'100, matrix.output(), effort));
      // By how often each cost of the band occurs.
      std::map<std::int64_t, std::uint64_t> drawn;
      for (std::size_t index = 0; index < 20'000; ++index) {
        const auto row = matrix.row(index);
        std::int64_t cost = 0;
        for (std::size_t variable = 0; variable < 9; ++variable) {
          cost += costs[variable][static_cast<std::size_t>(row[variable])];
        }
        ++drawn[cost];
      }
      double statistic = 0;
      double freedom = -1;
      const auto band = static_cast<double>(lowest_word(
          count_of<std::uint64_t>(total_up_to(truth, 25'100) - total_up_to(truth, 24'999))));
      for (std::int64_t cost = 25'000; cost <= 25'100; ++cost) {
        const double expected =
            20'000 * static_cast<double>(truth[static_cast<std::size_t>(cost)]) / band;
        const double apart = static_cast<double>(drawn[cost]) - expected;
        if (expected == 0) {
          CHECK(drawn[cost] == 0);
          continue;
        }
        statistic += apart * apart / expected;
        ++freedom;
      }
      CHECK(drawn.begin()->first >= 25'000);
      CHECK(drawn.rbegin()->first <= 25'100);
      CHECK(statistic < freedom + 6 * std::sqrt(2 * freedom));
    }
  }
}

TEST_CASE("who interrupts a long question can ask it again") {
  Dice dice(36);
  const auto costs = random_costs(dice, 9, 8000);
  const Histogram truth = convolved(costs);
  const Plan plan = plan_with(costs);
  class Interrupted : public std::exception {};
  for (const unsigned threads : {1U, 2U}) {
    Query query(plan, about(1), plenty);
    CostCounter& counts = query.counter();
    const Effort effort{.threads = threads, .wait = [](std::uint64_t thousandths) {
                          CHECK(thousandths < 1000);
                          throw Interrupted();
                        }};
    const std::array<std::int64_t, 1> limits{22'222};
    const auto check = [&] {
      CHECK(counts.cumulative(limits, {}).front() == total_up_to(truth, limits.front()));
      Matrix matrix(10, 9, CodeWidth::byte);
      CHECK(counts.sample(1, 22'000, 22'222, matrix.output(), {}));
    };
    CHECK_THROWS_AS(counts.distribution(effort), Interrupted);
    CHECK_THROWS_AS(counts.bins(0, 1000, 60, effort), Interrupted);
    CHECK_THROWS_AS(query.marginals(20'000, 24'000, effort), Interrupted);
    CHECK_THROWS_AS(counts.prepare(effort), Interrupted);
    CHECK_FALSE(counts.prepared());
    CHECK(counts.bytes() == 0);
    Matrix matrix(10, 9, CodeWidth::byte);
    CHECK_THROWS_AS(counts.sample(1, 22'000, 22'222, matrix.output(), effort), Interrupted);
    CHECK_FALSE(counts.prepared());
    CHECK(counts.bins(0, 22'223, 1, {}).front() == total_up_to(truth, limits.front()));
    check();
    counts.prepare({});
    check();
  }
  // Fronts tell after every slice.
  Plan pair = plan_of({4, 4}, 2);
  pair.factors.push_back(factor_of({0}, {{0, 1, 2, 3}, {3, 2, 1, 0}}));
  const Query query(pair, about(2), plenty);
  const Effort effort{.threads = 1, .wait = [](std::uint64_t) { throw Interrupted(); }};
  CHECK_THROWS_AS(query.pareto(false, false, effort), Interrupted);
  CHECK(query.pareto(false, false, {}).size() == 4);
}

TEST_CASE("a star whose products are large is sliced by its centre") {
  Dice dice(37);
  const Plan small = star(dice, 10, 50);
  CHECK(Query(small, about(1), plenty).slices().given.empty());

  const Plan plan = star(dice, 10, 110'000);
  Query query(plan, about(1), plenty);
  const auto hub = static_cast<VariableIndex>(5);
  REQUIRE(query.slices().given == std::vector<VariableIndex>{hub});
  REQUIRE(query.slices().slices.size() == 3);
  CHECK(query.slices().tree.roots.size() == 10);
  const auto histograms = histograms_of(plan);
  constexpr std::array<std::int64_t, 3> offsets{-100, 5, 77};
  const auto up_to = [&](std::int64_t limit) {
    Natural all;
    for (std::size_t centre = 0; centre < 3; ++centre) {
      all += total_up_to(histograms[centre], limit - offsets[centre]);
    }
    return all;
  };
  CHECK(query.size() == Natural(std::uint64_t{3} << 30U));
  std::int64_t most = 0;
  for (std::size_t centre = 0; centre < 3; ++centre) {
    most =
        std::max(most, static_cast<std::int64_t>(histograms[centre].size()) - 1 + offsets[centre]);
  }
  CHECK(query.extreme(true)->cost == most);
  CostCounter& counts = query.counter();
  const std::vector<std::int64_t> limits{-101, 200'000, 550'000, 900'000, most};
  for (int time = 0; time < 2; ++time) {
    const auto found = counts.cumulative(limits, {});
    for (std::size_t index = 0; index < limits.size(); ++index) {
      CHECK(found[index] == up_to(limits[index]));
    }
  }
  const auto uses = query.marginals(300'000, 301'000, {});
  for (std::size_t centre = 0; centre < 3; ++centre) {
    CHECK(uses[hub][centre] == total_up_to(histograms[centre], 301'000 - offsets[centre]) -
                                   total_up_to(histograms[centre], 299'999 - offsets[centre]));
  }
  Natural all;
  for (const Natural& number : uses[0]) all += number;
  CHECK(all == up_to(301'000) - up_to(299'999));
  Matrix matrix(3000, 11, CodeWidth::byte);
  REQUIRE(counts.sample(3, 300'000, 301'000, matrix.output(), {}));
  for (std::size_t row = 0; row < 3000; ++row) {
    const std::int64_t cost = testing::true_cost(plan, matrix.row(row)).metrics[0];
    REQUIRE(cost >= 300'000);
    REQUIRE(cost <= 301'000);
  }
}

TEST_CASE("a centre's codes that are refused have no slice") {
  Dice dice(38);
  Plan plan = star(dice, 10, 110'000);
  plan.factors.front().refusals = {accepted, 1, accepted};
  plan.factors.front().values[0][1] = 0;
  const Query query(plan, about(1), plenty);
  CHECK(query.size() == Natural(std::uint64_t{2} << 30U));
  REQUIRE(query.slices().slices.size() == 2);
  CHECK(query.slices().slices[1].codes[5] == 2);
}

TEST_CASE("a choice that costs more than all others together") {
  // The table of all that lies between would not fit anywhere.
  constexpr std::int64_t far = std::int64_t{1} << 50U;
  Plan plan = binary_plan(40);
  plan.variables.push_back({"far", 3, 0, 0});
  plan.activities.emplace_back();
  plan.factors.push_back(factor_of({40}, {{0, far, 2 * far + 1}}));
  const auto row = binomials(40);
  Query query(plan, about(1), std::size_t{1} << 24U);
  CostCounter& counts = query.counter();
  const std::vector<std::int64_t> limits{20, far - 1, far + 20, 2 * far, 2 * far + 21};
  Natural all;
  Natural half;
  for (std::size_t ones = 0; ones <= 40; ++ones) {
    all += row[ones];
    if (ones <= 20) half += row[ones];
  }
  const auto check = [&] {
    CHECK(counts.cumulative(limits, {}) ==
          std::vector<Natural>{half, all, all + half, all + all, all + all + half});
    CHECK(counts.nearest(far - 5, {}).first == 40);
    CHECK(counts.nearest(far - 5, {}).second == far);
    Matrix matrix(20, 41, CodeWidth::byte);
    CHECK(counts.sample(1, far, far + 3, matrix.output(), {}));
    for (std::size_t index = 0; index < 20; ++index) CHECK(matrix.row(index)[40] == 1);
  };
  CHECK(counts.bins(0, far, 3, {}) == std::vector<Natural>{all, all, all});
  check();
  const auto found = counts.distribution({});
  CHECK_FALSE(found.dense);
  CHECK(found.values.size() == 3 * 41);
  counts.prepare({});
  check();
  const auto uses = query.marginals(far, far + 1, {});
  CHECK(uses[40] == std::vector<Natural>{Natural(), row[0] + row[1], Natural(), Natural()});
  CHECK(uses[0] == std::vector<Natural>{Natural(40), Natural(1), Natural()});
}

TEST_CASE("parts of more networks than are listed") {
  Dice dice(39);
  const std::size_t rows = 20'000;
  std::vector<Plan> plans;
  plans.push_back(star(dice, 7, 40));
  plans.push_back(plan_of(std::vector<std::uint32_t>(18, 3)));
  Plan& chain = plans.back();
  for (VariableIndex variable = 0; variable + 1 < 18; ++variable) {
    std::vector<std::int64_t> values;
    for (int entry = 0; entry < 9; ++entry) values.push_back(dice.roll(-5, 5));
    chain.factors.push_back(factor_of({variable, variable + 1}, {values}));
  }
  for (const Plan& plan : plans) {
    Query query(plan, about(1), plenty);
    REQUIRE(query.slices().tree.roots.size() == 1);
    REQUIRE(query.size().bits() > 20);
    CostCounter& counts = query.counter();
    const std::int64_t low = query.extreme(false)->cost;
    const std::int64_t high = query.extreme(true)->cost;
    const std::int64_t from = low + (high - low) / 3;
    const auto uses = query.marginals(from, from + 9, {});
    for (const bool prepare : {false, true}) {
      if (prepare) counts.prepare({});
      Matrix matrix(rows, plan.variables.size(), CodeWidth::byte);
      REQUIRE(counts.sample(21, from, from + 9, matrix.output(), {.threads = 2, .wait = {}}));
      std::vector<std::array<double, 8>> drawn(plan.variables.size());
      for (std::size_t index = 0; index < rows; ++index) {
        const auto row = matrix.row(index);
        const std::int64_t cost = testing::true_cost(plan, row).metrics[0];
        REQUIRE(cost >= from);
        REQUIRE(cost <= from + 9);
        for (std::size_t variable = 0; variable < row.size(); ++variable) {
          ++drawn[variable][static_cast<std::size_t>(row[variable])];
        }
      }
      // As often as the networks that have the code are there.
      for (std::size_t variable = 0; variable < drawn.size(); ++variable) {
        double all = 0;
        for (const Natural& count : uses[variable]) all += count.approximate();
        for (std::size_t code = 0; code + 1 < uses[variable].size(); ++code) {
          const double share = uses[variable][code].approximate() / all;
          const double expected = share * static_cast<double>(rows);
          const double deviation = std::sqrt(expected * (1 - share));
          CHECK(std::abs(drawn[variable][code] - expected) <= 5 * deviation + 1);
        }
      }
      for (std::int64_t cost = from; cost < from + 5; ++cost) {
        std::vector<std::uint16_t> codes;
        if (!counts.find(cost, codes, {})) continue;
        CHECK(testing::true_cost(plan, {codes.begin(), codes.end()}).metrics[0] == cost);
      }
    }
  }
  // By listing what its centre leaves.
  const Plan& plan = plans.front();
  const auto histograms = histograms_of(plan);
  Query query(plan, about(1), plenty);
  constexpr std::array<std::int64_t, 3> offsets{-100, 5, 77};
  std::vector<std::int64_t> limits;
  for (std::int64_t limit = -110; limit < 400; limit += 30) limits.push_back(limit);
  const auto found = query.counter().cumulative(limits, {});
  for (std::size_t index = 0; index < limits.size(); ++index) {
    Natural all;
    for (std::size_t centre = 0; centre < 3; ++centre) {
      all += total_up_to(histograms[centre], limits[index] - offsets[centre]);
    }
    CHECK(found[index] == all);
  }
}

TEST_CASE("what is refused may count for more than all that is there") {
  // Its centre's code 1 leaves all others free, but is refused far from it.
  constexpr std::size_t leaves = 140;
  std::vector<std::uint32_t> sizes(leaves + 3, 2);
  sizes.back() = 1000;
  Plan plan = plan_of(sizes);
  const auto add = [&](VariableIndex first, VariableIndex second, std::vector<std::int64_t> values,
                       std::vector<Refusal> refusals) {
    plan.factors.push_back(factor_of({first, second}, {std::move(values)}));
    plan.factors.back().refusals = std::move(refusals);
  };
  for (VariableIndex leaf = 1; leaf <= leaves; ++leaf) {
    add(0, leaf, {0, 0, 0, 1}, {accepted, 1, accepted, accepted});
  }
  add(0, leaves + 1, {0, 0, 0, 0}, {accepted, 1, 1, accepted});
  std::vector<std::int64_t> values(2000);
  std::iota(values.begin(), values.begin() + 1000, 0);
  std::vector<Refusal> refusals(2000, 1);
  std::fill_n(refusals.begin(), 1000, accepted);
  add(leaves + 1, leaves + 2, values, refusals);
  Query query(plan, about(1), plenty);
  REQUIRE(query.size() == Natural(1000));
  CHECK(query.extreme(true)->cost == 999);
  const std::array<std::int64_t, 3> limits{-1, 99, 2000};
  for (const bool prepare : {false, true}) {
    if (prepare) query.with_counter([](CostCounter& counts) { return counts.prepare({}), 0; });
    CHECK(query.with_counter([&](CostCounter& counts) { return counts.cumulative(limits, {}); }) ==
          std::vector<Natural>{Natural(), Natural(100), Natural(1000)});
    Matrix matrix(100, sizes.size(), CodeWidth::word);
    REQUIRE(query.with_counter(
        [&](CostCounter& counts) { return counts.sample(2, 7, 9, matrix.output(), {}); }));
    for (std::size_t row = 0; row < 100; ++row) {
      const auto codes = matrix.row(row);
      CHECK(codes.back() >= 7);
      CHECK(codes.back() <= 9);
      CHECK(std::accumulate(codes.begin(), codes.end() - 1, std::int64_t{0}) == 0);
    }
  }
  const auto found =
      query.with_counter([](CostCounter& counts) { return counts.distribution({}); });
  CHECK(std::ranges::count(found.counts, 1U) == 1000);
}

TEST_CASE("costs and limits as large as they get") {
  constexpr std::int64_t half = Problem::largest_total / 2;
  constexpr std::int64_t open = std::int64_t{1} << 61U;
  Plan plan = plan_of({3, 3}, 2);
  for (VariableIndex variable = 0; variable < 2; ++variable) {
    plan.factors.push_back(factor_of({variable}, {{-half, 0, half}, {half, -half, 0}}));
  }
  Question question = about(2);
  Query query(plan, question, plenty);
  CHECK(query.extreme(false)->cost == -2 * half);
  CHECK(query.extreme(true)->cost == 2 * half);
  CHECK(query.best(true, -open, open, {})->other == 2 * half);
  CHECK(query.best(false, -open, open, {})->other == -2 * half);
  CHECK(query.best(false, 1, open, {})->other == -half);
  CHECK(query.joint({-open, open}, {-open, open}) == Natural(9));
  CHECK(query.joint({-open, -1}, {0, open}) == Natural(3));
  CHECK(query.pareto(false, false, {}).size() == 3);
  CHECK(query.pareto(true, true, {}).size() == 3);
  CostCounter& counts = query.counter();
  const std::vector<std::int64_t> limits{-open, -2 * half, -half, 0, half, open};
  for (int round = 0; round < 4; ++round) {
    if (round == 2) CHECK(counts.distribution({}).values.size() == 5);
    if (round == 3) counts.prepare({});
    CHECK(counts.cumulative(limits, {}) == std::vector<Natural>{Natural(), Natural(1), Natural(3),
                                                                Natural(6), Natural(8),
                                                                Natural(9)});
    CHECK(counts.nearest(-open, {}).second == -2 * half);
    CHECK(counts.nearest(open, {}).first == 2 * half);
    CHECK(counts.nearest(1, {}).second == half);
    CHECK(counts.bins(-open, static_cast<std::uint64_t>(open), 2, {}) ==
          std::vector<Natural>{Natural(3), Natural(6)});
    Matrix matrix(5, 2, CodeWidth::byte);
    CHECK(counts.sample(1, -open, open, matrix.output(), {}));
    std::vector<std::uint16_t> codes;
    CHECK_FALSE(counts.find(open, codes, {}));
    CHECK_FALSE(counts.find(-open, codes, {}));
  }
  const std::vector<Natural> each{Natural(3), Natural(3), Natural(3), Natural()};
  CHECK(query.marginals(-open, open, {})[1] == each);
  CHECK(query.marginals(-open, -half, {})[1] ==
        std::vector<Natural>{Natural(2), Natural(1), Natural(), Natural()});
}

}  // namespace netledger
