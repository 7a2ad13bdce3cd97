// Evaluation over many lanes gives what scalar arithmetic gives, or names the lane where it cannot.
#include "quantity/evaluate.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "quantity/checked.h"
#include "quantity/program.h"

namespace netledger {

namespace {

using Column = std::vector<std::int64_t>;
using Engine = std::mt19937_64;

constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
// Below, at and above one block and many blocks of the evaluator.
constexpr std::size_t lane_counts[] = {0, 1, 255, 256, 257, 1000};

// From low to high, both included; the same on every platform.
std::int64_t draw(Engine& engine, std::int64_t low, std::int64_t high) {
  const auto choices = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  return low + static_cast<std::int64_t>(engine() % choices);
}

Column draw_column(Engine& engine, std::size_t lanes, std::int64_t low, std::int64_t high) {
  Column column(lanes);
  for (std::int64_t& value : column) value = draw(engine, low, high);
  return column;
}

struct Evaluation {
  std::optional<std::size_t> bad_lane;
  std::vector<Column> values;
};

Evaluation evaluated(Program& program, const std::vector<Quantity>& quantities,
                     const std::vector<Column>& columns, std::size_t lanes) {
  std::vector<std::uint32_t> roots;
  for (const Quantity& quantity : quantities) roots.push_back(program.id(quantity));
  std::vector<const std::int64_t*> inputs;
  for (const Column& column : columns) inputs.push_back(column.data());
  Evaluation result;
  result.values.assign(quantities.size(), Column(lanes, -77));
  std::vector<std::int64_t*> outputs;
  for (Column& column : result.values) outputs.push_back(column.data());
  result.bad_lane = evaluate(program, roots, inputs, lanes, outputs);
  return result;
}

// One operation over variables and the same over plain integers.
struct Operation {
  const char* name;
  Quantity (*symbolic)(const Quantity&, const Quantity&);
  std::int64_t (*scalar)(std::int64_t, std::int64_t);
};

constexpr Operation operations_of_two[] = {
    {"add", [](const Quantity& a, const Quantity& b) { return a + b; }, checked::add},
    {"subtract", [](const Quantity& a, const Quantity& b) { return a - b; }, checked::subtract},
    {"multiply", [](const Quantity& a, const Quantity& b) { return a * b; }, checked::multiply},
    {"floor_divide", [](const Quantity& a, const Quantity& b) { return a / b; },
     checked::floor_divide},
    {"ceil_divide", [](const Quantity& a, const Quantity& b) { return ceil_divide(a, b); },
     checked::ceil_divide},
    {"modulo", [](const Quantity& a, const Quantity& b) { return a % b; }, checked::modulo},
    {"minimum", [](const Quantity& a, const Quantity& b) { return minimum(a, b); },
     [](std::int64_t a, std::int64_t b) { return a < b ? a : b; }},
    {"maximum", [](const Quantity& a, const Quantity& b) { return maximum(a, b); },
     [](std::int64_t a, std::int64_t b) { return a < b ? b : a; }},
    {"greatest_common_divisor",
     [](const Quantity& a, const Quantity& b) { return greatest_common_divisor(a, b); },
     [](std::int64_t a, std::int64_t b) { return std::gcd(a, b); }},
    {"equal", [](const Quantity& a, const Quantity& b) { return (a == b).truth(); },
     [](std::int64_t a, std::int64_t b) { return std::int64_t{a == b}; }},
    {"less", [](const Quantity& a, const Quantity& b) { return (a < b).truth(); },
     [](std::int64_t a, std::int64_t b) { return std::int64_t{a < b}; }},
    {"less_equal", [](const Quantity& a, const Quantity& b) { return (a <= b).truth(); },
     [](std::int64_t a, std::int64_t b) { return std::int64_t{a <= b}; }},
};

}  // namespace

TEST_CASE("every operation gives what scalar arithmetic gives, for any number of lanes") {
  Engine engine(20240117);
  for (const Operation& operation : operations_of_two) {
    CAPTURE(operation.name);
    Program program;
    const Quantity x = program.variable("x");
    const Quantity y = program.variable("y");
    const Quantity result = operation.symbolic(x, y);
    for (const std::size_t lanes : lane_counts) {
      CAPTURE(lanes);
      // Close together, so that equal values occur, and of both signs.
      const Column left = draw_column(engine, lanes, -12, 12);
      Column right = draw_column(engine, lanes, -12, 12);
      for (std::int64_t& value : right) value = value == 0 ? 5 : value;
      const Evaluation evaluation = evaluated(program, {result}, {left, right}, lanes);
      CHECK_FALSE(evaluation.bad_lane.has_value());
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        CAPTURE(lane);
        CHECK(evaluation.values[0][lane] == operation.scalar(left[lane], right[lane]));
      }
    }
  }
}

