// Intervals hold for every assignment, and are as tight as their rules promise.
#include "quantity/interval.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "quantity/checked.h"
#include "quantity/program.h"
#include "random_program.h"

namespace netledger {

namespace {

using testing::Column;
using testing::draw;
using testing::Engine;
using testing::highest;

constexpr std::int64_t lowest = checked::lowest;
constexpr Interval whole{.low = lowest, .high = highest};

// The interval of an operation on x within `left` and y within `right`.
Interval of(Opcode opcode, const Interval& left, const Interval& right) {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::uint32_t root = program.id(program.append(opcode, x, y));
  return intervals(program, std::array{left, right})[root];
}

Interval inexact(std::int64_t low, std::int64_t high) { return {low, high, false}; }

}  // namespace

TEST_CASE("sums, differences and products have the range of their corners") {
  CHECK(of(Opcode::add, {-3, 5}, {10, 20}) == Interval{7, 25});
  CHECK(of(Opcode::subtract, {-3, 5}, {10, 20}) == Interval{-23, -5});
  CHECK(of(Opcode::multiply, {-3, 5}, {-7, 2}) == Interval{-35, 21});
  CHECK(of(Opcode::multiply, {-3, -2}, {-7, -5}) == Interval{10, 21});
  CHECK(of(Opcode::multiply, {-3, 4}, {-7, 5}) == Interval{-28, 21});
}

TEST_CASE("what may not fit is not exact, and what fits is within the limits") {
  CHECK(of(Opcode::add, {0, highest - 1}, {1, 1}) == Interval{1, highest});
  CHECK(of(Opcode::add, {0, highest}, {1, 1}) == inexact(1, highest));
  CHECK(of(Opcode::subtract, {lowest + 1, 0}, {1, 1}) == Interval{lowest, -1});
  CHECK(of(Opcode::subtract, {lowest, 0}, {1, 1}) == inexact(lowest, -1));
  CHECK(of(Opcode::multiply, {0, highest}, {1, 1}) == Interval{0, highest});
  CHECK(of(Opcode::multiply, {1, std::int64_t{1} << 32}, {1, std::int64_t{1} << 31}) ==
        inexact(1, highest));
  CHECK(of(Opcode::multiply, {0, 4294967295}, {0, 2147483648}) ==
        Interval{0, 4294967295 * 2147483648});
  CHECK(of(Opcode::multiply, {lowest, 0}, {-1, 1}) == Interval{lowest, -lowest});
  CHECK(of(Opcode::floor_divide, whole, {-1, -1}) == inexact(lowest, -lowest));
  CHECK(of(Opcode::multiply, whole, whole) == inexact(lowest, highest));
}

TEST_CASE("quotients have the range of their corners, on both sides of zero") {
  CHECK(of(Opcode::floor_divide, {-7, 7}, {2, 3}) == Interval{-4, 3});
  CHECK(of(Opcode::ceil_divide, {-7, 7}, {2, 3}) == Interval{-3, 4});
  CHECK(of(Opcode::floor_divide, {5, 7}, {-3, -2}) == Interval{-4, -2});
  CHECK(of(Opcode::ceil_divide, {5, 7}, {-3, -2}) == Interval{-3, -1});
  CHECK(of(Opcode::floor_divide, {5, 7}, {-3, 2}) == inexact(-7, 7));
  CHECK(of(Opcode::floor_divide, {5, 7}, {0, 2}) == inexact(2, 7));
  CHECK(of(Opcode::floor_divide, {5, 7}, {-2, 0}) == inexact(-7, -3));
}

TEST_CASE("a division by zero has no value") {
  for (const Opcode opcode : {Opcode::floor_divide, Opcode::ceil_divide, Opcode::modulo}) {
    CHECK_FALSE(of(opcode, {5, 7}, {0, 0}).exact);
    CHECK_FALSE(of(opcode, {5, 7}, {-1, 1}).exact);
    CHECK(of(opcode, {5, 7}, {1, 2}).exact);
    CHECK(of(opcode, {5, 7}, {-2, -1}).exact);
  }
}

TEST_CASE("remainders have the sign of the divisor") {
  CHECK(of(Opcode::modulo, {-100, 100}, {3, 8}) == Interval{0, 7});
  CHECK(of(Opcode::modulo, {-100, 100}, {-8, -3}) == Interval{-7, 0});
  CHECK(of(Opcode::modulo, {-100, 100}, {-8, 3}) == inexact(-7, 2));
  // Never more than the dividend,
  CHECK(of(Opcode::modulo, {0, 5}, {3, 8}) == Interval{0, 5});
  CHECK(of(Opcode::modulo, {2, 5}, {6, 8}) == Interval{2, 5});
  CHECK(of(Opcode::modulo, {0, 20}, {3, 8}) == Interval{0, 7});
  CHECK(of(Opcode::modulo, {-5, -2}, {-8, -6}) == Interval{-5, -2});
  // and within one turn as far from zero as that goes.
  CHECK(of(Opcode::modulo, {17, 19}, {8, 8}) == Interval{1, 3});
  CHECK(of(Opcode::modulo, {-19, -17}, {-8, -8}) == Interval{-3, -1});
  CHECK(of(Opcode::modulo, {-2, -1}, {8, 8}) == Interval{6, 7});
}

TEST_CASE("the lesser, the greater, and the common divisor") {
  CHECK(of(Opcode::minimum, {1, 9}, {4, 6}) == Interval{1, 6});
  CHECK(of(Opcode::maximum, {1, 9}, {4, 6}) == Interval{4, 9});
  CHECK(of(Opcode::greatest_common_divisor, {12, 12}, {-18, -18}) == Interval{6, 6});
  CHECK(of(Opcode::greatest_common_divisor, {1, 9}, {-20, -4}) == Interval{1, 9});
  CHECK(of(Opcode::greatest_common_divisor, {0, 9}, {-20, -4}) == Interval{1, 20});
  CHECK(of(Opcode::greatest_common_divisor, {4, 20}, {0, 3}) == Interval{1, 20});
  CHECK(of(Opcode::greatest_common_divisor, {-5, 9}, {0, 12}) == Interval{0, 12});
}

TEST_CASE("comparisons are decided where the intervals are apart") {
  CHECK(of(Opcode::equal, {1, 3}, {4, 6}) == Interval{0, 0});
  CHECK(of(Opcode::equal, {4, 6}, {1, 3}) == Interval{0, 0});
  CHECK(of(Opcode::equal, {3, 3}, {3, 3}) == Interval{1, 1});
  CHECK(of(Opcode::equal, {1, 4}, {4, 6}) == Interval{0, 1});
  CHECK(of(Opcode::less, {1, 3}, {4, 6}) == Interval{1, 1});
  CHECK(of(Opcode::less, {1, 4}, {4, 6}) == Interval{0, 1});
  CHECK(of(Opcode::less, {6, 8}, {4, 6}) == Interval{0, 0});
  CHECK(of(Opcode::less_equal, {1, 4}, {4, 6}) == Interval{1, 1});
  CHECK(of(Opcode::less_equal, {1, 5}, {4, 6}) == Interval{0, 1});
  CHECK(of(Opcode::less_equal, {7, 8}, {4, 6}) == Interval{0, 0});
}

TEST_CASE("a select has the range of the branches that it can take") {
  Program program;
  const Quantity c = program.variable("c");
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::uint32_t root = program.id(program.append_select(c, x, y));
  const auto chosen = [&](const Interval& condition, const Interval& yes, const Interval& no) {
    return intervals(program, std::array{condition, yes, no})[root];
  };
  CHECK(chosen({0, 1}, {1, 2}, {5, 6}) == Interval{1, 6});
  CHECK(chosen({0, 0}, {1, 2}, {5, 6}) == Interval{5, 6});
  CHECK(chosen({2, 3}, {1, 2}, {5, 6}) == Interval{1, 2});
  // Exact if what can be taken is.
  CHECK(chosen({0, 1}, inexact(1, 2), {5, 6}) == inexact(1, 6));
  CHECK(chosen({0, 1}, {1, 2}, inexact(5, 6)) == inexact(1, 6));
  CHECK(chosen({0, 0}, inexact(1, 2), {5, 6}) == Interval{5, 6});
  CHECK(chosen({0, 0}, {1, 2}, inexact(5, 6)) == inexact(5, 6));
  CHECK(chosen({1, 1}, {1, 2}, inexact(5, 6)) == Interval{1, 2});
  CHECK(chosen(inexact(1, 1), {1, 2}, {5, 6}) == inexact(1, 2));
  CHECK(chosen(inexact(0, 0), {1, 2}, {5, 6}) == inexact(5, 6));
}

TEST_CASE("a lookup has the range of the entries within reach") {
  Program program;
  const Quantity x = program.variable("x");
  const std::uint32_t root = program.id(program.lookup(x, Column{40, 10, 30, 20, 50}));
  const auto found = [&](const Interval& index) {
    return intervals(program, std::array{index})[root];
  };
  CHECK(found({0, 4}) == Interval{10, 50});
  CHECK(found({1, 3}) == Interval{10, 30});
  CHECK(found({2, 2}) == Interval{30, 30});
  CHECK(found({-1, 1}) == inexact(10, 40));
  CHECK(found({3, 5}) == inexact(20, 50));
  CHECK(found(inexact(1, 3)) == inexact(10, 30));
  CHECK_FALSE(found({5, 9}).exact);
  CHECK_FALSE(found({-9, -1}).exact);
}

TEST_CASE("values below the lowest count are not exact") {
  Program program;
  const Quantity x = program.variable("x");
  const std::uint32_t root = program.id(x);
  CHECK(intervals(program, std::array{whole})[root] == whole);
  const Interval more{.low = std::numeric_limits<std::int64_t>::min(), .high = 3};
  CHECK(intervals(program, std::array{more})[root] == inexact(lowest, 3));
}

TEST_CASE("what is not exact stays so") {
  for (const Opcode opcode : testing::operations_of_two) {
    CAPTURE(static_cast<int>(opcode));
    CHECK(of(opcode, {4, 5}, {2, 3}).exact);
    CHECK_FALSE(of(opcode, inexact(4, 5), {2, 3}).exact);
    CHECK_FALSE(of(opcode, {4, 5}, inexact(2, 3)).exact);
  }
}

TEST_CASE("intervals hold for random programs and assignments") {
  Engine engine(314159);
  std::array<std::size_t, testing::opcode_count> exact_seen{};
  std::array<std::size_t, testing::opcode_count> faults_seen{};
  for (int trial = 0; trial < 600; ++trial) {
    CAPTURE(trial);
    Program program;
    const int bits = static_cast<int>(draw(engine, 1, 63));
    const std::vector<Interval> domains = testing::grow(program, engine, 25, bits);
    const std::vector<Interval> proven = intervals(program, domains);
    REQUIRE(proven.size() == program.expressions().size());
    for (int sample = 0; sample < 40; ++sample) {
      Column assignment;
      for (const Interval& domain : domains) assignment.push_back(draw(engine, domain));
      const auto values = testing::reference_values(program, assignment);
      for (std::size_t index = 0; index < values.size(); ++index) {
        const auto opcode = static_cast<std::size_t>(program.expressions()[index].opcode);
        const bool holds =
            values[index] ? proven[index].contains(*values[index]) : !proven[index].exact;
        if (proven[index].exact) ++exact_seen[opcode];
        if (!values[index]) ++faults_seen[opcode];
        if (!holds) {
          CAPTURE(index);
          CAPTURE(opcode);
          CAPTURE(proven[index].low);
          CAPTURE(proven[index].high);
          CHECK(holds);
        }
      }
    }
  }
  for (std::size_t opcode = 0; opcode < testing::opcode_count; ++opcode) {
    CAPTURE(opcode);
    CHECK(exact_seen[opcode] > 0);
    const bool never = opcode == static_cast<std::size_t>(Opcode::constant) ||
                       opcode == static_cast<std::size_t>(Opcode::variable);
    CHECK((faults_seen[opcode] > 0) != never);
  }
}

TEST_CASE("intervals of single values are those values") {
  Engine engine(2718);
  std::size_t exact = 0;
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    Program program;
    std::vector<Interval> domains = testing::grow(program, engine, 20, 40);
    Column assignment;
    for (Interval& domain : domains) {
      domain.low = domain.high;
      assignment.push_back(domain.low);
    }
    const std::vector<Interval> proven = intervals(program, domains);
    const auto values = testing::reference_values(program, assignment);
    for (std::size_t index = 0; index < values.size(); ++index) {
      REQUIRE(proven[index].exact == values[index].has_value());
      if (!values[index]) continue;
      CHECK(proven[index] == Interval{*values[index], *values[index]});
      ++exact;
    }
  }
  CHECK(exact > 1000);
}

}  // namespace netledger
