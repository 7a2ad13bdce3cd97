// Extents: they hold the values they are made of, and no lattice is coarser than those.
#include "query/extent.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <set>

#include <doctest/doctest.h>

#include "tests/space_plans.h"

namespace netledger {

using testing::Dice;

namespace {

std::set<std::int64_t> random_values(Dice& dice) {
  std::set<std::int64_t> values;
  const std::int64_t step = dice.roll(1, 12);
  const std::int64_t first = dice.roll(-100, 100);
  const std::int64_t count = dice.roll(0, 8);
  for (std::int64_t index = 0; index < count; ++index) {
    values.insert(first + step * dice.roll(-20, 20));
  }
  return values;
}

Extent extent_of(const std::set<std::int64_t>& values) {
  Extent extent;
  for (const std::int64_t value : values) extent.unite(Extent::of(value));
  return extent;
}

// The greatest distance of which all differences are multiples.
std::uint64_t step_of(const std::set<std::int64_t>& values) {
  std::uint64_t step = 0;
  for (const std::int64_t value : values) {
    step = std::gcd(step, static_cast<std::uint64_t>(value - *values.begin()));
  }
  return step;
}

void check_extent(const Extent& extent, const std::set<std::int64_t>& values) {
  REQUIRE(extent.empty == values.empty());
  if (values.empty()) {
    CHECK(extent.slots() == 0);
    return;
  }
  CHECK(extent.low == *values.begin());
  CHECK(extent.high == *values.rbegin());
  CHECK(extent.step == step_of(values));
  const std::uint64_t range = static_cast<std::uint64_t>(extent.high - extent.low);
  CHECK(extent.range() == range);
  CHECK(extent.slots() == (extent.step == 0 ? 1 : range / extent.step + 1));
  CHECK(extent.terms >= static_cast<double>(values.size()));
  CHECK(extent.terms <= static_cast<double>(extent.slots()));
}

}  // namespace

TEST_CASE("extents of unions and sums are exact") {
  Dice dice(6);
  for (int round = 0; round < 2000; ++round) {
    const auto left = random_values(dice);
    const auto right = random_values(dice);
    const Extent a = extent_of(left);
    const Extent b = extent_of(right);
    check_extent(a, left);
    Extent united = a;
    united.unite(b);
    std::set<std::int64_t> either = left;
    either.insert(right.begin(), right.end());
    check_extent(united, either);
    std::set<std::int64_t> sums;
    for (const std::int64_t one : left) {
      for (const std::int64_t other : right) sums.insert(one + other);
    }
    check_extent(a + b, sums);
  }
}

TEST_CASE("a table is dense where there are enough ways to fill it") {
  Extent extent{.empty = false, .low = -7, .high = -7 + 10 * 3199, .step = 10, .terms = 100};
  CHECK(extent.slots() == 3200);
  CHECK(extent.is_dense(100));
  CHECK_FALSE(extent.is_dense(99));
  // Few ways are quicker by themselves.
  CHECK_FALSE(Extent::of(0).is_dense(31));
  CHECK(Extent::of(0).is_dense(32));
}

TEST_CASE("limits as far apart as costs get do not overflow") {
  constexpr std::int64_t largest = std::int64_t{1} << 60U;
  Extent extent = Extent::of(-largest);
  extent.unite(Extent::of(largest));
  CHECK(extent.step == std::uint64_t{1} << 61U);
  CHECK(extent.slots() == 2);
  extent.unite(Extent::of(1));
  CHECK(extent.step == 1);
  CHECK(extent.slots() == (std::uint64_t{1} << 61U) + 1);
  CHECK(extent.terms == 3);
}

}  // namespace netledger