TEST_CASE("large operands are exact, and faults are those of scalar arithmetic") {
  Engine engine(77);
  for (const Operation& operation : operations_of_two) {
    CAPTURE(operation.name);
    Program program;
    const Quantity x = program.variable("x");
    const Quantity y = program.variable("y");
    const Quantity result = operation.symbolic(x, y);
    std::size_t faults = 0;
    for (int trial = 0; trial < 300; ++trial) {
      const std::int64_t limit = std::int64_t{1} << draw(engine, 0, 62);
      const std::int64_t left = draw(engine, -limit, limit - 1);
      const std::int64_t right = draw(engine, -limit, limit - 1) / draw(engine, 1, 9);
      CAPTURE(left);
      CAPTURE(right);
      std::optional<std::int64_t> expected;
      try {
        expected = operation.scalar(left, right);
      } catch (const CountOverflow&) {
      } catch (const DivisionByZero&) {
      }
      const Evaluation evaluation = evaluated(program, {result}, {{left}, {right}}, 1);
      REQUIRE(evaluation.bad_lane.has_value() == !expected.has_value());
      if (expected) {
        CHECK(evaluation.values[0][0] == *expected);
      } else {
        CHECK(*evaluation.bad_lane == 0);
        ++faults;
      }
    }
    const std::string name = operation.name;
    const bool can_fault = name == "multiply" || name.ends_with("_divide") || name == "modulo";
    if (can_fault) CHECK(faults > 0);
    CHECK(faults < 300);
  }
}

TEST_CASE("sums and differences fault exactly beyond the limits") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const auto sum = [&](std::int64_t a, std::int64_t b) {
    return evaluated(program, {x + y}, {{a}, {b}}, 1);
  };
  const auto difference = [&](std::int64_t a, std::int64_t b) {
    return evaluated(program, {x - y}, {{a}, {b}}, 1);
  };
  CHECK(sum(highest, 0).values[0][0] == highest);
  CHECK_FALSE(sum(highest, 0).bad_lane.has_value());
  CHECK(sum(highest, 1).bad_lane.has_value());
  CHECK_FALSE(sum(checked::lowest, 0).bad_lane.has_value());
  CHECK(sum(checked::lowest, -1).bad_lane.has_value());
  CHECK_FALSE(difference(checked::lowest + 1, 1).bad_lane.has_value());
  CHECK(difference(checked::lowest, 1).bad_lane.has_value());
  CHECK(difference(0, highest).bad_lane.has_value());
}

TEST_CASE("constants and variables are roots too") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  for (const std::size_t lanes : lane_counts) {
    Column left(lanes);
    std::iota(left.begin(), left.end(), 100);
    const Column right(lanes, -3);
    const Evaluation evaluation = evaluated(program, {y, 42, x, 42}, {left, right}, lanes);
    CHECK_FALSE(evaluation.bad_lane.has_value());
    CHECK(evaluation.values[0] == right);
    CHECK(evaluation.values[1] == Column(lanes, 42));
    CHECK(evaluation.values[2] == left);
    CHECK(evaluation.values[3] == Column(lanes, 42));
  }
}

TEST_CASE("select takes a branch for each lane") {
  Engine engine(5);
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const Quantity chosen = select(x < y, 10 * x, y - 7);
  for (const std::size_t lanes : lane_counts) {
    const Column left = draw_column(engine, lanes, -50, 50);
    const Column right = draw_column(engine, lanes, -50, 50);
    const Evaluation evaluation = evaluated(program, {chosen}, {left, right}, lanes);
    CHECK_FALSE(evaluation.bad_lane.has_value());
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::int64_t a = left[lane];
      const std::int64_t b = right[lane];
      CHECK(evaluation.values[0][lane] == (a < b ? 10 * a : b - 7));
    }
  }
}

