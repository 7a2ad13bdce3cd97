// Lanes give what checked arithmetic gives, one assignment at a time.
#include "quantity/lanes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
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
constexpr std::int64_t power(int exponent) { return std::int64_t{1} << exponent; }

constexpr std::int64_t untouched = -77;
constexpr std::uint8_t no_flag = 9;

struct Outcome {
  // By root, then by lane.
  std::vector<std::vector<std::optional<std::int64_t>>> values;
};

// Runs over any number of lanes; columns are those of all variables. Checks what `run` promises
// of values with faults, and of memory beyond the lanes.
Outcome run(const LaneProgram& program, const std::vector<Column>& columns, std::size_t lanes) {
  constexpr std::size_t block = LaneProgram::block;
  const std::size_t roots = program.bounds().size();
  const std::unique_ptr<LaneProgram::Registers> registers = program.registers();
  Outcome outcome;
  outcome.values.resize(roots);
  for (std::size_t start = 0; start < lanes; start += block) {
    const std::size_t count = std::min(block, lanes - start);
    std::vector<Column> inputs;
    std::vector<const std::int64_t*> sources;
    for (const std::uint32_t variable : program.variables()) {
      // Of exactly the lanes, so that reading beyond them is found.
      const auto first = columns[variable].begin() + static_cast<std::ptrdiff_t>(start);
      inputs.emplace_back(first, first + static_cast<std::ptrdiff_t>(count));
    }
    for (const Column& input : inputs) sources.push_back(input.data());
    std::vector<Column> results(roots, Column(block + 1, untouched));
    std::vector<std::vector<std::uint8_t>> faults(roots,
                                                  std::vector<std::uint8_t>(block + 1, no_flag));
    std::vector<std::int64_t*> targets;
    std::vector<std::uint8_t*> flags;
    for (std::size_t root = 0; root < roots; ++root) {
      targets.push_back(results[root].data());
      flags.push_back(faults[root].data());
    }
    program.run(sources, count, targets, flags, *registers);
    for (std::size_t root = 0; root < roots; ++root) {
      bool kept = results[root][count] == untouched && faults[root][count] == no_flag;
      for (std::size_t lane = 0; lane < count; ++lane) {
        const bool fault = faults[root][lane] != 0;
        kept = kept && faults[root][lane] <= 1 && !(fault && results[root][lane] != 0);
        outcome.values[root].push_back(fault ? std::nullopt : std::optional(results[root][lane]));
      }
      REQUIRE(kept);
    }
    if (program.proven()) {
      std::vector<Column> again = results;
      for (std::size_t root = 0; root < roots; ++root) targets[root] = again[root].data();
      program.run(sources, count, targets, {}, *registers);
      REQUIRE(again == results);
    }
  }
  return outcome;
}

// Compares with the reference; gives how many values and how many faults there were.
std::pair<std::size_t, std::size_t> compare(const Program& program,
                                            std::span<const std::uint32_t> roots,
                                            std::span<const Interval> domains,
                                            const std::vector<Column>& columns, std::size_t lanes) {
  const LaneProgram lane_program(program, roots, domains);
  const Outcome outcome = run(lane_program, columns, lanes);
  std::pair<std::size_t, std::size_t> counts;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    Column assignment;
    for (const Column& column : columns) assignment.push_back(column[lane]);
    const auto expected = testing::reference_values(program, assignment);
    for (std::size_t root = 0; root < roots.size(); ++root) {
      const auto& value = outcome.values[root][lane];
      ++(value ? counts.first : counts.second);
      if (value == expected[roots[root]]) continue;
      CAPTURE(lane);
      CAPTURE(root);
      for (const std::int64_t operand : assignment) {
        CAPTURE(operand);
        CHECK(value.has_value() == expected[roots[root]].has_value());
        CHECK(value.value_or(0) == expected[roots[root]].value_or(0));
      }
      FAIL("a lane differs");
    }
  }
  return counts;
}

