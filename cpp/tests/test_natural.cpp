// Natural numbers: against 128 bits, and by identities at the borders of their words.
#include "query/natural.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "tests/space_plans.h"

namespace netledger {

using testing::Dice;

namespace {

constexpr std::uint64_t all_ones = std::numeric_limits<std::uint64_t>::max();

// Words where carries begin and end, and any others.
std::uint64_t random_word(Dice& dice) {
  switch (dice.roll(0, 4)) {
    case 0:
      return 0;
    case 1:
      return all_ones;
    case 2:
      return static_cast<std::uint64_t>(dice.roll(0, 2));
    case 3:
      return std::uint64_t{1} << static_cast<unsigned>(dice.roll(0, 63));
    default:
      return static_cast<std::uint64_t>(dice.roll(0, std::numeric_limits<std::int64_t>::max())) *
                 2 +
             static_cast<std::uint64_t>(dice.roll(0, 1));
  }
}

Wide random_wide(Dice& dice) { return Wide{random_word(dice)} << 64U | random_word(dice); }

// 2^(64 * words).
Natural power(std::size_t words) {
  Natural result(1);
  for (std::size_t word = 0; word < words; ++word) {
    result = result * Natural::of_wide(Wide{1} << 64U);
  }
  return result;
}

Natural random_natural(Dice& dice) {
  Natural result;
  const auto words = static_cast<std::size_t>(dice.roll(0, 6));
  for (std::size_t word = 0; word < words; ++word) {
    result += Natural(random_word(dice)) * power(word);
  }
  return result;
}

bool is_trimmed(const Natural& number) {
  return number.limbs().empty() || number.limbs().back() != 0;
}

}  // namespace

TEST_CASE("natural numbers of up to 128 bits are those") {
  Dice dice(1);
  for (int round = 0; round < 3000; ++round) {
    const Wide left = random_wide(dice) >> static_cast<unsigned>(dice.roll(1, 127));
    const Wide right = random_wide(dice) >> static_cast<unsigned>(dice.roll(1, 127));
    const Natural a = Natural::of_wide(left);
    const Natural b = Natural::of_wide(right);
    REQUIRE(is_trimmed(a));
    CHECK(a + b == Natural::of_wide(left + right));
    CHECK((a < b) == (left < right));
    CHECK((a == b) == (left == right));
    CHECK(a.is_zero() == (left == 0));
    if (left >= right) {
      CHECK(a - b == Natural::of_wide(left - right));
    } else {
      CHECK_THROWS_AS(a - b, std::logic_error);
    }
    const auto low = static_cast<std::uint64_t>(left);
    const auto other = static_cast<std::uint64_t>(right);
    CHECK(Natural(low) * Natural(other) == Natural::of_wide(Wide{low} * other));
    std::size_t bits = 0;
    for (Wide rest = left; rest > 0; rest >>= 1U) ++bits;
    CHECK(a.bits() == bits);
    CHECK(a.approximate() == doctest::Approx(static_cast<double>(left)).epsilon(1e-15));
  }
}

TEST_CASE("products are those learned at school, and sums carry over words") {
  Dice dice(2);
  for (int round = 0; round < 500; ++round) {
    const Natural a = random_natural(dice);
    const Natural b = random_natural(dice);
    const Natural c = random_natural(dice);
    CHECK(a + b == b + a);
    CHECK((a + b) + c == a + (b + c));
    CHECK((a + b) - b == a);
    CHECK(a * b == b * a);
    CHECK((a * b) * c == a * (b * c));
    CHECK(a * (b + c) == a * b + a * c);
    CHECK((a < a + b) == !b.is_zero());
    CHECK(a - a == Natural());
    CHECK((a * b).is_zero() == (a.is_zero() || b.is_zero()));
    for (const Natural& number : {a + b, (a + b) - a, a * b}) CHECK(is_trimmed(number));
    // Word by word.
    Natural sum;
    for (std::size_t low = 0; low < a.limbs().size(); ++low) {
      for (std::size_t high = 0; high < b.limbs().size(); ++high) {
        sum += Natural::of_wide(Wide{a.limbs()[low]} * b.limbs()[high]) * power(low + high);
      }
    }
    CHECK(a * b == sum);
  }
}

TEST_CASE("carries and borrows pass through many words") {
  for (std::size_t words = 1; words < 20; ++words) {
    const Natural border = power(words);
    CHECK(border.limbs().size() == words + 1);
    CHECK(border.bits() == 64 * words + 1);
    const Natural below = border - Natural(1);
    CHECK(below.limbs() == std::vector<std::uint64_t>(words, all_ones));
    CHECK(below.bits() == 64 * words);
    CHECK(below < border);
    CHECK_FALSE(border < below);
    CHECK_FALSE(border < border);
    CHECK(below + Natural(1) == border);
    // (x - 1)(x + 1) = x^2 - 1
    CHECK(below * (border + Natural(1)) == power(2 * words) - Natural(1));
    CHECK(below * below == power(2 * words) - border - border + Natural(1));
    CHECK(border.approximate() == std::ldexp(1.0, static_cast<int>(64 * words)));
  }
  CHECK(std::isinf(power(16).approximate()));
  CHECK(Natural().bits() == 0);
  CHECK(Natural().approximate() == 0);
  Natural itself(all_ones);
  itself += itself;
  CHECK(itself == Natural::of_wide(Wide{all_ones} * 2));
  itself -= itself;
  CHECK(itself.is_zero());
}

TEST_CASE("a subtraction that fails leaves the number as it is") {
  Natural number = power(2);
  CHECK_THROWS_AS(number -= power(2) + Natural(1), std::logic_error);
  CHECK(number == power(2));
}

TEST_CASE("the double of a large number is one next to it") {
  // Between two doubles; what decides which is nearer stands in the lowest word.
  const Natural base = power(1) * Natural(std::uint64_t{1} << 53U);
  const Natural half = power(1) * Natural(1);
  const double found = (base + half + Natural(1)).approximate();
  CHECK((found == std::ldexp(0x1p53, 64) || found == std::ldexp(0x1p53 + 2, 64)));
  CHECK(base.approximate() == std::ldexp(0x1p53, 64));
}

}  // namespace netledger
