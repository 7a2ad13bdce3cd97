// Coefficients: counts of a fixed width against natural numbers, and sums of them.
#include "query/coefficients.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/natural.h"
#include "tests/space_plans.h"

namespace netledger {

using testing::Dice;

namespace {

template <class Count>
Count random_count(Dice& dice) {
  Count count{};
  // Some have only the lowest words.
  const auto words =
      static_cast<std::size_t>(dice.roll(0, static_cast<std::int64_t>(count.limbs.size())));
  for (std::size_t word = 0; word < words; ++word) {
    const auto drawn = static_cast<std::uint64_t>(dice.roll(
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
    const auto kind = dice.roll(0, 3);
    count.limbs[word] = kind == 0 ? 0 : kind == 1 ? ~std::uint64_t{0} : drawn;
  }
  return count;
}

// Without what lies beyond the width.
template <class Count>
Natural cut(const Natural& number) {
  return natural_of(count_of<Count>(number));
}

}  // namespace

TEST_CASE_TEMPLATE("wide counts are natural numbers, modulo their width", Count, WideCount<4>,
                   WideCount<16>, WideCount<1>) {
  Dice dice(3);
  for (int round = 0; round < 400; ++round) {
    const auto left = random_count<Count>(dice);
    const auto right = random_count<Count>(dice);
    const Natural a = natural_of(left);
    const Natural b = natural_of(right);
    REQUIRE(count_of<Count>(a) == left);
    CHECK(natural_of(left + right) == cut<Count>(a + b));
    CHECK(natural_of(left * right) == cut<Count>(a * b));
    CHECK((left < right) == (a < b));
    CHECK((left == right) == (a == b));
    CHECK((left - right) + right == left);
    if (!(left < right)) CHECK(natural_of(left - right) == a - b);
    CHECK(lowest_word(left) == (a.is_zero() ? 0 : a.limbs()[0]));
    // Infinity is not near to itself.
    const double near = a.approximate();
    CHECK((approximate(left) == near || std::abs(approximate(left) / near - 1) < 1e-14));
  }
}

TEST_CASE_TEMPLATE("a division has the quotient and the rest", Count, WideCount<4>, WideCount<16>) {
  Dice dice(4);
  for (int round = 0; round < 150; ++round) {
    const auto number = random_count<Count>(dice);
    auto by = random_count<Count>(dice);
    if (by == Count{0}) by = Count{1};
    const auto [quotient, rest] = divide(number, by);
    CHECK(rest < by);
    CHECK(natural_of(quotient) * natural_of(by) + natural_of(rest) == natural_of(number));
  }
  // What is multiplied is found again.
  for (int round = 0; round < 150; ++round) {
    Count quotient{};
    Count by{};
    for (std::size_t word = 0; word < by.limbs.size() / 2; ++word) {
      quotient.limbs[word] = static_cast<std::uint64_t>(dice.roll(0, 1'000'000'000'000));
      by.limbs[word] = static_cast<std::uint64_t>(dice.roll(1, 1'000'000'000'000));
    }
    const Count rest = by - Count{1};
    const auto found = divide(static_cast<Count>(quotient * by + rest), by);
    CHECK(found.first == quotient);
    CHECK(found.second == rest);
  }
  Count largest{};
  largest -= Count{1};
  CHECK(divide(largest, largest) == std::pair(Count{1}, Count{0}));
  CHECK(divide(largest, Count{1}) == std::pair(largest, Count{0}));
  CHECK(divide(Count{0}, largest) == std::pair(Count{0}, Count{0}));
}

TEST_CASE("narrow counts are divided and converted too") {
  Dice dice(5);
  for (int round = 0; round < 200; ++round) {
    const auto word = [&] {
      return static_cast<std::uint64_t>(dice.roll(1, std::numeric_limits<std::int64_t>::max()));
    };
    const std::uint64_t small = word();
    const std::uint64_t by = word() >> static_cast<unsigned>(dice.roll(0, 62));
    if (by == 0) continue;
    const auto [quotient, rest] = divide(small, by);
    CHECK(quotient * by + rest == small);
    CHECK(rest < by);
    const Wide large = Wide{word()} << 64U | word();
    const auto [wide_quotient, wide_rest] = divide(large, Wide{by});
    CHECK(wide_quotient * by + wide_rest == large);
    CHECK(wide_rest < by);
    CHECK(count_of<Wide>(natural_of(large)) == large);
    CHECK(count_of<std::uint64_t>(natural_of(large)) == static_cast<std::uint64_t>(large));
    CHECK(count_of<std::uint64_t>(natural_of(small)) == small);
    CHECK(natural_of(large) == Natural::of_wide(large));
    CHECK(lowest_word(large) == static_cast<std::uint64_t>(large));
  }
  CHECK(count_of<std::uint64_t>(Natural()) == 0);
  CHECK(count_of<Wide>(Natural()) == 0);
  CHECK(count_of<WideCount<4>>(Natural()) == WideCount<4>{0});
}

TEST_CASE("what is least stays absent, whatever is added to it") {
  constexpr std::int64_t largest = std::int64_t{1} << 60U;
  for (const std::int64_t value : {-largest, std::int64_t{-1}, std::int64_t{0}, largest}) {
    CHECK_FALSE(Least::is_absent(value));
    CHECK(Least::is_absent(Least::absent() + value));
    CHECK(Least::add(value, Least::absent()) == value);
    CHECK(Least::add(Least::absent(), value) == value);
    CHECK(Least::is_absent(Least::multiply(value, Least::absent())));
    CHECK(Least::is_absent(Least::multiply(Least::absent(), value)));
    CHECK(Least::multiply(Least::one(), value) == value);
  }
  CHECK(Least::add(-3, 2) == -3);
  CHECK(Least::multiply(-3, 2) == -1);
  CHECK(Least::is_absent(Least::multiply(Least::absent(), Least::absent())));
}

}  // namespace netledger