TEST_CASE("ceil_log2 of a variable") {
  Program program;
  const Quantity x = program.variable("x");
  Column column;
  for (int exponent = 0; exponent < 62; ++exponent) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      column.push_back((std::int64_t{1} << exponent) + offset);
    }
  }
  column.push_back(std::int64_t{1} << 62);
  const Evaluation evaluation = evaluated(program, {ceil_log2(x)}, {column}, column.size());
  CHECK_FALSE(evaluation.bad_lane.has_value());
  for (std::size_t lane = 0; lane < column.size(); ++lane) {
    CAPTURE(column[lane]);
    const Quantity expected = ceil_log2(column[lane]);
    CHECK(evaluation.values[0][lane] == expected.constant());
  }
}

TEST_CASE("the first lane that overflows is reported, and those before it are exact") {
  Program program;
  const Quantity x = program.variable("x");
  for (const std::size_t lanes : lane_counts) {
    for (const std::size_t bad : {std::size_t{0}, std::size_t{1}, std::size_t{254},
                                  std::size_t{255}, std::size_t{256}, std::size_t{999}}) {
      if (bad >= lanes) continue;
      CAPTURE(lanes);
      CAPTURE(bad);
      Column column(lanes);
      std::iota(column.begin(), column.end(), 1);
      column[bad] = std::int64_t{1} << 40;
      column[lanes - 1] = std::int64_t{1} << 40;
      const Evaluation evaluation = evaluated(program, {x * x}, {column}, lanes);
      REQUIRE(evaluation.bad_lane.has_value());
      CHECK(*evaluation.bad_lane == bad);
      for (std::size_t lane = 0; lane < bad; ++lane) {
        CHECK(evaluation.values[0][lane] == column[lane] * column[lane]);
      }
    }
  }
}

TEST_CASE("a fault reaches everything that is worked out from it") {
  Program program;
  const Quantity x = program.variable("x");
  const Column column = {3, std::int64_t{1} << 40};
  const Quantity square = x * x;
  const std::vector<Quantity> spoiled = {
      square + 1,
      1 - square,
      square * 2,
      square / 7,
      7 / square,
      square % 7,
      ceil_divide(square, 7),
      minimum(square, 0),
      maximum(0, square),
      greatest_common_divisor(square, 2),
      (square == 9).truth(),
      (square < 9).truth(),
      (9 <= square).truth(),
      select(square < 100, 1, 2),
      select(x < 100, 1, square),
  };
  for (const Quantity& root : spoiled) {
    const Evaluation evaluation = evaluated(program, {root}, {column}, 2);
    REQUIRE(evaluation.bad_lane.has_value());
    CHECK(*evaluation.bad_lane == 1);
  }
}

TEST_CASE("a division by zero is a fault") {
  Program program;
  const Quantity x = program.variable("x");
  for (const Quantity& root : {12 / x, 12 % x, ceil_divide(12, x)}) {
    const Evaluation evaluation = evaluated(program, {root}, {{3, 4, 0, 6}}, 4);
    REQUIRE(evaluation.bad_lane.has_value());
    CHECK(*evaluation.bad_lane == 2);
    CHECK_FALSE(evaluated(program, {root}, {{3, 4, 5, 6}}, 4).bad_lane.has_value());
  }
}

TEST_CASE("a fault in the branch that select does not take does not count") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity guarded = select(x == 0, 0, 100 / x);
  const Evaluation evaluation = evaluated(program, {guarded}, {{5, 0, -3}}, 3);
  CHECK_FALSE(evaluation.bad_lane.has_value());
  CHECK(evaluation.values[0] == Column{20, 0, -34});

  const Quantity other = select(x < (std::int64_t{1} << 31), x * x, 7);
  const Column column = {9, std::int64_t{1} << 60};
  const Evaluation large = evaluated(program, {other}, {column}, 2);
  CHECK_FALSE(large.bad_lane.has_value());
  CHECK(large.values[0] == Column{81, 7});

  const Quantity taken = select(x == 0, 100 / x, 0);
  const Evaluation wrong = evaluated(program, {taken}, {{5, 0, -3}}, 3);
  REQUIRE(wrong.bad_lane.has_value());
  CHECK(*wrong.bad_lane == 1);
}

TEST_CASE("a fault in an expression that nothing asks for does not count") {
  Program program;
  const Quantity x = program.variable("x");
  (void)(100 / x);
  const Evaluation evaluation = evaluated(program, {x + 1}, {{0, 1}}, 2);
  CHECK_FALSE(evaluation.bad_lane.has_value());
  CHECK(evaluation.values[0] == Column{1, 2});
}

