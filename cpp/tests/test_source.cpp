// Sources: each gives the costs of its configurations, wherever reading begins.
#include "space/source.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space/position_words.h"
#include "space_plans.h"
#include "swept_costs.h"

namespace netledger {

using namespace testing;

namespace {

struct Space {
  explicit Space(Plan given)
      : plan(std::move(given)),
        sweeper(plan),
        digits(plan),
        packed(digits, sweeper),
        candidates(digits, sweeper) {}
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
  Candidates candidates;
};

// Both ways of reading, of some rows in the middle.
void check_part(const Source& source, const Matrix& codes, std::uint64_t begin, std::size_t rows) {
  const auto reader = source.reader();
  SweptCosts costs(source.plan(), rows);
  reader->write(begin, rows, costs.columns());
  std::vector<TrueCost> expected;
  for (std::size_t row = 0; row < rows; ++row) {
    expected.push_back(true_cost(source.plan(), codes.row(begin + row)));
    costs.check_row(row, expected.back());
  }
  std::uint64_t next = begin;
  reader->read(begin, rows, [&](const CostBlock& block) {
    REQUIRE(block.first == next);
    next += block.rows;
    for (std::size_t row = 0; row < block.rows; ++row) {
      const TrueCost& cost = expected[block.first + row - begin];
      const Refusal refusal = block.refusals == nullptr ? accepted : block.refusals[row];
      REQUIRE(refusal == cost.refusal);
      if (refusal != accepted) continue;
      for (std::size_t metric = 0; metric < cost.metrics.size(); ++metric) {
        REQUIRE(block.metrics[metric][row] == cost.metrics[metric]);
      }
      for (std::size_t metric = 0; metric < cost.reals.size(); ++metric) {
        REQUIRE(block.reals[metric][row] == cost.reals[metric]);
      }
    }
  });
  REQUIRE(next == begin + rows);
}

PlanShape shape_of_round(int round, Dice& dice) {
  PlanShape shape;
  shape.variables = static_cast<std::size_t>(dice.roll(1, 9));
  shape.activities = 40;
  shape.refusals = round % 2 == 0 ? 30 : 0;
  shape.reals = round % 5 == 1 ? 1 : 0;
  shape.lanes = round % 5 == 2;
  shape.largest_value = round % 5 == 3 ? 1'000'000'000'000'000 : 1000;
  return shape;
}

}  // namespace

TEST_CASE("ranges of positions, from anywhere to anywhere") {
  Dice dice(51);
  for (int round = 0; round < 40; ++round) {
    const Space space(random_plan(dice, shape_of_round(round, dice)));
    const std::uint64_t count = space.positions();
    if (count == 0) continue;
    std::vector<std::uint16_t> start;
    std::uint64_t skipped = 0;
    for (const Digit& digit : space.digits.digits()) {
      start.push_back(static_cast<std::uint16_t>(dice.roll(0, digit.size - 1)));
      skipped = skipped * digit.size + start.back();
    }
    const std::uint64_t rows = std::min<std::uint64_t>(count - skipped, 20000);
    Matrix codes(rows, space.plan.variables.size(), CodeWidth::byte);
    space.digits.enumerate(start, rows, codes.output());
    const auto source = range_source(space.packed, start, rows);
    CHECK(source->rows() == rows);
    for (int part = 0; part < 4; ++part) {
      const auto begin = static_cast<std::uint64_t>(dice.roll(0, static_cast<std::int64_t>(rows)));
      check_part(*source, codes, begin, static_cast<std::size_t>(rows - begin));
    }
    CHECK_THROWS_AS(range_source(space.packed, start, count - skipped + 1), SpaceError);
  }
}

TEST_CASE("ranges whose last digit is in every table") {
  // The last variable is the context of all others: inner digits, outer ones, and both at once.
  Dice dice(52);
  for (const std::uint32_t last : {3U, 25U, 5000U}) {
    Plan plan;
    plan.metrics = {"a"};
    plan.constants = {1};
    for (const std::uint32_t size : {7U, 11U, 30U, 40U, last}) {
      plan.variables.push_back({"v", size, 0, 0});
    }
    plan.activities.resize(5);
    for (const std::vector<VariableIndex>& scope :
         {std::vector<VariableIndex>{0, 4}, {1, 4}, {2, 4}, {3, 4}, {0, 3}, {1, 2}, {0}, {3}}) {
      Factor factor{scope, entries_of(plan, scope), {{}}, {}, {}};
      for (std::size_t entry = 0; entry < factor.entries; ++entry) {
        factor.values[0].push_back(dice.roll(-99, 99));
      }
      plan.factors.push_back(std::move(factor));
    }
    const Space space(std::move(plan));
    REQUIRE(PositionWords::possible(space.packed));
    const std::vector<std::uint16_t> start{2, 3, 4, 38, 1};
    const std::size_t rows = last == 5000 ? 90000 : 20000;
    Matrix codes(rows, 5, CodeWidth::word);
    space.digits.enumerate(start, rows, codes.output());
    const auto source = range_source(space.packed, start, rows);
    check_part(*source, codes, 0, rows);
    check_part(*source, codes, rows - 5000, 5000);
  }
}

TEST_CASE("matrices of codes, packed ones and drawn ones") {
  Dice dice(53);
  for (int round = 0; round < 10; ++round) {
    const Space space(random_plan(dice, shape_of_round(round, dice)));
    const std::size_t columns = space.plan.variables.size();
    const Matrix codes(random_rows(space.plan, dice, 3000), columns, CodeWidth::byte);
    check_part(*codes_source(space.sweeper, codes.view()), codes, 100, 2900);

    if (space.positions() > 0) {
      const std::size_t rows = std::min<std::uint64_t>(space.positions(), 3000);
      const std::vector<std::uint16_t> start(space.digits.digits().size(), 0);
      Matrix listed(rows, columns, CodeWidth::byte);
      space.digits.enumerate(start, rows, listed.output());
      std::vector<std::uint16_t> packed(rows * start.size());
      space.digits.pack(listed.view(), 0, rows, packed.data());
      const CodeView view{
          packed.data(),  rows, start.size(), static_cast<std::ptrdiff_t>(2 * start.size()), 2,
          CodeWidth::word};
      check_part(*packed_source(space.packed, view), listed, rows / 3, rows - rows / 3);

      bool any = false;
      for (std::size_t row = 0; row < rows && !any; ++row) {
        any = true_cost(space.plan, listed.row(row)).refusal == accepted;
      }
      if (!any) continue;
      Matrix drawn(3000, columns, CodeWidth::byte);
      space.candidates.random(Law::genes, 5, 40, drawn.output());
      check_part(*random_source(space.candidates, space.sweeper, 3000, 5, Law::genes, 40), drawn, 7,
                 2993);
    }
  }
}

TEST_CASE("shapes are checked when a source is made") {
  Dice dice(54);
  const Space space(random_plan(dice, {}));
  CHECK_THROWS_AS(codes_source(space.sweeper, Matrix(1, 7, CodeWidth::byte).view()), SpaceError);
  CHECK_THROWS_AS(packed_source(space.packed, Matrix(1, 99, CodeWidth::word).view()), SpaceError);
  CHECK_THROWS_AS(packed_source(space.packed, Matrix(1, 6, CodeWidth::byte).view()), SpaceError);
  CHECK_THROWS_AS(values_source(space.sweeper, {}), SpaceError);
}

}  // namespace netledger
