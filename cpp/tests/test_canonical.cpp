// Canonical spellings: inactive variables have the code 0.
#include "space/canonical.h"

#include <cstdint>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"

namespace netledger {

using namespace testing;

TEST_CASE("rows and columns become canonical, and those that were not are marked") {
  Dice dice(62);
  for (int round = 0; round < 20; ++round) {
    PlanShape shape;
    shape.activities = 70;
    const Plan plan = random_plan(dice, shape);
    const Canonicalizer canonicalizer(plan);
    const std::vector<Row> rows = random_rows(plan, dice, 200);
    CodeColumns columns(6);
    columns.read(Matrix(rows, 6, CodeWidth::byte).view(), 0, 200);
    std::vector<std::uint8_t> changes(200);
    canonicalizer.mark(columns, 200, changes.data());
    canonicalizer.apply(columns, 200);
    for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
      Matrix codes(rows, 6, width);
      canonicalizer.apply(codes.output());
      for (std::size_t row = 0; row < 200; ++row) {
        const Row expected = true_canonical(plan, rows[row]);
        REQUIRE(codes.row(row) == expected);
        REQUIRE((changes[row] != 0) == (expected != rows[row]));
        for (std::size_t variable = 0; variable < 6; ++variable) {
          REQUIRE(columns.column(variable)[row] == expected[variable]);
        }
      }
    }
  }
}

TEST_CASE("activities that do not fit the variables are refused") {
  Plan plan;
  plan.variables = {{"x", 2, 0, 0}, {"y", 3, 0, 0}};
  CHECK_THROWS_AS(Canonicalizer{plan}, SpaceError);
  plan.activities.resize(2);
  CHECK(Canonicalizer(plan).trivial());
  plan.activities[0] = {{1}, {1, 1, 0}};
  CHECK_THROWS_AS(Canonicalizer{plan}, SpaceError);
  plan.activities[0] = {};
  plan.activities[1] = {{0}, {1, 1, 0}};
  CHECK_THROWS_AS(Canonicalizer{plan}, SpaceError);
  plan.activities[1] = {{0}, {1, 0}};
  CHECK_FALSE(Canonicalizer(plan).trivial());
  CHECK_FALSE(Canonicalizer(plan).active(1, std::vector<std::uint16_t>{1, 0}));
}

}  // namespace netledger
