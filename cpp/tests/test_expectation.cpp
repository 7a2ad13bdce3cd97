// Expectations: sums over all rows of codes, of random plans and of chains that are too long.
#include "query/expectation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "tests/space_plans.h"

namespace netledger {

using testing::Dice;
using testing::PlanShape;
using testing::random_plan;
using testing::Row;
using testing::true_cost;
using testing::TrueCost;

namespace {

constexpr MetricId second{.index = 1, .real = false};
constexpr MetricId real{.index = 0, .real = true};

std::vector<double> random_probabilities(const Plan& plan, Dice& dice, bool is_distribution) {
  std::vector<double> probabilities;
  for (const PlanVariable& variable : plan.variables) {
    std::vector<double> part(variable.size);
    double sum = 0;
    for (double& weight : part) {
      weight = dice.chance(25) ? 0 : static_cast<double>(dice.roll(1, 1000));
      sum += weight;
    }
    if (sum == 0) sum = part[0] = 1;
    for (double& weight : part) {
      probabilities.push_back(is_distribution ? weight / sum : weight / 500 - 0.25);
    }
  }
  return probabilities;
}

// The probability of each row of codes, but for the variable that is left out.
double weight_of(const Plan& plan, const std::vector<double>& probabilities, const Row& row,
                 std::size_t left_out) {
  double weight = 1;
  std::size_t column = 0;
  for (std::size_t variable = 0; variable < row.size(); ++variable) {
    const auto code = static_cast<std::size_t>(row[variable]);
    if (variable != left_out) weight *= probabilities[column + code];
    column += plan.variables[variable].size;
  }
  return weight;
}

struct Truth {
  bool refuses = false;
  double acceptance = 0;
  double value = 0;
  std::vector<double> gradient;
  // What the largest terms are like, by which rounding is measured.
  double scale = 0;

