// Extent: between which limits a cost lies, at which distances, and how many values it may take.
// Known before any of them is listed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace netledger {

struct Extent {
  bool empty = true;
  std::int64_t low = 0;
  std::int64_t high = 0;
  // Differences are its multiples; 0 where there is one value.
  std::uint64_t step = 0;
  // At most so many values.
  double terms = 0;

  [[nodiscard]] static constexpr Extent of(std::int64_t value) {
    return {.empty = false, .low = value, .high = value, .step = 0, .terms = 1};
  }
  // Places from the lowest to the highest.
  [[nodiscard]] constexpr std::uint64_t slots() const noexcept {
    if (empty) return 0;
    return step == 0 ? 1 : range() / step + 1;
  }
  [[nodiscard]] constexpr std::uint64_t range() const noexcept {
    return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  }

  // A dense table may have so many places for each way to make one of them.
  static constexpr std::size_t most_places_per_way = 32;
  // Whether a table of so many ways is dense.
  [[nodiscard]] constexpr bool is_dense(double ways) const noexcept {
    constexpr double few = 32;
    return ways >= few && static_cast<double>(slots()) <= most_places_per_way * ways;
  }

  // One of either.
  constexpr void unite(const Extent& other) noexcept {
    if (other.empty) return;
    if (empty) {
      *this = other;
      return;
    }
    const std::uint64_t apart =
        other.low > low ? static_cast<std::uint64_t>(other.low) - static_cast<std::uint64_t>(low)
                        : static_cast<std::uint64_t>(low) - static_cast<std::uint64_t>(other.low);
    step = std::gcd(std::gcd(step, other.step), apart);
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    terms = std::min(terms + other.terms, static_cast<double>(slots()));
  }
  // The sum of both.
  [[nodiscard]] friend constexpr Extent operator+(const Extent& left,
                                                  const Extent& right) noexcept {
    if (left.empty || right.empty) return {};
    Extent sum{.empty = false,
               .low = left.low + right.low,
               .high = left.high + right.high,
               .step = std::gcd(left.step, right.step),
               .terms = 0};
    sum.terms = std::min(left.terms * right.terms, static_cast<double>(sum.slots()));
    return sum;
  }
};

}  // namespace netledger
