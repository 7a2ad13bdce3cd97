// Packed sweeps and positions: what their configurations cost by brute force.
#include "space/packed.h"

#include <algorithm>
#include <cstdint>
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

struct Space {
  explicit Space(Plan given)
      : plan(std::move(given)), sweeper(plan), digits(plan), packed(digits, sweeper) {}
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  Space(Space&&) = delete;
  Space& operator=(Space&&) = delete;
  ~Space() = default;

  [[nodiscard]] std::uint64_t positions() const {
    std::uint64_t count = 1;
    for (const Digit& digit : digits.digits()) count *= digit.size;
    return count;
  }

  Plan plan;
  Sweeper sweeper;
  Digits digits;
  PackedSweeper packed;
};

void check_packed(const Space& space, const std::vector<Row>& rows) {
  const std::size_t width = space.digits.digits().size();
  Matrix codes(rows, space.plan.variables.size(), CodeWidth::word);
  std::vector<std::uint16_t> packed(rows.size() * width);
  space.digits.pack(codes.view(), 0, rows.size(), packed.data());
  std::vector<Row> packed_rows(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    packed_rows[row].assign(packed.begin() + static_cast<std::ptrdiff_t>(row * width),
                            packed.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
  }
  for (const std::size_t gap : {std::size_t{0}, std::size_t{1}}) {
    for (const bool by_column : {false, true}) {
      const Matrix matrix(packed_rows, width, CodeWidth::word, gap, by_column);
      SweptCosts costs(space.plan, rows.size());
      const auto workspace = space.packed.workspace();
      space.packed.check(matrix.view());
      space.packed.sweep(matrix.view(), 0, rows.size(), costs.columns(), *workspace);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        costs.check_row(row, true_cost(space.plan, true_canonical(space.plan, rows[row])));
      }
    }
  }
}

}  // namespace

TEST_CASE("packed sweeps agree with brute force") {
  Dice dice(21);
  for (int round = 0; round < 30; ++round) {
    PlanShape shape;
    shape.variables = static_cast<std::size_t>(dice.roll(1, 9));
    shape.activities = 40;
    shape.reals = round % 6 == 1 ? 1 : 0;
    shape.lanes = round % 6 == 2;
    shape.largest_value = round % 6 == 3 ? 1'000'000'000'000'000 : 1000;
    const Space space(random_plan(dice, shape));
    CHECK((space.packed.tables() != nullptr) == (!shape.lanes && shape.reals == 0));
    check_packed(space, random_rows(space.plan, dice, 600));
  }
}

TEST_CASE("positions agree with brute force, refused or spelled otherwise") {
  Dice dice(22);
  for (int round = 0; round < 30; ++round) {
    PlanShape shape;
    shape.variables = static_cast<std::size_t>(dice.roll(1, 7));
    shape.refusals = round % 2 == 0 ? 30 : 0;
    shape.activities = 40;
    shape.lanes = round % 5 == 0;
    const Space space(random_plan(dice, shape));
    const std::uint64_t count = space.positions();
    const std::vector<std::uint16_t> start(space.digits.digits().size(), 0);
    Matrix codes(count, space.plan.variables.size(), CodeWidth::byte);
    space.digits.enumerate(start, count, codes.output());
    SweptCosts costs(space.plan, count);
    const auto workspace = space.packed.workspace();
    space.packed.sweep_positions(start, 0, count, costs.columns(), *workspace);
    for (std::size_t row = 0; row < count; ++row) {
      costs.check_row(row, true_cost(space.plan, codes.row(row)));
    }
  }
}

TEST_CASE("positions of large components that are not canonical are refused as such") {
  Plan plan;
  plan.metrics = {"a"};
  plan.constants = {5};
  plan.variables = {{"on", 2, 0, 0}, {"x", 256, 0, 0}, {"y", 257, 0, 0}};
  plan.activities.resize(3);
  plan.activities[1] = {{0}, {0, 1}};
  plan.activities[2] = {{0}, {0, 1}};
  const Space space(std::move(plan));
  REQUIRE_FALSE(space.digits.whole());
  SweptCosts costs(space.plan, 300);
  const auto workspace = space.packed.workspace();
  space.packed.sweep_positions(std::vector<std::uint16_t>{0, 0, 0}, 0, 300, costs.columns(),
                               *workspace);
  CHECK(costs.refusals[0] == accepted);
  CHECK(costs.metrics[0][0] == 5);
  for (std::size_t row = 1; row < 300; ++row) {
    CHECK(costs.refusals[row] == not_canonical);
    CHECK(costs.metrics[0][row] == -1);
  }
  space.packed.sweep_positions(std::vector<std::uint16_t>{1, 0, 0}, 0, 300, costs.columns(),
                               *workspace);
  for (std::size_t row = 0; row < 300; ++row) CHECK(costs.metrics[0][row] == 5);
}

TEST_CASE("large tables over two digits become products, whichever digit is larger") {
  Dice dice(23);
  for (const bool context_first : {false, true}) {
    // Costs (3 a + 1) * r^2 + a * r + constant, and a second metric of a alone.
    Plan plan;
    plan.metrics = {"macs", "params"};
    plan.constants = {3, 4};
    const VariableIndex context = context_first ? 0 : 11;
    for (VariableIndex variable = 0; variable < 12; ++variable) {
      plan.variables.push_back({"v", variable == context ? 20U : 700U, 0, 0});
    }
    plan.activities.resize(12);
    for (VariableIndex variable = 0; variable < 12; ++variable) {
      if (variable == context) continue;
      Factor factor;
      factor.variables = {std::min(variable, context), std::max(variable, context)};
      factor.entries = 14000;
      factor.values.resize(2);
      for (std::int64_t first = 0; first < (context_first ? 20 : 700); ++first) {
        for (std::int64_t second = 0; second < (context_first ? 700 : 20); ++second) {
          const std::int64_t r = context_first ? first : second;
          const std::int64_t a = (context_first ? second : first) * 7919 % 701;
          factor.values[0].push_back((3 * a + 1) * r * r + a * r + 17);
          factor.values[1].push_back(a * a);
        }
      }
      plan.factors.push_back(std::move(factor));
    }
    const Space space(std::move(plan));
    REQUIRE(space.packed.tables() != nullptr);
    for (const DigitTable& table : space.packed.tables()->tables())
      CHECK(table.products != nullptr);
    CHECK(space.packed.tables()->product_groups().size() == 2);
    check_packed(space, random_rows(space.plan, dice, 700));
  }
}

TEST_CASE("digits out of range are refused with their place") {
  Dice dice(24);
  const Space space(random_plan(dice, {}));
  const std::size_t width = space.digits.digits().size();
  std::vector<Row> rows(300, Row(width, 0));
  rows[290][2] = space.digits.digits()[2].size;
  SweptCosts costs(space.plan, 300);
  const auto workspace = space.packed.workspace();
  const std::string text = "row 290: digit 2 has " + std::to_string(rows[290][2]) +
                           " choices, coded 0 to " + std::to_string(rows[290][2] - 1) + "; got " +
                           std::to_string(rows[290][2]);
  for (const bool by_column : {false, true}) {
    const Matrix packed(rows, width, CodeWidth::word, 0, by_column);
    CHECK_THROWS_WITH_AS(space.packed.sweep(packed.view(), 0, 300, costs.columns(), *workspace),
                         text.c_str(), SpaceError);
  }
  CHECK_THROWS_AS(space.packed.check(Matrix(1, width + 1, CodeWidth::word).view()), SpaceError);
}

}  // namespace netledger