  Truth(const Plan& plan, MetricId metric, const std::vector<double>& probabilities) {
    const std::vector<Row> rows = testing::all_rows(plan);
    const std::size_t all = plan.variables.size();
    std::vector<double> accepted_slopes(probabilities.size());
    gradient.resize(probabilities.size());
    for (const Row& row : rows) {
      const TrueCost cost = true_cost(plan, row);
      if (cost.refusal != accepted) {
        refuses = true;
        continue;
      }
      const double added =
          metric.real ? cost.reals[metric.index] : static_cast<double>(cost.metrics[metric.index]);
      const double weight = weight_of(plan, probabilities, row, all);
      acceptance += weight;
      value += weight * added;
      std::size_t column = 0;
      for (std::size_t variable = 0; variable < all; ++variable) {
        const double slope = weight_of(plan, probabilities, row, variable);
        const std::size_t place = column + static_cast<std::size_t>(row[variable]);
        gradient[place] += slope * added;
        accepted_slopes[place] += slope;
        scale = std::max(scale, std::abs(slope * added));
        column += plan.variables[variable].size;
      }
    }
    if (!refuses) return;
    value /= acceptance;
    for (std::size_t column = 0; column < gradient.size(); ++column) {
      gradient[column] = (gradient[column] - value * accepted_slopes[column]) / acceptance;
    }
    scale = (scale + std::abs(value)) / std::abs(acceptance) * 10;
  }
};

struct Found {
  std::vector<double> values;
  std::vector<double> gradients;
};

Found evaluate(const Expectation& expectation, const std::vector<double>& probabilities,
               bool check = true, unsigned threads = 1) {
  const std::size_t rows = probabilities.size() / expectation.columns();
  Found found{std::vector<double>(rows), std::vector<double>(probabilities.size())};
  const ProbabilityRows given{.probabilities = probabilities.data(),
                              .rows = rows,
                              .check = check,
                              .values = found.values.data(),
                              .gradients = found.gradients.data()};
  RunOptions options;
  options.threads = threads;
  const bool finished = expectation.evaluate(given, options);
  REQUIRE(finished);
  return found;
}

void compare(const Plan& plan, MetricId metric, const std::vector<double>& probabilities,
             bool check) {
  const Truth truth(plan, metric, probabilities);
  const Expectation expectation(plan, metric);
  if (truth.refuses && truth.acceptance == 0) {
    CHECK_THROWS_AS(evaluate(expectation, probabilities, check), SpaceError);
    return;
  }
  // Cancellation leaves nothing to compare.
  if (truth.refuses && std::abs(truth.acceptance) < 1e-3) return;
  const Found found = evaluate(expectation, probabilities, check);
  const double allowed = 1e-10 * (truth.scale + 1);
  CHECK(std::abs(found.values[0] - truth.value) <= allowed);
  for (std::size_t column = 0; column < truth.gradient.size(); ++column) {
    CHECK(std::abs(found.gradients[column] - truth.gradient[column]) <= allowed);
  }
}

Plan chain(std::size_t length) {
  Plan plan;
  plan.metrics = {"ones"};
  plan.constants = {0};
  plan.bounds = {{0, 1000}};
  for (std::size_t variable = 0; variable < length; ++variable) {
    plan.variables.push_back({"v" + std::to_string(variable), 2, 0, 0});
    plan.activities.emplace_back();
    const auto index = static_cast<VariableIndex>(variable);
    plan.factors.push_back({{index}, 2, {{0, 1}}, {}, {}});
    if (variable > 0) {
      plan.factors.push_back({{index - 1, index}, 4, {{}}, {}, {0, 0, 0, 1}});
    }
  }
  return plan;
}

}  // namespace

TEST_CASE("expectations are sums over all rows") {
  Dice dice(71);
  for (int round = 0; round < 150; ++round) {
    const PlanShape shape{.variables = static_cast<std::size_t>(dice.roll(1, 7)),
                          .largest_size = 5,
                          .reals = 1,
                          .factors = static_cast<std::size_t>(dice.roll(0, 8)),
                          .refusals = round % 3 * 20};
    const Plan plan = random_plan(dice, shape);
    for (const bool check : {true, false}) {
      const std::vector<double> probabilities = random_probabilities(plan, dice, check);
      compare(plan, second, probabilities, check);
      compare(plan, real, probabilities, check);
    }
  }
}

TEST_CASE("one network is expected to cost what it costs") {
  Dice dice(72);
  for (int round = 0; round < 20; ++round) {
    const Plan plan =
        random_plan(dice, {.largest_value = std::int64_t{1} << 48, .refusals = round % 2 * 30});
    const Expectation expectation(plan, second);
    for (const Row& row : testing::random_rows(plan, dice, 30)) {
      std::vector<double> probabilities;
      for (std::size_t variable = 0; variable < row.size(); ++variable) {
        for (std::int64_t code = 0; code < plan.variables[variable].size; ++code) {
          probabilities.push_back(code == row[variable] ? 1 : 0);
        }
      }
      const TrueCost cost = true_cost(plan, row);
      if (cost.refusal != accepted) {
        CHECK_THROWS_AS(evaluate(expectation, probabilities), SpaceError);
      } else {
        const double exact = static_cast<double>(cost.metrics[1]);
        CHECK(evaluate(expectation, probabilities).values[0] == exact);
      }
    }
  }
}

TEST_CASE("a row does not depend on the others, or on threads") {
  Dice dice(73);
  for (const int refusals : {0, 30}) {
    const Plan plan = random_plan(dice, {.largest_size = 6, .refusals = refusals});
    const Expectation expectation(plan, second);
    std::vector<double> batch;
    while (batch.size() < 1003 * expectation.columns()) {
      const std::vector<double> row = random_probabilities(plan, dice, true);
      const Truth truth(plan, second, row);
      if (truth.acceptance > 0) batch.insert(batch.end(), row.begin(), row.end());
    }
    const Found found = evaluate(expectation, batch);
    const Found again = evaluate(expectation, batch, true, 3);
    CHECK(found.values == again.values);
    CHECK(found.gradients == again.gradients);
    const auto columns = static_cast<std::ptrdiff_t>(expectation.columns());
    for (const std::ptrdiff_t row : {0, 5, 500, 1002}) {
      const auto begin = batch.begin() + row * columns;
      const Found alone = evaluate(expectation, {begin, begin + columns});
      CHECK(alone.values[0] == found.values[static_cast<std::size_t>(row)]);
      for (std::ptrdiff_t column = 0; column < columns; ++column) {
        CHECK(alone.gradients[static_cast<std::size_t>(column)] ==
              found.gradients[static_cast<std::size_t>(row * columns + column)]);
      }
    }
  }
}

TEST_CASE("refusals along a chain are eliminated one by one") {
  // Rows without two ones in a row, of n variables: 1, 2, 3, 5, ... of them; and their ones.
  std::vector<double> rows{1, 2};
  std::vector<double> ones{0, 1};
  for (std::size_t length = 2; length <= 60; ++length) {
    rows.push_back(rows[length - 1] + rows[length - 2]);
    ones.push_back(ones[length - 1] + ones[length - 2] + rows[length - 2]);
  }
  const Expectation expectation(chain(60), {.index = 0, .real = false});
  const Found found = evaluate(expectation, std::vector<double>(120, 0.5));
  CHECK(found.values[0] == doctest::Approx(ones[60] / rows[60]).epsilon(1e-13));
  // Where the first one is 1, the second is 0, and 58 are left.
  const double with_one = (rows[58] + ones[58]) / rows[58];
  const double share = 2 * rows[58] / rows[60];
  CHECK(found.gradients[1] == doctest::Approx(share * (with_one - found.values[0])).epsilon(1e-12));
}

TEST_CASE("what has no expectation is refused") {
  Dice dice(74);
  const Plan lanes = random_plan(dice, {.lanes = true});
  CHECK_THROWS_WITH_AS(Expectation(lanes, second), doctest::Contains("sweep_random"), SpaceError);
  Plan free = random_plan(dice, {});
  free.variables[2].size = 0;
  CHECK_THROWS_WITH_AS(Expectation(free, second), doctest::Contains("'v2' is free"), SpaceError);
  Plan infinite = random_plan(dice, {.reals = 1});
  infinite.factors[0].reals[0][0] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(Expectation(infinite, real), doctest::Contains("not finite"), SpaceError);
  Plan refused = random_plan(dice, {});
  refused.factors.push_back({{}, 1, {{}, {}}, {}, {3}});
  CHECK_THROWS_AS(Expectation(refused, second), SpaceError);
}

TEST_CASE("what depends on too much together is refused") {
  Plan plan = chain(24);
  plan.factors.clear();
  for (VariableIndex left = 0; left < 24; ++left) {
    for (VariableIndex right = left + 1; right < 24; ++right) {
      plan.factors.push_back({{left, right}, 4, {{}}, {}, {0, 0, 0, 1}});
    }
  }
  CHECK_THROWS_AS(Expectation(plan, {.index = 0, .real = false}), SpaceError);
}

TEST_CASE("wrong probabilities are named") {
  const Expectation expectation(chain(3), {.index = 0, .real = false});
  std::vector<double> rows(6 * 700, 0.5);
  rows[6 * 400 + 3] = rows[6 * 600 + 1] = 0.25;
  for (const unsigned threads : {1U, 3U}) {
    CHECK_THROWS_WITH_AS(evaluate(expectation, rows, true, threads),
                         "row 400: the probabilities of 'v1' must sum to 1, got 0.75", SpaceError);
  }
  rows[6 * 400 + 3] = -0.5;
  CHECK_THROWS_WITH_AS(evaluate(expectation, rows),
                       "row 400: a probability of 'v1' must be finite and not negative, got -0.5",
                       SpaceError);
  rows[6 * 400 + 3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(evaluate(expectation, rows), SpaceError);
  CHECK_THROWS_AS(evaluate(expectation, rows, false), SpaceError);
  CHECK_THROWS_WITH_AS(evaluate(expectation, {0, 1, 0, 1, 0.5, 0.5}),
                       "row 0: no network that these probabilities allow is accepted", SpaceError);
}

}  // namespace netledger
