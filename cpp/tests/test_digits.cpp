// Digits: each network is one combination of them, in lexicographic order.
#include "space/digits.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"

namespace netledger {

using namespace testing;

namespace {

std::uint64_t positions_of(const Digits& digits) {
  std::uint64_t positions = 1;
  for (const Digit& digit : digits.digits()) positions *= digit.size;
  return positions;
}

// Whether some digit alone spells a configuration that a step refuses.
bool refused_within(const Digits& digits, const Plan& plan, const Row& row) {
  for (const Digit& digit : digits.digits()) {
    for (const Factor& factor : plan.factors) {
      if (factor.refusals.empty() || factor.variables.empty()) continue;
      if (!std::ranges::includes(digit.variables, factor.variables)) continue;
      if (factor.refusals[entry_at(plan, factor.variables, row)] != accepted) return true;
    }
  }
  return false;
}

Matrix enumerated(const Digits& digits, const std::vector<std::uint16_t>& start,
                  std::uint64_t count) {
  Matrix codes(count, digits.plan().variables.size(), CodeWidth::byte);
  digits.enumerate(start, count, codes.output());
  return codes;
}

}  // namespace

TEST_CASE("enumerations list each network once, and packing finds its place") {
  Dice dice(11);
  for (int round = 0; round < 40; ++round) {
    PlanShape shape;
    shape.variables = static_cast<std::size_t>(dice.roll(1, 6));
    shape.activities = 60;
    shape.refusals = round % 2 == 0 ? 40 : 0;
    const Plan plan = random_plan(dice, shape);
    const Digits digits(plan);
    REQUIRE(digits.whole());
    std::set<Row> expected;
    for (const Row& row : all_rows(plan)) {
      const Row canonical = true_canonical(plan, row);
      if (!refused_within(digits, plan, canonical)) expected.insert(canonical);
    }
    const std::uint64_t count = positions_of(digits);
    REQUIRE(count == expected.size());
    const std::size_t width = digits.digits().size();
    const Matrix codes = enumerated(digits, std::vector<std::uint16_t>(width, 0), count);
    std::vector<std::uint16_t> packed(count * width);
    digits.pack(codes.view(), 0, count, packed.data());
    std::set<Row> found;
    for (std::uint64_t position = 0; position < count; ++position) {
      found.insert(codes.row(position));
      std::uint64_t number = 0;
      for (std::size_t digit = 0; digit < width; ++digit) {
        number = number * digits.digits()[digit].size + packed[position * width + digit];
      }
      REQUIRE(number == position);
    }
    REQUIRE(found == expected);
  }
}

TEST_CASE("packing accepts any spelling, and unpacking gives the canonical one") {
  Dice dice(12);
  PlanShape shape;
  shape.activities = 70;
  const Plan plan = random_plan(dice, shape);
  const Digits digits(plan);
  const std::vector<Row> rows = random_rows(plan, dice, 700);
  std::vector<std::uint16_t> packed(700 * digits.digits().size());
  digits.pack(Matrix(rows, 6, CodeWidth::word, 1).view(), 0, 700, packed.data());
  const auto stride = static_cast<std::ptrdiff_t>(2 * digits.digits().size());
  Matrix codes(700, 6, CodeWidth::word);
  digits.unpack({packed.data(), 700, digits.digits().size(), stride, 2, CodeWidth::word}, 0, 700,
                codes.output());
  for (std::size_t row = 0; row < 700; ++row) {
    REQUIRE(codes.row(row) == true_canonical(plan, rows[row]));
  }
}

TEST_CASE("each digit's combinations are in lexicographic order, and digits by first variable") {
  Dice dice(13);
  PlanShape shape;
  shape.activities = 50;
  const Plan plan = random_plan(dice, shape);
  const Digits digits(plan);
  for (const Digit& digit : digits.digits()) {
    for (std::uint32_t code = 1; code < digit.size; ++code) {
      CHECK(std::ranges::lexicographical_compare(digit.combination(code - 1),
                                                 digit.combination(code)));
    }
  }
  for (std::size_t digit = 1; digit < digits.digits().size(); ++digit) {
    CHECK(digits.digits()[digit - 1].variables[0] < digits.digits()[digit].variables[0]);
  }
}

TEST_CASE("enumerations begin and end anywhere, with carries") {
  Dice dice(14);
  PlanShape shape;
  shape.variables = 7;
  const Plan plan = random_plan(dice, shape);
  const Digits digits(plan);
  const std::uint64_t count = positions_of(digits);
  const Matrix all = enumerated(digits, std::vector<std::uint16_t>(7, 0), count);
  for (int round = 0; round < 30; ++round) {
    const auto first =
        static_cast<std::uint64_t>(dice.roll(0, static_cast<std::int64_t>(count) - 1));
    std::vector<std::uint16_t> start(7);
    std::uint64_t rest = first;
    for (std::size_t digit = 7; digit-- > 0;) {
      start[digit] = static_cast<std::uint16_t>(rest % digits.digits()[digit].size);
      rest /= digits.digits()[digit].size;
    }
    const std::uint64_t rows = std::min<std::uint64_t>(count - first, 400);
    const Matrix some = enumerated(digits, start, rows);
    for (std::uint64_t row = 0; row < rows; ++row) REQUIRE(some.row(row) == all.row(first + row));
    CHECK_NOTHROW(digits.check_start(start, count - first));
    CHECK_THROWS_AS(digits.check_start(start, count - first + 1), SpaceError);
  }
}

TEST_CASE("a digit of 65536 choices counts up to its end") {
  Plan plan;
  plan.variables = {{"x", 2, 0, 0}, {"y", 65536, 0, 0}};
  plan.activities.resize(2);
  const Digits digits(plan);
  Matrix codes(3, 2, CodeWidth::word);
  digits.enumerate(std::vector<std::uint16_t>{0, 65534}, 3, codes.output());
  CHECK(codes.row(0) == Row{0, 65534});
  CHECK(codes.row(1) == Row{0, 65535});
  CHECK(codes.row(2) == Row{1, 0});
}

TEST_CASE("large components fall apart into variables, links join small ones") {
  Plan plan;
  // 2 + 2 * 300 * 300 canonical combinations: too many for a digit.
  plan.variables = {{"on", 2, 0, 0}, {"a", 300, 0, 0}, {"b", 300, 0, 0}, {"c", 4, 0, 0}};
  plan.activities.resize(4);
  plan.activities[1] = {{0}, {0, 1}};
  plan.activities[2] = {{0}, {0, 1}};
  const Digits large(plan);
  CHECK_FALSE(large.whole());
  CHECK(large.digits().size() == 4);
  CHECK(large.digits()[3].whole);

  plan.variables[1].size = 3;
  plan.variables[2].size = 5;
  const Digits small(plan);
  REQUIRE(small.digits().size() == 2);
  CHECK(small.digits()[0].size == 1 + 15);
  plan.links = {{2, 3}};
  const Digits linked(plan);
  REQUIRE(linked.digits().size() == 1);
  CHECK(linked.digits()[0].size == 16 * 4);
  // Too many together: they stay apart.
  plan.variables[3].size = 60000;
  CHECK(Digits(plan).digits().size() == 2);
  plan.links = {{9}};
  CHECK_THROWS_AS(Digits{plan}, SpaceError);
}

TEST_CASE("what refuses links the variables it looks at") {
  Plan plan;
  plan.variables = {{"x", 4, 0, 0}, {"y", 4, 0, 0}, {"z", 2, 0, 0}};
  plan.activities.resize(3);
  Factor rule{{0, 1}, 16, {}, {}, {}};
  for (Refusal x = 0; x < 4; ++x) {
    for (Refusal y = 0; y < 4; ++y) rule.refusals.push_back(x + y > 3 ? 3 : accepted);
  }
  plan.factors.push_back(rule);
  const Digits digits(plan);
  REQUIRE(digits.digits().size() == 2);
  CHECK(digits.digits()[0].size == 10);
  CHECK_FALSE(digits.may_refuse());
  const Matrix refused(std::vector<Row>{{0, 0, 0}, {3, 3, 1}}, 3, CodeWidth::byte);
  std::vector<std::uint16_t> packed(4);
  CHECK_THROWS_WITH_AS(
      digits.pack(refused.view(), 0, 2, packed.data()),
      "row 1: a step refuses the configuration by digit 0 alone; it cannot be packed", SpaceError);
}

TEST_CASE("digits out of range and free variables are refused") {
  Dice dice(15);
  Plan plan = random_plan(dice, {});
  const Digits digits(plan);
  const std::size_t width = digits.digits().size();
  Matrix packed(3, width, CodeWidth::word);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t digit = 0; digit < width; ++digit) packed.set(row, digit, 0);
  }
  Matrix codes(3, 6, CodeWidth::byte);
  CHECK_NOTHROW(digits.unpack(packed.view(), 0, 3, codes.output()));
  packed.set(2, 1, digits.digits()[1].size);
  CHECK_THROWS_AS(digits.unpack(packed.view(), 0, 3, codes.output()), SpaceError);
  CHECK_THROWS_AS(digits.check_start(std::vector<std::uint16_t>(width + 1), 1), SpaceError);
  Matrix narrow(3, 5, CodeWidth::byte);
  CHECK_THROWS_AS(digits.unpack(packed.view(), 0, 3, narrow.output()), SpaceError);
  plan.variables[2].size = 0;
  plan.factors.clear();
  CHECK_THROWS_AS(Digits{plan}, SpaceError);
}

}  // namespace netledger
