// Sweeps: every way of counting gives what brute force does.
#include "space/sweep.h"

#include <cstdint>
#include <limits>
#include <string>
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

std::vector<Instructions> all_instructions() {
  std::vector<Instructions> all{Instructions::portable};
  if (best_instructions() >= Instructions::avx2) all.push_back(Instructions::avx2);
  if (best_instructions() >= Instructions::avx512) all.push_back(Instructions::avx512);
  return all;
}

SweptCosts swept(const Sweeper& sweeper, const CodeView& codes) {
  sweeper.check(codes);
  SweptCosts costs(sweeper.plan(), codes.rows);
  const auto workspace = sweeper.workspace();
  sweeper.sweep(codes, 0, codes.rows, costs.columns(), *workspace);
  return costs;
}

void check_every_way(const Plan& plan, std::span<const Row> rows) {
  const std::size_t columns = plan.variables.size();
  for (const Instructions instructions : all_instructions()) {
    const Sweeper sweeper(plan, instructions);
    for (const std::size_t gap : {std::size_t{0}, std::size_t{3}}) {
      if (sweeper.ranges().largest_code() < 256) {
        swept(sweeper, Matrix(rows, columns, CodeWidth::byte, gap).view()).check(plan, rows);
        swept(sweeper, Matrix(rows, columns, CodeWidth::byte, gap, true).view()).check(plan, rows);
      }
      swept(sweeper, Matrix(rows, columns, CodeWidth::word, gap).view()).check(plan, rows);
      swept(sweeper, Matrix(rows, columns, CodeWidth::word, gap, true).view()).check(plan, rows);
    }
  }
}

}  // namespace

TEST_CASE("sweeps agree with brute force on random plans") {
  Dice dice(1);
  for (int round = 0; round < 60; ++round) {
    PlanShape shape;
    shape.variables = static_cast<std::size_t>(dice.roll(1, 12));
    shape.metrics = static_cast<std::size_t>(dice.roll(1, 4));
    shape.reals = static_cast<std::size_t>(dice.roll(0, 2));
    shape.factors = static_cast<std::size_t>(dice.roll(0, 12));
    shape.refusals = round % 3 == 0 ? 30 : 0;
    shape.lanes = round % 5 == 0;
    shape.largest_size = round % 7 == 0 ? 300 : 5;
    if (shape.largest_size == 300) shape.factors = 2;
    // Past 32 bits, past what two metrics fit in a word with, and close to 64.
    shape.largest_value = round % 4 == 0 ? 1'000'000'000'000 : 1000;
    if (shape.largest_size == 300) shape.variables = 3;
    const Plan plan = random_plan(dice, shape);
    check_every_way(plan, random_rows(plan, dice, static_cast<std::size_t>(dice.roll(1, 700))));
  }
}

TEST_CASE("many variables and many tables take several chunks and groups") {
  Dice dice(2);
  for (int round = 0; round < 6; ++round) {
    PlanShape shape;
    shape.variables = 150;
    shape.factors = 300;
    shape.largest_size = round % 2 == 0 ? 3 : 40;
    shape.refusals = 1;
    const Plan plan = random_plan(dice, shape);
    check_every_way(plan, random_rows(plan, dice, 300));
  }
}

TEST_CASE("metrics share a word where they fit, and wrap where bounds prove the total") {
  Plan plan;
  plan.metrics = {"a", "b"};
  plan.constants = {std::numeric_limits<std::int64_t>::min(), -7};
  plan.bounds = {
      {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()},
      {-7, 100}};
  plan.variables = {{"x", 2, 0, 0}, {"y", 2, 0, 0}};
  plan.activities.resize(2);
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  plan.factors.push_back({{0}, 2, {{0, most - 10}, {1, 2}}, {}, {}});
  plan.factors.push_back({{1}, 2, {{-1, 5}, {10, 20}}, {}, {}});
  // x = 0, y = 0 would leave 64 bits; the others do not.
  const std::vector<Row> rows{{0, 1}, {1, 0}, {1, 1}};
  for (const Instructions instructions : all_instructions()) {
    const Sweeper sweeper(plan, instructions);
    const SweptCosts costs = swept(sweeper, Matrix(rows, 2, CodeWidth::byte).view());
    CHECK(costs.metrics[0] ==
          std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min() + 5, -12, -6});
    CHECK(costs.metrics[1] == std::vector<std::int64_t>{14, 5, 15});
  }
  plan.bounds.clear();
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
  // No entry of a table holds what passes 64 bits.
  plan.bounds = {{0, 1}, {0, 1}};
  plan.factors[1].values[0] = {20, 20};
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
}

