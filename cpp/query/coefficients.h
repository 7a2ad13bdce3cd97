// Coefficients: what a polynomial over costs holds for each cost. How many networks have it, in a
// type wide enough; or the least that such a network costs in another metric.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "query/natural.h"
#include "space/random.h"

namespace netledger {

// A count of a fixed number of 64-bit limbs, the least significant first; modulo 2^(64 * count).
template <std::size_t Count>
struct WideCount {
  std::array<std::uint64_t, Count> limbs{};

  constexpr WideCount() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a small count is a count.
  constexpr WideCount(std::uint64_t value) { limbs[0] = value; }

  constexpr WideCount& operator+=(const WideCount& other) noexcept {
    std::uint64_t carry = 0;
    for (std::size_t place = 0; place < Count; ++place) {
      const Wide sum = Wide{limbs[place]} + other.limbs[place] + carry;
      limbs[place] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64U);
    }
    return *this;
  }
  constexpr WideCount& operator-=(const WideCount& other) noexcept {
    std::uint64_t borrow = 0;
    for (std::size_t place = 0; place < Count; ++place) {
      const Wide difference = Wide{limbs[place]} - other.limbs[place] - borrow;
      limbs[place] = static_cast<std::uint64_t>(difference);
      borrow = static_cast<std::uint64_t>(difference >> 64U) == 0 ? 0 : 1;
    }
    return *this;
  }
  friend constexpr WideCount operator+(WideCount left, const WideCount& right) noexcept {
    return left += right;
  }
  friend constexpr WideCount operator-(WideCount left, const WideCount& right) noexcept {
    return left -= right;
  }
  friend constexpr WideCount operator*(const WideCount& left, const WideCount& right) noexcept {
    WideCount result;
    for (std::size_t low = 0; low < Count; ++low) {
      if (left.limbs[low] == 0) continue;
      std::uint64_t carry = 0;
      for (std::size_t place = low; place < Count; ++place) {
        const Wide product =
            Wide{left.limbs[low]} * right.limbs[place - low] + result.limbs[place] + carry;
        result.limbs[place] = static_cast<std::uint64_t>(product);
        carry = static_cast<std::uint64_t>(product >> 64U);
      }
    }
    return result;
  }
  friend constexpr bool operator==(const WideCount&, const WideCount&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const WideCount& left,
                                                    const WideCount& right) noexcept {
    for (std::size_t place = Count; place-- > 0;) {
      if (left.limbs[place] != right.limbs[place]) return left.limbs[place] <=> right.limbs[place];
    }
    return std::strong_ordering::equal;
  }
};

// Of numbers of networks: the quotient and the remainder.
template <class Count>
[[nodiscard]] constexpr std::pair<Count, Count> divide(const Count& number, const Count& by) {
  return {number / by, number % by};
}

template <std::size_t Limbs>
[[nodiscard]] constexpr std::pair<WideCount<Limbs>, WideCount<Limbs>> divide(
    const WideCount<Limbs>& number, const WideCount<Limbs>& by) {
  WideCount<Limbs> quotient;
  WideCount<Limbs> rest;
  for (std::size_t bit = 64 * Limbs; bit-- > 0;) {
    rest += rest;
    rest.limbs[0] |= number.limbs[bit / 64] >> (bit % 64) & 1U;
    if (rest < by) continue;
    rest -= by;
    quotient.limbs[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  return {quotient, rest};
}

[[nodiscard]] constexpr std::uint64_t lowest_word(std::uint64_t count) { return count; }
[[nodiscard]] constexpr std::uint64_t lowest_word(Wide count) {
  return static_cast<std::uint64_t>(count);
}
template <std::size_t Limbs>
[[nodiscard]] constexpr std::uint64_t lowest_word(const WideCount<Limbs>& count) {
  return count.limbs[0];
}

// The nearest double, roughly.
[[nodiscard]] constexpr double approximate(std::uint64_t count) {
  return static_cast<double>(count);
}
[[nodiscard]] constexpr double approximate(Wide count) { return static_cast<double>(count); }
template <std::size_t Limbs>
[[nodiscard]] constexpr double approximate(const WideCount<Limbs>& count) {
  double result = 0;
  for (std::size_t place = Limbs; place-- > 0;) {
    result = result * 0x1p64 + static_cast<double>(count.limbs[place]);
  }
  return result;
}

[[nodiscard]] inline Natural natural_of(std::uint64_t count) { return {count}; }
[[nodiscard]] inline Natural natural_of(Wide count) { return Natural::of_wide(count); }
template <std::size_t Limbs>
[[nodiscard]] Natural natural_of(const WideCount<Limbs>& count) {
  Natural result;
  const Natural shift = Natural::of_wide(Wide{1} << 64U);
  for (std::size_t place = Limbs; place-- > 0;) {
    result = result * shift + Natural(count.limbs[place]);
  }
  return result;
}

// The lowest limbs of a natural number.
template <class Count>
[[nodiscard]] Count count_of(const Natural& number);
template <>
[[nodiscard]] inline std::uint64_t count_of(const Natural& number) {
  return number.is_zero() ? 0 : number.limbs()[0];
}
template <>
[[nodiscard]] inline Wide count_of(const Natural& number) {
  Wide result = 0;
  const auto& limbs = number.limbs();
  for (std::size_t place = std::min<std::size_t>(limbs.size(), 2); place-- > 0;) {
    result = result << 64U | limbs[place];
  }
  return result;
}
template <class Count>
  requires requires(Count count) { count.limbs; }
[[nodiscard]] Count count_of(const Natural& number) {
  Count result;
  const auto& limbs = number.limbs();
  for (std::size_t place = 0; place < std::min(limbs.size(), result.limbs.size()); ++place) {
    result.limbs[place] = limbs[place];
  }
  return result;
}

// Coefficients that count: they add up, and the numbers of independent choices are multiplied.
template <class Count>
struct Counting {
  using Value = Count;
  // Wide enough for the sum of any products of two counts, where those are counts of networks.
  using Sum = Count;

  static constexpr Value absent() { return Value(0); }
  static constexpr Value one() { return Value(1); }
  static constexpr bool is_absent(const Value& value) { return value == Value(0); }
  static constexpr Value add(const Value& left, const Value& right) {
    return static_cast<Value>(left + right);
  }
  static constexpr Value multiply(const Value& left, const Value& right) {
    return static_cast<Value>(left * right);
  }
};

// Coefficients that are the least of something that adds up.
struct Least {
  using Value = std::int64_t;

  // Larger than any total, also after another one is added.
  static constexpr Value absent() { return std::int64_t{1} << 62U; }
  static constexpr Value one() { return 0; }
  static constexpr bool is_absent(Value value) { return value >= absent() / 2; }
  static constexpr Value add(Value left, Value right) { return std::min(left, right); }
  static constexpr Value multiply(Value left, Value right) {
    return is_absent(left) || is_absent(right) ? absent() : left + right;
  }
};

}  // namespace netledger
