// Completions: the same counts as by listing everything.
#include "space/completions.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"

namespace netledger {

using namespace testing;

TEST_CASE("counts of completions agree with brute force, whatever comes first") {
  Dice dice(65);
  for (int round = 0; round < 25; ++round) {
    PlanShape shape;
    shape.variables = 6;
    shape.largest_size = 3;
    shape.activities = 60;
    shape.refusals = 50;
    const Plan plan = random_plan(dice, shape);
    std::vector<VariableIndex> variables(6);
    std::iota(variables.begin(), variables.end(), VariableIndex{0});
    const Completions completions(plan, variables);
    std::vector<Row> networks;
    for (const Row& row : all_rows(plan)) {
      if (true_canonical(plan, row) == row && true_cost(plan, row).refusal == accepted) {
        networks.push_back(row);
      }
    }
    REQUIRE(completions.total() == networks.size());
    if (networks.empty()) continue;
    const Row& path = networks[networks.size() / 2];
    std::vector<std::uint16_t> codes(6);
    std::vector<Wide> weights;
    for (std::size_t place = 0; place < 6; ++place) {
      completions.weigh(place, codes, weights);
      REQUIRE(weights.size() == plan.variables[place].size);
      for (std::int64_t code = 0; code < plan.variables[place].size; ++code) {
        const auto count = std::ranges::count_if(networks, [&](const Row& row) {
          return row[place] == code &&
                 std::equal(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(place),
                            path.begin());
        });
        REQUIRE(weights[static_cast<std::size_t>(code)] == static_cast<Wide>(count));
      }
      codes[place] = static_cast<std::uint16_t>(path[place]);
    }
  }
}

TEST_CASE("counts beyond 128 bits and tables beyond 2^24 entries are refused") {
  Plan plan;
  std::vector<VariableIndex> variables;
  for (VariableIndex variable = 0; variable < 9; ++variable) {
    plan.variables.push_back({"v", 60000, 0, 0});
    variables.push_back(variable);
  }
  plan.activities.resize(9);
  CHECK_THROWS_AS((void)Completions(plan, variables).total(), SpaceError);
  plan.variables[0].size = plan.variables[1].size = 300;
  plan.variables[2].size = 200;
  plan.activities[3] = {{0, 1, 2}, std::vector<std::uint8_t>(300 * 300 * 200, 1)};
  CHECK_THROWS_AS(Completions(plan, std::vector<VariableIndex>{0, 1, 2, 3}), SpaceError);
}

}  // namespace netledger
