// Quantities: constants fold on the spot, conditions on constants are known at once.
#include "quantity/quantity.h"

#include <array>
#include <cstdint>
#include <limits>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "quantity/program.h"

namespace netledger {

namespace {

constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

std::int64_t folded(const Quantity& quantity) {
  REQUIRE(quantity.is_constant());
  return quantity.constant();
}

bool known(const Condition& condition) {
  REQUIRE(condition.known());
  CHECK(condition.holds() == (folded(condition.truth()) == 1));
  return condition.holds();
}

}  // namespace

TEST_CASE("arithmetic on constants folds") {
  const Quantity left = 17;
  const Quantity right = -5;
  CHECK(folded(left + right) == 12);
  CHECK(folded(left - right) == 22);
  CHECK(folded(left * right) == -85);
  CHECK(folded(left / right) == -4);
  CHECK(folded(left % right) == -3);
  CHECK(folded(ceil_divide(left, right)) == -3);
  CHECK(folded(minimum(left, right)) == -5);
  CHECK(folded(minimum(right, left)) == -5);
  CHECK(folded(maximum(left, right)) == 17);
  CHECK(folded(maximum(right, left)) == 17);
  CHECK(folded(greatest_common_divisor(51, left)) == 17);
  CHECK(left.program() == nullptr);
}

TEST_CASE("assignments fold too") {
  Quantity quantity = 10;
  quantity += 5;
  CHECK(folded(quantity) == 15);
  quantity -= 3;
  CHECK(folded(quantity) == 12);
  quantity *= quantity;
  CHECK(folded(quantity) == 144);
}

TEST_CASE("folding is checked") {
  const Quantity most = highest;
  CHECK_THROWS_AS(most + 1, CountOverflow);
  CHECK_THROWS_AS(most * 2, CountOverflow);
  CHECK_THROWS_AS(Quantity(checked::lowest) - 1, CountOverflow);
  CHECK_THROWS_AS(most / 0, DivisionByZero);
  CHECK_THROWS_AS(most % 0, DivisionByZero);
  CHECK_THROWS_AS(ceil_divide(most, 0), DivisionByZero);
}

TEST_CASE("comparisons of constants are known") {
  const Quantity three = 3;
  const Quantity four = 4;
  CHECK(known(three == 3));
  CHECK_FALSE(known(three == four));
  CHECK(known(three < four));
  CHECK_FALSE(known(four < three));
  CHECK_FALSE(known(three < 3));
  CHECK(known(three <= four));
  CHECK(known(three <= 3));
  CHECK_FALSE(known(four <= three));
  CHECK(known(four > three));
  CHECK_FALSE(known(three > 3));
  CHECK(known(three >= 3));
  CHECK_FALSE(known(three >= four));
}

TEST_CASE("conditions combine as logic does") {
  for (const bool left : {false, true}) {
    CHECK(known(negation(left)) == !left);
    for (const bool right : {false, true}) {
      CAPTURE(left);
      CAPTURE(right);
      CHECK(known(both(left, right)) == (left && right));
      CHECK(known(either(left, right)) == (left || right));
    }
  }
}

TEST_CASE("a known condition selects at once") {
  CHECK(folded(select(true, 1, 2)) == 1);
  CHECK(folded(select(false, 1, 2)) == 2);
  Program program;
  const Quantity x = program.variable("x");
  CHECK(select(true, x, 2).same_as(x));
  CHECK(folded(select(false, x, 2)) == 2);
}

TEST_CASE("a condition on a variable is not known and does not hold") {
  Program program;
  const Quantity x = program.variable("x");
  const Condition positive = x > 0;
  CHECK_FALSE(positive.known());
  CHECK_FALSE(positive.holds());
  CHECK_FALSE(negation(positive).known());
  // What one side decides is decided.
  CHECK_FALSE(known(both(positive, false)));
  CHECK_FALSE(both(positive, true).known());
  CHECK(both(positive, true).truth().same_as(positive.truth()));
}

TEST_CASE("only equal constants, or one expression, are the same") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  CHECK(Quantity(4).same_as(4));
  CHECK_FALSE(Quantity(4).same_as(5));
  CHECK(x.same_as(program.at(x.expression())));
  CHECK_FALSE(x.same_as(y));
  // An expression's id is not a number.
  const Quantity number = static_cast<std::int64_t>(y.expression());
  CHECK_FALSE(y.same_as(number));
  CHECK_FALSE(y.is(static_cast<std::int64_t>(y.expression())));
  CHECK(Quantity(9).is(9));
  CHECK_FALSE(Quantity(9).is(8));
}

TEST_CASE("ceil_log2 is the depth of a binary tree") {
  CHECK(folded(ceil_log2(0)) == 0);
  CHECK(folded(ceil_log2(1)) == 0);
  for (std::int64_t leaves = 2; leaves <= 1100; ++leaves) {
    std::int64_t depth = 0;
    while ((std::int64_t{1} << depth) < leaves) ++depth;
    CAPTURE(leaves);
    CHECK(folded(ceil_log2(leaves)) == depth);
  }
  const std::int64_t large = std::int64_t{1} << 61;
  CHECK(folded(ceil_log2(large - 1)) == 61);
  CHECK(folded(ceil_log2(large)) == 61);
  CHECK(folded(ceil_log2(large + 1)) == 62);
  CHECK(folded(ceil_log2(2 * large)) == 62);
  CHECK(folded(ceil_log2(highest)) == 63);
}

TEST_CASE("the greatest common divisor") {
  CHECK(folded(greatest_common_divisor(0, 0)) == 0);
  CHECK(folded(greatest_common_divisor(-8, 12)) == 4);
  for (std::int64_t left = 1; left <= 30; ++left) {
    for (std::int64_t right = 1; right <= 30; ++right) {
      std::int64_t largest = 1;
      for (std::int64_t divisor = 1; divisor <= left; ++divisor) {
        if (left % divisor == 0 && right % divisor == 0) largest = divisor;
      }
      CHECK(folded(greatest_common_divisor(left, right)) == largest);
    }
  }
}

TEST_CASE("a product of no factors is 1") {
  CHECK(folded(product({})) == 1);
  const std::array<Quantity, 3> factors = {2, 3, 7};
  CHECK(folded(product(factors)) == 42);
  const std::array<Quantity, 2> large = {highest, 2};
  CHECK_THROWS_AS(product(large), CountOverflow);
}

}  // namespace netledger