std::vector<Column> draw_columns(Engine& engine, std::span<const Interval> domains,
                                 std::size_t lanes) {
  std::vector<Column> columns;
  for (const Interval& domain : domains) {
    Column& column = columns.emplace_back(lanes);
    for (std::int64_t& value : column) value = draw(engine, domain);
  }
  return columns;
}

// Where x and y lie, for each way that lanes can compute.
struct Setting {
  const char* name;
  Interval left;
  Interval right;
  bool proven;
  bool faults;
};

bool divides(Opcode opcode) {
  return opcode == Opcode::floor_divide || opcode == Opcode::ceil_divide ||
         opcode == Opcode::modulo;
}

std::vector<Setting> settings(Opcode opcode) {
  const Interval anything{.low = std::numeric_limits<std::int64_t>::min(), .high = highest};
  const Interval large{.low = -power(60), .high = power(60)};
  const Interval inexact{.low = -900, .high = 900, .exact = false};
  std::vector<Setting> result = {
      {"real", {-900, 900}, {1, 60}, true, false},
      {"real, negative", {-900, 900}, {-60, -1}, true, false},
      {"nearly integer", {1 - power(50), power(50) - 1}, {1, 2}, true, false},
      {"checked", anything, anything, false, true},
      {"checked, with zero", inexact, {-3, 3}, false, divides(opcode)},
  };
  if (opcode == Opcode::multiply) {
    result.push_back({"integer", {-power(50), power(50)}, {-1000, 1000}, true, false});
  } else {
    result.push_back({"integer", large, {1, power(60)}, true, false});
    result.push_back({"integer, negative", large, {-power(60), -1}, true, false});
  }
  return result;
}

}  // namespace

TEST_CASE("every operation, every way of computing, every form of operands") {
  Engine engine(42);
  for (const Opcode opcode : testing::operations_of_two) {
    CAPTURE(static_cast<int>(opcode));
    for (const Setting& setting : settings(opcode)) {
      CAPTURE(setting.name);
      std::size_t values = 0;
      std::size_t faults = 0;
      for (const std::size_t lanes : {1U, 15U, 16U, 17U, 255U, 256U, 700U}) {
        CAPTURE(lanes);
        const std::array domains = {setting.left, setting.right};
        const std::vector<Column> columns = draw_columns(engine, domains, lanes);
        Program program;
        const Quantity x = program.variable("x");
        const Quantity y = program.variable("y");
        const Interval right = {.low = std::max(setting.right.low, lowest),
                                .high = setting.right.high};
        const Interval left = {.low = std::max(setting.left.low, lowest),
                               .high = setting.left.high};
        for (const Quantity& quantity :
             {program.append(opcode, x, y), program.append(opcode, x, draw(engine, right)),
              program.append(opcode, draw(engine, left), y)}) {
          const std::array root = {program.id(quantity)};
          const LaneProgram lane_program(program, root, domains);
          if (setting.proven) CHECK(lane_program.proven());
          const auto counts = compare(program, root, domains, columns, lanes);
          values += counts.first;
          faults += counts.second;
        }
      }
      CHECK(values > 0);
      CHECK((faults > 0) == setting.faults);
    }
  }
}

TEST_CASE("an operation on one operand twice") {
  Engine engine(43);
  for (const Opcode opcode : testing::operations_of_two) {
    for (const Interval& domain :
         {Interval{1, 900}, Interval{power(51), power(52)}, Interval{lowest, highest}}) {
      Program program;
      const Quantity x = program.variable("x");
      const Quantity y = program.variable("y");
      const Quantity product = x * y;
      const std::array root = {program.id(program.append(opcode, product, product))};
      const std::array domains = {domain, Interval{1, 3}};
      compare(program, root, domains, draw_columns(engine, domains, 300), 300);
    }
  }
}