TEST_CASE("codes out of range are refused with their place") {
  Dice dice(3);
  PlanShape shape;
  shape.variables = 70;
  shape.factors = 30;
  const Plan plan = random_plan(dice, shape);
  std::vector<Row> rows = random_rows(plan, dice, 600);
  for (const std::size_t row :
       {std::size_t{0}, std::size_t{255}, std::size_t{256}, std::size_t{599}}) {
    for (const std::size_t column :
         {std::size_t{0}, std::size_t{63}, std::size_t{64}, std::size_t{69}}) {
      auto wrong = rows;
      wrong[row][column] = plan.variables[column].size;
      const std::string text =
          "row " + std::to_string(row) + ": variable 'v" + std::to_string(column) + "' has " +
          std::to_string(plan.variables[column].size) + " choices, coded 0 to " +
          std::to_string(plan.variables[column].size - 1) + "; got " +
          std::to_string(plan.variables[column].size);
      for (const Instructions instructions : all_instructions()) {
        const Sweeper sweeper(plan, instructions);
        for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
          const Matrix codes(wrong, 70, width);
          CHECK_THROWS_WITH_AS(swept(sweeper, codes.view()), text.c_str(), SpaceError);
        }
      }
    }
  }
}

TEST_CASE("shapes are checked, and empty batches are fine") {
  Dice dice(4);
  const Plan plan = random_plan(dice, {});
  const Sweeper sweeper(plan);
  CHECK_THROWS_WITH_AS(sweeper.check(Matrix(2, 5, CodeWidth::byte).view()),
                       "codes have 5 columns; expected 6", SpaceError);
  CHECK(swept(sweeper, Matrix(0, 6, CodeWidth::byte).view()).refusals.empty());
}

TEST_CASE("part of a matrix is counted as the whole is") {
  Dice dice(5);
  const Plan plan = random_plan(dice, {});
  const std::vector<Row> rows = random_rows(plan, dice, 900);
  const Matrix codes(rows, 6, CodeWidth::byte);
  const Sweeper sweeper(plan);
  SweptCosts costs(plan, 900);
  const auto workspace = sweeper.workspace();
  sweeper.sweep(codes.view(), 500, 400, costs.columns().from(500), *workspace);
  for (std::size_t row = 500; row < 900; ++row) costs.check_row(row, true_cost(plan, rows[row]));
  CHECK(costs.refusals[499] == 77);
}

TEST_CASE("configurations by value may have free variables") {
  Dice dice(6);
  PlanShape shape;
  shape.variables = 4;
  shape.refusals = 20;
  Plan plan = random_plan(dice, shape);
  plan.variables.push_back({"free", 0, -5, 9});
  plan.activities.emplace_back();
  add_lanes(plan);
  std::vector<Row> rows;
  for (int row = 0; row < 500; ++row) {
    Row codes;
    for (std::size_t column = 0; column < 4; ++column) {
      codes.push_back(dice.roll(0, std::int64_t{plan.variables[column].size} - 1));
    }
    codes.push_back(dice.roll(-5, 9));
    rows.push_back(codes);
  }
  std::vector<std::vector<std::int64_t>> data(5);
  ValueColumns values;
  values.rows = rows.size();
  for (std::size_t column = 0; column < 5; ++column) {
    // Every other number is skipped.
    for (const Row& row : rows) {
      data[column].push_back(row[column]);
      data[column].push_back(-99);
    }
    values.data.push_back(data[column].data());
    values.strides.push_back(16);
  }
  const Sweeper sweeper(plan);
  sweeper.check(values);
  const auto workspace = sweeper.workspace();
  SweptCosts costs(plan, rows.size());
  sweeper.sweep(values, 0, rows.size(), costs.columns(), *workspace);
  costs.check(plan, rows);

  CHECK_THROWS_WITH_AS(sweeper.check(Matrix(1, 5, CodeWidth::byte).view()),
                       "variable 'free' is free: it has values, not codes; give columns by name",
                       SpaceError);
  data[4][600] = 10;
  CHECK_THROWS_WITH_AS(sweeper.sweep(values, 0, rows.size(), costs.columns(), *workspace),
                       "row 300: variable 'free' lies within -5 and 9; got 10", SpaceError);
  data[4][600] = 9;
  data[1][2] = -1;
  CHECK_THROWS_AS(sweeper.sweep(values, 0, rows.size(), costs.columns(), *workspace), SpaceError);
}

TEST_CASE("plans that do not add up are refused") {
  Plan plan;
  plan.metrics = {"a"};
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
  plan.constants = {0};
  plan.variables = {{"x", 3, 0, 0}};
  plan.activities.resize(1);
  plan.factors.push_back({{0}, 3, {{1, 2}}, {}, {}});
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
  plan.factors[0].values[0].push_back(3);
  CHECK_NOTHROW(Sweeper{plan});
  plan.factors[0].variables = {1};
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
  plan.factors.clear();
  plan.variables[0].size = 70000;
  CHECK_THROWS_AS(Sweeper{plan}, SpaceError);
}

}  // namespace netledger
