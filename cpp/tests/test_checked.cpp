// Checked arithmetic: exact up to its limits, an error one step beyond.
#include "quantity/checked.h"

#include <cstdint>
#include <limits>
#include <string>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

namespace netledger {

namespace {

constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t power(int exponent) { return std::int64_t{1} << exponent; }

}  // namespace

TEST_CASE("the lowest 2^32 values are kept free") {
  CHECK(checked::lowest == std::numeric_limits<std::int64_t>::min() + 4294967296);
  CHECK(checked::lowest == -9223372032559808512);
}

TEST_CASE("sums are exact up to the limits") {
  CHECK(checked::add(2, 3) == 5);
  CHECK(checked::add(highest, 0) == highest);
  CHECK(checked::add(highest - 1, 1) == highest);
  CHECK(checked::add(highest, checked::lowest) == 4294967295);
  CHECK(checked::add(checked::lowest, 0) == checked::lowest);
  CHECK_THROWS_AS(checked::add(highest, 1), CountOverflow);
  CHECK_THROWS_AS(checked::add(highest, highest), CountOverflow);
  CHECK_THROWS_AS(checked::add(checked::lowest, -1), CountOverflow);
  CHECK_THROWS_AS(checked::add(checked::lowest, checked::lowest), CountOverflow);
}

TEST_CASE("differences are exact up to the limits") {
  CHECK(checked::subtract(2, 3) == -1);
  CHECK(checked::subtract(highest, highest) == 0);
  CHECK(checked::subtract(checked::lowest + 1, 1) == checked::lowest);
  CHECK(checked::subtract(0, checked::lowest) == 9223372032559808512);
  CHECK_THROWS_AS(checked::subtract(checked::lowest, 1), CountOverflow);
  CHECK_THROWS_AS(checked::subtract(highest, -1), CountOverflow);
  CHECK_THROWS_AS(checked::subtract(0, highest), CountOverflow);
}

TEST_CASE("products are exact up to the limits") {
  CHECK(checked::multiply(-7, 6) == -42);
  CHECK(checked::multiply(power(31), power(31)) == power(62));
  // 3037000499 is the largest integer whose square fits.
  CHECK(checked::multiply(3037000499, 3037000499) == 9223372030926249001);
  CHECK_THROWS_AS(checked::multiply(3037000500, 3037000500), CountOverflow);
  CHECK_THROWS_AS(checked::multiply(power(32), power(31)), CountOverflow);
  CHECK(checked::multiply(highest, 1) == highest);
  CHECK_THROWS_AS(checked::multiply(highest, 2), CountOverflow);
  CHECK(checked::multiply(checked::lowest, 1) == checked::lowest);
  CHECK(checked::multiply(checked::lowest, -1) == 9223372032559808512);
  // -2^63 fits 64 bits, but lies among the values that are kept free.
  CHECK_THROWS_AS(checked::multiply(-power(32), power(31)), CountOverflow);
  CHECK_THROWS_AS(checked::multiply(highest, -1), CountOverflow);
  CHECK(checked::multiply(highest, 0) == 0);
}

TEST_CASE("an overflow says so") {
  CHECK_THROWS_WITH(checked::add(highest, 1), "a count does not fit a 64-bit integer");
}

TEST_CASE("floor, ceil and modulo have Python's signs") {
  CHECK(checked::floor_divide(7, 2) == 3);
  CHECK(checked::floor_divide(-7, 2) == -4);
  CHECK(checked::floor_divide(7, -2) == -4);
  CHECK(checked::floor_divide(-7, -2) == 3);
  CHECK(checked::ceil_divide(7, 2) == 4);
  CHECK(checked::ceil_divide(-7, 2) == -3);
  CHECK(checked::ceil_divide(7, -2) == -3);
  CHECK(checked::ceil_divide(-7, -2) == 4);
  CHECK(checked::modulo(7, 3) == 1);
  CHECK(checked::modulo(-7, 3) == 2);
  CHECK(checked::modulo(7, -3) == -2);
  CHECK(checked::modulo(-7, -3) == -1);
}

TEST_CASE("quotient and remainder belong together") {
  for (std::int64_t left = -30; left <= 30; ++left) {
    for (std::int64_t right = -9; right <= 9; ++right) {
      if (right == 0) continue;
      CAPTURE(left);
      CAPTURE(right);
      const std::int64_t quotient = checked::floor_divide(left, right);
      const std::int64_t remainder = checked::modulo(left, right);
      CHECK(quotient * right + remainder == left);
      if (right > 0) {
        CHECK(remainder >= 0);
        CHECK(remainder < right);
      } else {
        CHECK(remainder <= 0);
        CHECK(remainder > right);
      }
      CHECK(checked::ceil_divide(left, right) == quotient + (remainder == 0 ? 0 : 1));
    }
  }
}

TEST_CASE("quotients at the limits") {
  CHECK(checked::floor_divide(highest, 2) == power(62) - 1);
  CHECK(checked::ceil_divide(highest, 2) == power(62));
  CHECK(checked::floor_divide(checked::lowest, power(32)) == -power(31) + 1);
  CHECK(checked::floor_divide(checked::lowest, -1) == 9223372032559808512);
  CHECK(checked::modulo(checked::lowest, -1) == 0);
  CHECK(checked::modulo(checked::lowest, highest) == highest + checked::lowest);
}

TEST_CASE("a division by zero says what was divided") {
  CHECK_THROWS_AS(checked::floor_divide(1, 0), DivisionByZero);
  CHECK_THROWS_AS(checked::ceil_divide(0, 0), DivisionByZero);
  CHECK_THROWS_AS(checked::modulo(-1, 0), DivisionByZero);
  CHECK_THROWS_WITH(checked::floor_divide(-12, 0), "-12 is divided by zero");
}

TEST_CASE("the greatest common divisor is never negative") {
  CHECK(checked::greatest_common_divisor(12, 18) == 6);
  CHECK(checked::greatest_common_divisor(-12, 18) == 6);
  CHECK(checked::greatest_common_divisor(-12, -18) == 6);
  CHECK(checked::greatest_common_divisor(7, 9) == 1);
  CHECK(checked::greatest_common_divisor(0, 5) == 5);
  CHECK(checked::greatest_common_divisor(5, 0) == 5);
  CHECK(checked::greatest_common_divisor(0, 0) == 0);
}

TEST_CASE("quotients stay above the values that are kept free") {
  CHECK_THROWS_AS(checked::floor_divide(highest, -1), CountOverflow);
  CHECK_THROWS_AS(checked::ceil_divide(highest, -1), CountOverflow);
}

}  // namespace netledger