TEST_CASE("quotients next to multiples of the divisor are exact") {
  Engine engine(7);
  const std::int64_t limit = power(50) - 1;
  std::vector<std::int64_t> divisors = {1, 2, 3, 5, 6, 7, 10, 641, 1000003};
  for (int exponent = 2; exponent <= 62; ++exponent) {
    for (const std::int64_t offset : {-1, 0, 1}) divisors.push_back(power(exponent) + offset);
  }
  for (int index = 0; index < 60; ++index) {
    divisors.push_back(draw(engine, 1, power(static_cast<int>(draw(engine, 1, 62)))));
  }
  for (const std::int64_t size : divisors) {
    for (const std::int64_t divisor : {size, -size}) {
      CAPTURE(divisor);
      // Below 2^50 doubles do it, beyond integers, and checked integers where it may fault.
      for (const std::int64_t most : {limit, -lowest}) {
        CAPTURE(most);
        Column left = {most, -most, most - 1, 1 - most, 0, 1, -1};
        while (left.size() < 256) {
          const std::int64_t turns = draw(engine, -(most / size), most / size);
          for (const std::int64_t offset : {-1, 0, 1}) {
            left.push_back(std::clamp(turns * size + offset, -most, most));
          }
          left.push_back(draw(engine, -most, most));
        }
        const std::size_t lanes = left.size();
        for (const bool exact : {true, false}) {
          const std::array domains = {Interval{.low = -most, .high = most, .exact = exact},
                                      Interval{.low = divisor, .high = divisor, .exact = false},
                                      Interval{.low = std::min(divisor, divisor / size),
                                               .high = std::max(divisor, divisor / size)}};
          Program program;
          const Quantity x = program.variable("x");
          const Quantity y = program.variable("y");
          const Quantity z = program.variable("z");
          std::vector<std::uint32_t> roots;
          for (const Opcode opcode : {Opcode::floor_divide, Opcode::ceil_divide, Opcode::modulo}) {
            for (const Quantity& right : {Quantity(divisor), y, z}) {
              roots.push_back(program.id(program.append(opcode, x, right)));
            }
          }
          compare(program, roots, domains, {left, Column(lanes, divisor), Column(lanes, divisor)},
                  lanes);
        }
      }
    }
  }
}

TEST_CASE("products at the limits fault exactly beyond them") {
  Engine engine(11);
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::array roots = {program.id(x * y)};
  const std::array domains = {Interval{lowest, highest}, Interval{lowest, highest}};
  Column left;
  Column right;
  for (int index = 0; index < 4000; ++index) {
    std::int64_t factor = draw(engine, 1, power(static_cast<int>(draw(engine, 0, 62))));
    if (draw(engine, 0, 1) == 0) factor = -factor;
    const std::int64_t limit = draw(engine, 0, 1) == 0 ? highest : lowest;
    const std::int64_t offset = draw(engine, -2, 2);
    left.push_back(factor);
    right.push_back(std::max(limit / factor, lowest + 2) +
                    (limit / factor > highest - 2 ? -std::abs(offset) : offset));
  }
  const std::pair counts = compare(program, roots, domains, {left, right}, left.size());
  CHECK(counts.first > 1000);
  CHECK(counts.second > 1000);
}

TEST_CASE("products that wrap around to small values are faults") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::array roots = {program.id(x * y)};
  const std::array domains = {Interval{lowest, highest}, Interval{lowest, highest}};
  Column left;
  Column right;
  for (int exponent = 1; exponent <= 62; ++exponent) {
    for (int other = 1; other <= 62; ++other) {
      for (const std::int64_t offset : {-1, 0, 1}) {
        left.push_back(power(exponent) + offset);
        right.push_back(power(other));
        left.push_back(-power(exponent));
        right.push_back(power(other) + offset);
      }
    }
  }
  const std::pair counts = compare(program, roots, domains, {left, right}, left.size());
  CHECK(counts.first > 1000);
  CHECK(counts.second > 1000);
}

