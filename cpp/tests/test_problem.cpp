// Problems: what a question allows and costs is that of the plan's rows.
#include "query/problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/elimination.h"
#include "space/error.h"
#include "tests/query_plans.h"

namespace netledger {

using testing::all_rows;
using testing::codes_of;
using testing::Dice;
using testing::factor_of;
using testing::plan_of;
using testing::random_question;
using testing::random_space;
using testing::Row;
using testing::Truth;

namespace {

// What the potentials say of a row.
void check_problem(const Plan& plan, const Problem& problem, const Truth& truth) {
  for (const Row& row : all_rows(plan)) {
    const auto codes = codes_of(row);
    MetricCosts costs{problem.constants()[0], problem.constants()[1]};
    const bool is_there =
        std::ranges::all_of(problem.potentials(), [&](const Potential& potential) {
          return BucketCosts::add(problem, potential, codes, costs);
        });
    const auto* const network = truth.find(codes);
    REQUIRE(is_there == (network != nullptr));
    if (network == nullptr) continue;
    CHECK(costs[0] == network->cost);
    CHECK(costs[1] == network->other);
  }
  for (const Potential& potential : problem.potentials()) {
    CHECK(std::ranges::is_sorted(potential.variables));
    CHECK(potential.entries == testing::entries_of(plan, potential.variables));
    CHECK((potential.allowed.empty() || potential.allowed.size() == potential.entries));
    for (const auto& costs : potential.costs) {
      CHECK((costs.empty() || costs.size() == potential.entries));
      CHECK(std::ranges::all_of(costs, [](std::int64_t cost) { return cost >= 0; }));
    }
  }
}

}  // namespace

TEST_CASE("problems say of every row what the plan says") {
  Dice dice(20);
  for (int round = 0; round < 400; ++round) {
    const Plan plan = random_space(dice);
    Question question = random_question(dice, plan);
    const Problem problem(plan, question);
    check_problem(plan, problem, Truth(plan, question));
    // One restriction more.
    Restriction restriction;
    restriction.variable = static_cast<VariableIndex>(
        dice.roll(0, static_cast<std::int64_t>(plan.variables.size()) - 1));
    restriction.inactive = dice.chance(50);
    for (std::uint32_t code = 0; code < plan.variables[restriction.variable].size; ++code) {
      if (dice.chance(50)) restriction.codes.push_back(code);
    }
    question.restrictions.push_back(restriction);
    check_problem(plan, problem.restricted(plan, restriction), Truth(plan, question));
  }
}

TEST_CASE("under genes a constraint looks at what the codes stand for") {
  Plan plan = plan_of({2, 3}, 2);
  plan.activities[1] = {{0}, {0, 1}};
  Question question;
  question.metrics = {0, 1};
  question.law = Law::genes;
  // Only networks whose second variable has the code 0, which is what inactive ones have.
  question.constraints.push_back({{1}, {1, 0, 0}});
  const Truth truth(plan, question);
  REQUIRE(truth.networks.size() == 4);
  check_problem(plan, Problem(plan, question), truth);
  question.constraints.front() = {{0, 1}, {0, 1, 1, 1, 1, 1}};
  const Truth none(plan, question);
  REQUIRE(none.networks.size() == 3);
  check_problem(plan, Problem(plan, question), none);
}

TEST_CASE("entries and codes") {
  const Plan plan = plan_of({2, 3, 4});
  const Problem problem(plan, Question{.metrics = {0}, .restrictions = {}, .constraints = {}});
  const std::vector<VariableIndex> ends{0, 2};
  std::vector<std::uint16_t> codes(3);
  for (std::size_t entry = 0; entry < 8; ++entry) {
    problem.set_codes(ends, entry, codes);
    CHECK(codes[0] == entry / 4);
    CHECK(codes[1] == 0);
    CHECK(codes[2] == entry % 4);
    CHECK(problem.entry(ends, codes) == entry);
  }
  CHECK(problem.entries(ends, 8) == 8);
  CHECK_FALSE(problem.entries(ends, 7).has_value());
  CHECK(problem.entries({}, 1) == 1);
  CHECK(problem.entry({}, codes) == 0);
}

TEST_CASE("what is no sum of tables, and what does not fit, is refused") {
  Question question;
  question.metrics = {0};
  Plan plan = plan_of({2, 3});
  const auto refuses = [&](const Plan& of, const Question& asked) {
    CHECK_THROWS_AS(Problem(of, asked), SpaceError);
  };
  CHECK(Problem(plan, question).names() == std::vector<std::string>{"metric0"});
  plan.bounds[0] = {0, Problem::largest_total + 1};
  refuses(plan, question);
  plan.bounds[0] = {-Problem::largest_total - 1, 0};
  refuses(plan, question);
  // No matter to other questions.
  CHECK(Problem(plan, Question{.metrics = {}, .restrictions = {}, .constraints = {}})
            .constants()
            .empty());
  plan.bounds[0] = {-Problem::largest_total, Problem::largest_total};
  CHECK(Problem(plan, question).constants().size() == 1);

  Plan free = plan_of({2, 3});
  free.variables[1] = {"free", 0, 1, 9};
  refuses(free, question);
  Plan lanes = plan_of({2, 3});
  testing::add_lanes(lanes);
  refuses(lanes, question);

  const auto with = [&](const Restriction& restriction) {
    Question asked = question;
    asked.restrictions.push_back(restriction);
    return asked;
  };
  refuses(plan, with({.variable = 2, .codes = {0}, .inactive = false}));
  refuses(plan, with({.variable = 0, .codes = {0, 2}, .inactive = false}));
  const Problem problem(plan, question);
  CHECK_THROWS_AS(problem.restricted(plan, {.variable = 7, .codes = {}, .inactive = true}),
                  SpaceError);
  CHECK_THROWS_AS(problem.restricted(plan, {.variable = 1, .codes = {3}, .inactive = true}),
                  SpaceError);

  const auto constrained = [&](const Constraint& constraint) {
    Question asked = question;
    asked.constraints.push_back(constraint);
    return asked;
  };
  refuses(plan, constrained({{0}, {1}}));
  refuses(plan, constrained({{0}, {1, 1, 1}}));
  refuses(plan, constrained({{1, 0}, {1, 1, 1, 1, 1, 1}}));
  refuses(plan, constrained({{0, 0}, {1, 1, 1, 1}}));
  refuses(plan, constrained({{2}, {1}}));
  refuses(plan, constrained({{}, {}}));
  CHECK(Problem(plan, constrained({{0, 1}, {1, 1, 1, 1, 1, 0}})).potentials().size() == 1);
}

}  // namespace netledger
