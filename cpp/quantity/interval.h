// Interval: what is proven of a quantity, from the domains of the variables it depends on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantity/program.h"

namespace netledger {

// `exact` is false where the arithmetic may leave the range of counts, divide by zero or read
// outside a table: some assignments may then have no value. Those that have one have it within
// [low, high].
struct Interval {
  std::int64_t low;
  std::int64_t high;
  bool exact = true;

  [[nodiscard]] constexpr bool contains(std::int64_t value) const noexcept {
    return low <= value && value <= high;
  }
  // Every assignment has a value, and it is the same.
  [[nodiscard]] constexpr bool is_constant() const noexcept { return exact && low == high; }

  friend bool operator==(const Interval&, const Interval&) = default;
};

// The interval of every expression of the program; domains[v] is that of variable v. Values below
// the lowest count are not counts: a domain that has some is not exact.
[[nodiscard]] std::vector<Interval> intervals(const Program& program,
                                              std::span<const Interval> domains);

}  // namespace netledger