TEST_CASE("select takes a branch for each lane, in registers or constant") {
  Engine engine(12);
  const Interval small{.low = -5, .high = 5};
  for (const Interval& branch : {Interval{-50, 50}, Interval{-power(60), power(60)},
                                 Interval{.low = -50, .high = 50, .exact = false},
                                 Interval{std::numeric_limits<std::int64_t>::min(), highest}}) {
    for (const bool exact : {true, false}) {
      Program program;
      const Quantity c = program.variable("c");
      const Quantity x = program.variable("x");
      const Quantity y = program.variable("y");
      const std::vector<Quantity> quantities = {
          program.append_select(c, x, y), program.append_select(c, x, 7),
          program.append_select(c, -8, y), program.append_select(c, 3, 4),
          program.append_select(c, c, power(60))};
      std::vector<std::uint32_t> roots;
      for (const Quantity& quantity : quantities) roots.push_back(program.id(quantity));
      const std::array domains = {Interval{small.low, small.high, exact}, branch, branch};
      const LaneProgram lane_program(program, roots, domains);
      CHECK(lane_program.proven() == (exact && branch.exact && branch.low >= lowest));
      for (const std::size_t lanes : {1U, 100U, 256U}) {
        compare(program, roots, domains, draw_columns(engine, domains, lanes), lanes);
      }
    }
  }
}

TEST_CASE("a fault in the branch that select does not take does not count") {
  Engine engine(13);
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::array roots = {program.id(select(x == 0, 0, y / x)),
                            program.id(select(x == 0, y / x, 5)),
                            program.id(program.append_select(y / x, 1, 2))};
  const std::array domains = {Interval{-2, 2}, Interval{-9, 9}};
  const std::vector<Column> columns = draw_columns(engine, domains, 256);
  const LaneProgram lane_program(program, roots, domains);
  CHECK_FALSE(lane_program.proven());
  const Outcome outcome = run(lane_program, columns, 256);
  std::size_t zeros = 0;
  for (std::size_t lane = 0; lane < 256; ++lane) {
    const bool zero = columns[0][lane] == 0;
    zeros += zero ? 1 : 0;
    CHECK(outcome.values[0][lane].has_value());
    CHECK(outcome.values[1][lane].has_value() == !zero);
    CHECK(outcome.values[2][lane].has_value() == !zero);
  }
  CHECK(zeros > 0);
  CHECK(zeros < 256);
  compare(program, roots, domains, columns, 256);
}

TEST_CASE("values below the lowest count are faults") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  Program program;
  const Quantity x = program.variable("x");
  const std::vector<std::uint32_t> roots = {program.id(x), program.id(x + 7),
                                            program.id(maximum(x, 0)), program.id(x / 3)};
  const std::array domains = {Interval{least, highest}};
  const std::vector<Column> columns = {{least, least + 1, lowest - 1, lowest, 0, highest - 7}};
  const std::pair counts = compare(program, roots, domains, columns, columns[0].size());
  CHECK(counts.first == 12);
  CHECK(counts.second == 12);
}

TEST_CASE("lookups read their tables, and fault outside of them") {
  Engine engine(14);
  const Column small = {5, -3, 900, 0, 7};
  const Column large = {power(60), -power(60), 3, highest, lowest};
  const Column odd = {1, lowest - 1, std::numeric_limits<std::int64_t>::min(), 4, 5};
  for (const Interval& domain : {Interval{0, 4}, Interval{1, 3}, Interval{-2, 7},
                                 Interval{std::numeric_limits<std::int64_t>::min(), highest}}) {
    Program program;
    const Quantity x = program.variable("x");
    const Quantity y = program.variable("y");
    std::vector<std::uint32_t> roots;
    for (const Column& table : {small, large, odd, small, Column{}}) {
      roots.push_back(program.id(program.lookup(x, table)));
      roots.push_back(program.id(program.lookup(x * y, table)));
    }
    const std::array domains = {domain, Interval{0, 1}};
    const bool inside = domain.low >= 0 && domain.high <= 4;
    CHECK(LaneProgram(program, std::span(roots).first(4), domains).proven() == inside);
    const auto counts = compare(program, roots, domains, draw_columns(engine, domains, 600), 600);
    CHECK(counts.first > 0);
    CHECK(counts.second > 0);
  }
}