TEST_CASE("a lane where a requirement does not hold is reported") {
  Program program;
  const Quantity x = program.variable("x");
  program.require(x % 2 == 0, "x must be even");
  program.require(x < 1000, "x must be small");
  for (const std::size_t lanes : lane_counts) {
    if (lanes == 0) continue;
    Column column(lanes, 4);
    CHECK_FALSE(evaluated(program, {x}, {column}, lanes).bad_lane.has_value());
    column[lanes - 1] = 1000;
    Evaluation evaluation = evaluated(program, {x}, {column}, lanes);
    REQUIRE(evaluation.bad_lane.has_value());
    CHECK(*evaluation.bad_lane == lanes - 1);
    column[lanes / 2] = 5;
    evaluation = evaluated(program, {x}, {column}, lanes);
    REQUIRE(evaluation.bad_lane.has_value());
    CHECK(*evaluation.bad_lane == lanes / 2);
  }
}

TEST_CASE("a requirement that cannot be worked out does not hold") {
  Program program;
  const Quantity x = program.variable("x");
  program.require(x * x > 0, "the square must be positive");
  const Evaluation evaluation = evaluated(program, {x}, {{1, std::int64_t{1} << 40}}, 2);
  REQUIRE(evaluation.bad_lane.has_value());
  CHECK(*evaluation.bad_lane == 1);
}

TEST_CASE("requirements count when no result is asked for") {
  Program program;
  const Quantity x = program.variable("x");
  program.require(x > 0, "x must be positive");
  CHECK_FALSE(evaluated(program, {}, {{1, 2}}, 2).bad_lane.has_value());
  const Evaluation evaluation = evaluated(program, {}, {{1, 0}}, 2);
  REQUIRE(evaluation.bad_lane.has_value());
  CHECK(*evaluation.bad_lane == 1);
}

TEST_CASE("what follows an overflow cannot trap") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  for (const Quantity& root :
       {(x + 1) / y, ceil_divide(x + 1, y), (x + 1) % y, greatest_common_divisor(x + 1, y)}) {
    const Evaluation evaluation = evaluated(program, {root}, {{5, highest}, {-1, -1}}, 2);
    REQUIRE(evaluation.bad_lane.has_value());
    CHECK(*evaluation.bad_lane == 1);
  }
}

TEST_CASE("a quotient below the limits is a fault") {
  Program program;
  const Quantity x = program.variable("x");
  CHECK(evaluated(program, {x / -1}, {{highest}}, 1).bad_lane.has_value());
  CHECK(evaluated(program, {ceil_divide(x, -1)}, {{highest}}, 1).bad_lane.has_value());
}

TEST_CASE("lookups are evaluated, and fault outside of their table") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity found = program.lookup(x, Column{30, 10, highest});
  const Evaluation evaluation = evaluated(program, {found}, {{2, 0, 1, 0}}, 4);
  CHECK_FALSE(evaluation.bad_lane.has_value());
  CHECK(evaluation.values[0] == Column{highest, 30, 10, 30});
  for (const std::int64_t outside : {std::int64_t{-1}, std::int64_t{3}, highest}) {
    const Evaluation wrong = evaluated(program, {found}, {{2, outside, 1}}, 3);
    REQUIRE(wrong.bad_lane.has_value());
    CHECK(*wrong.bad_lane == 1);
  }
}

TEST_CASE("columns go by the variables' numbers, whichever are used") {
  Program program;
  (void)program.variable("w");
  const Quantity x = program.variable("x");
  (void)program.variable("y");
  const Quantity z = program.variable("z");
  const Evaluation evaluation =
      evaluated(program, {z - x}, {{1, 1}, {20, 30}, {400, 400}, {5000, 7000}}, 2);
  CHECK_FALSE(evaluation.bad_lane.has_value());
  CHECK(evaluation.values[0] == Column{4980, 6970});
}

TEST_CASE("a value below the lowest count is a fault") {
  Program program;
  const Quantity x = program.variable("x");
  CHECK_FALSE(evaluated(program, {x}, {{checked::lowest}}, 1).bad_lane.has_value());
  CHECK(evaluated(program, {x}, {{checked::lowest - 1}}, 1).bad_lane.has_value());
}

TEST_CASE("ceil_log2 of a variable beyond 2^62") {
  Program program;
  const Quantity x = program.variable("x");
  const Evaluation evaluation = evaluated(program, {ceil_log2(x)}, {{highest}}, 1);
  CHECK(evaluation.values[0][0] == 63);
}

}  // namespace netledger
