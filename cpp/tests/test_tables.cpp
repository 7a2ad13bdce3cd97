// Tables: merged factors add up to the same, within their limits.
#include "space/tables.h"

#include <cstdint>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space_plans.h"

namespace netledger {

using namespace testing;

namespace {

std::vector<std::uint32_t> sizes_of(const Plan& plan) {
  std::vector<std::uint32_t> sizes;
  for (const PlanVariable& variable : plan.variables) sizes.push_back(variable.size);
  return sizes;
}

}  // namespace

TEST_CASE("the first of two refusals") {
  CHECK(first_refusal(accepted, accepted) == accepted);
  CHECK(first_refusal(3, accepted) == 3);
  CHECK(first_refusal(accepted, not_canonical) == not_canonical);
  CHECK(first_refusal(7, 4) == 4);
}

TEST_CASE("merged factors have the same sums and first refusals") {
  Dice dice(63);
  for (int round = 0; round < 20; ++round) {
    PlanShape shape;
    shape.refusals = 40;
    shape.reals = 1;
    Plan plan = random_plan(dice, shape);
    const auto sizes = sizes_of(plan);
    const TableLimits limits{static_cast<std::size_t>(dice.roll(0, 300)), 1000};
    const std::size_t before = plan.factors.size();
    Plan merged = random_plan(dice, {});
    merged.variables = plan.variables;
    merged.constants = plan.constants;
    merged.real_constants = plan.real_constants;
    merged.factors = merge_factors(plan.factors, sizes, limits);
    CHECK(merged.factors.size() <= before);
    for (const Row& row : random_rows(plan, dice, 200)) {
      const TrueCost one = true_cost(plan, row);
      const TrueCost other = true_cost(merged, row);
      REQUIRE(one.refusal == other.refusal);
      REQUIRE(one.metrics == other.metrics);
      REQUIRE(one.reals == other.reals);
    }
  }
}

TEST_CASE("parts are absorbed, and pairs merged while tables stay small") {
  const std::vector<std::uint32_t> sizes{10, 10, 10, 10};
  const auto factor = [](std::vector<VariableIndex> variables, std::size_t entries) {
    return Factor{std::move(variables), entries, {std::vector<std::int64_t>(entries, 1)}, {}, {}};
  };
  const std::vector<Factor> factors{factor({0}, 10), factor({0, 1}, 100), factor({2}, 10),
                                    factor({3}, 10), factor({}, 1)};
  const auto absorbed = merge_factors(factors, sizes, {0, 0});
  REQUIRE(absorbed.size() == 3);
  CHECK(absorbed[0].variables == std::vector<VariableIndex>{0, 1});
  const auto small = merge_factors(factors, sizes, {100, 1000});
  REQUIRE(small.size() == 2);
  CHECK(small[1].variables == std::vector<VariableIndex>{2, 3});
  CHECK(merge_factors(factors, sizes, {10000, 10000}).size() == 1);
  CHECK(merge_factors(factors, sizes, {10000, 150}).size() == 3);
}

TEST_CASE("metrics share words where their sums are proven to fit") {
  Plan plan;
  plan.metrics = {"a", "b", "c"};
  plan.constants = {0, 0, 0};
  plan.variables = {{"x", 2, 0, 0}};
  plan.activities.resize(1);
  plan.factors.push_back({{0}, 2, {{0, 1}, {5, 5}, {-3, 4}}, {}, {}});
  const CostTables one(plan, plan.factors, sizes_of(plan));
  CHECK(one.words_per_entry() == 1);
  CHECK(one.fields()[0].total(one.words() + 1) == 1);
  CHECK(one.fields()[1].total(one.words()) == 5);
  CHECK(one.fields()[2].total(one.words()) == -3);
  plan.factors[0].values[0] = {0, std::int64_t{1} << 62U};
  const CostTables two(plan, plan.factors, sizes_of(plan));
  CHECK(two.words_per_entry() == 2);
  CHECK(two.fields()[0].total(two.words() + 2) == std::int64_t{1} << 62U);
  CHECK(two.fields()[2].total(two.words() + 2) == 4);
}

TEST_CASE("entries of a part follow its variables") {
  const std::vector<std::uint32_t> sizes{2, 3, 2};
  const std::vector<VariableIndex> all{0, 1, 2};
  const std::vector<VariableIndex> part{0, 2};
  CHECK(entries_of_part(part, all, sizes) ==
        std::vector<std::uint32_t>{0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3});
  CHECK(entries_of_part({}, part, sizes) == std::vector<std::uint32_t>(4, 0));
}

}  // namespace netledger