TEST_CASE("values beyond 2^50 and back") {
  // Sums of reals that only integers hold, and remainders of those that are real again.
  Engine engine(15);
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const Quantity large = x * y;
  const Quantity rest = large % 1000;
  const std::vector<std::uint32_t> roots = {
      program.id(large),
      program.id(rest * x),
      program.id(large / power(30) + rest),
      program.id(select(large < power(55), rest, x)),
      program.id(select(rest < 500, large, x)),
  };
  const std::array domains = {Interval{0, power(30)}, Interval{-power(30), power(30)}};
  CHECK(LaneProgram(program, roots, domains).proven());
  const auto counts = compare(program, roots, domains, draw_columns(engine, domains, 1000), 1000);
  CHECK(counts.second == 0);
}

TEST_CASE("random programs over random domains") {
  Engine engine(271828);
  std::array<std::size_t, testing::opcode_count> seen{};
  std::size_t proven_values = 0;
  std::size_t values = 0;
  std::size_t faults = 0;
  for (int trial = 0; trial < 500; ++trial) {
    CAPTURE(trial);
    Program program;
    const int bits = static_cast<int>(draw(engine, 1, draw(engine, 0, 1) == 0 ? 12 : 63));
    std::vector<Interval> domains = testing::grow(program, engine, 30, bits);
    if (draw(engine, 0, 3) == 0) {
      for (Interval& domain : domains) domain.exact = false;
    }
    const auto last = static_cast<std::int64_t>(program.expressions().size()) - 1;
    std::vector<std::uint32_t> roots;
    for (int index = 0; index < 6; ++index) {
      roots.push_back(static_cast<std::uint32_t>(draw(engine, 0, last)));
    }
    for (const Expression& expression : program.expressions()) {
      ++seen[static_cast<std::size_t>(expression.opcode)];
    }
    // All of them, exact ones on their own, and some.
    std::vector<std::uint32_t> everything;
    std::vector<std::uint32_t> exact;
    const std::vector<Interval> bounds = intervals(program, domains);
    for (std::uint32_t expression = 0; expression < bounds.size(); ++expression) {
      everything.push_back(expression);
      if (bounds[expression].exact) exact.push_back(expression);
    }
    const auto lanes = static_cast<std::size_t>(draw(engine, 1, 80));
    const std::vector<Column> columns = draw_columns(engine, domains, lanes);
    if (!exact.empty()) CHECK(LaneProgram(program, exact, domains).proven());
    const auto counts_of_exact = compare(program, exact, domains, columns, lanes);
    CHECK(counts_of_exact.second == 0);
    proven_values += counts_of_exact.first;
    for (const auto& some : {everything, roots}) {
      const auto counts = compare(program, some, domains, columns, lanes);
      values += counts.first;
      faults += counts.second;
    }
  }
  for (std::size_t opcode = 0; opcode < testing::opcode_count; ++opcode) {
    CAPTURE(opcode);
    CHECK(seen[opcode] > 50);
  }
  CHECK(proven_values > 100000);
  CHECK(values > 300000);
  CHECK(faults > 50000);
}

TEST_CASE("roots may be constants, variables, one another, and none") {
  Engine engine(16);
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const std::vector<std::uint32_t> roots = {
      program.id(y),  program.id(42),    program.id(x),         program.id(x + y),
      program.id(42), program.id(x + y), program.id(lowest - 1)};
  const std::array domains = {Interval{-9, 9}, Interval{5, 5}};
  const LaneProgram lane_program(program, roots, domains);
  CHECK_FALSE(lane_program.proven());
  CHECK(lane_program.bounds()[0] == Interval{5, 5});
  CHECK(lane_program.bounds()[2] == Interval{-9, 9});
  CHECK(lane_program.bounds()[3] == Interval{-4, 14});
  const auto counts = compare(program, roots, domains, draw_columns(engine, domains, 300), 300);
  CHECK(counts.second == 300);

  const LaneProgram nothing(program, {}, domains);
  CHECK(nothing.proven());
  CHECK(nothing.instruction_count() == 0);
  CHECK(nothing.variables().empty());
  CHECK(run(nothing, {Column(20, 1), Column(20, 5)}, 20).values.empty());
}

TEST_CASE("only what the roots need is computed") {
  Program program;
  const Quantity w = program.variable("w");
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const Quantity z = program.variable("z");
  (void)program.id(x / (y - y / 2));
  const std::array domains = {Interval{0, 9}, Interval{0, 9}, Interval{0, 9}, Interval{0, 9}};
  const std::array roots = {program.id(z * 3 + w)};
  const LaneProgram lane_program(program, roots, domains);
  CHECK(lane_program.variables() == std::vector<std::uint32_t>{0, 3});
  // Two loads, a product, a sum, a store.
  CHECK(lane_program.instruction_count() == 5);
  CHECK(lane_program.proven());

  // A branch that cannot be taken is not needed either, nor a condition that is decided.
  const std::array decided = {program.id(select(w < 10, z + 1, x / y))};
  const LaneProgram branch(program, decided, domains);
  CHECK(branch.variables() == std::vector<std::uint32_t>{3});
  CHECK(branch.instruction_count() == 3);
  CHECK(branch.proven());
}

TEST_CASE("sums of many terms keep few registers alive") {
  Program program;
  std::vector<Interval> domains;
  std::vector<Quantity> totals = {0, 0, 0};
  std::vector<std::vector<Quantity>> terms(totals.size());
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  domains = {Interval{1, 100}, Interval{1, 100}};
  // Made first and added last: what a network's layers and its totals are.
  for (int index = 0; index < 200; ++index) {
    const Quantity width = (x + index) / 2;
    terms[0].push_back(width * y);
    terms[1].push_back(width * width);
    terms[2].push_back(width + y * index);
  }
  std::vector<std::uint32_t> roots;
  for (std::size_t total = 0; total < totals.size(); ++total) {
    for (const Quantity& term : terms[total]) totals[total] += term;
    roots.push_back(program.id(totals[total]));
  }
  const LaneProgram lane_program(program, roots, domains);
  CHECK(lane_program.instruction_count() > 1000);
  CHECK(lane_program.register_count() <= 10);
  Engine engine(17);
  compare(program, roots, domains, draw_columns(engine, domains, 256), 256);
}

TEST_CASE("a lane program outlives its program, and copies give the same") {
  auto program = std::make_unique<Program>();
  const Quantity x = program->variable("x");
  const std::array roots = {program->id(program->lookup(x % 3, Column{10, 20, 30}) + x)};
  const std::array domains = {Interval{0, 100}};
  const LaneProgram first(*program, roots, domains);
  program.reset();
  const LaneProgram second = first;  // NOLINT(performance-unnecessary-copy-initialization)
  const std::vector<Column> columns = {{0, 1, 2, 3, 98}};
  for (const LaneProgram& lane_program : {first, second}) {
    const Outcome outcome = run(lane_program, columns, 5);
    CHECK(outcome.values[0] == std::vector<std::optional<std::int64_t>>{10, 21, 32, 13, 128});
  }
}

TEST_CASE("no lanes, nothing happens") {
  Program program;
  const Quantity x = program.variable("x");
  const std::array roots = {program.id(x + 1)};
  const LaneProgram lane_program(program, roots, std::array{Interval{0, 9}});
  const std::array<const std::int64_t*, 1> columns = {nullptr};
  std::int64_t result = untouched;
  const std::array<std::int64_t*, 1> results = {&result};
  lane_program.run(columns, 0, results, {}, *lane_program.registers());
  CHECK(result == untouched);
}

}  // namespace netledger
