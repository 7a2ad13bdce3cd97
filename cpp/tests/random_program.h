// Random programs, and their values by plain checked arithmetic: what intervals and lanes must
// meet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "quantity/checked.h"
#include "quantity/interval.h"
#include "quantity/program.h"

namespace netledger::testing {

using Engine = std::mt19937_64;
using Column = std::vector<std::int64_t>;

inline constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

inline constexpr Opcode operations_of_two[] = {
    Opcode::add,          Opcode::subtract,    Opcode::multiply,
    Opcode::floor_divide, Opcode::ceil_divide, Opcode::modulo,
    Opcode::minimum,      Opcode::maximum,     Opcode::greatest_common_divisor,
    Opcode::equal,        Opcode::less,        Opcode::less_equal,
};
inline constexpr std::size_t opcode_count = static_cast<std::size_t>(Opcode::lookup) + 1;

// From low to high, both included; the same on every platform.
inline std::int64_t draw(Engine& engine, std::int64_t low, std::int64_t high) {
  const std::uint64_t choices =
      static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = choices == 0 ? engine() : engine() % choices;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

// From the interval, its ends and the neighbourhood of zero more often than the rest.
inline std::int64_t draw(Engine& engine, const Interval& interval) {
  switch (draw(engine, 0, 7)) {
    case 0:
      return interval.low;
    case 1:
      return interval.high;
    case 2: {
      const std::int64_t small = draw(engine, -3, 3);
      if (interval.contains(small)) return small;
      break;
    }
    default:
      break;
  }
  return draw(engine, interval.low, interval.high);
}

// The value of every expression for one assignment of the variables; nothing where it has none.
inline std::vector<std::optional<std::int64_t>> reference_values(
    const Program& program, std::span<const std::int64_t> assignment) {
  using Value = std::optional<std::int64_t>;
  std::vector<Value> values;
  const auto count = [](std::int64_t value) {
    return value < checked::lowest ? std::nullopt : Value(value);
  };
  const auto operation = [](Opcode opcode, std::int64_t a, std::int64_t b) -> Value {
    try {
      switch (opcode) {
        case Opcode::add:
          return checked::add(a, b);
        case Opcode::subtract:
          return checked::subtract(a, b);
        case Opcode::multiply:
          return checked::multiply(a, b);
        case Opcode::floor_divide:
          return checked::floor_divide(a, b);
        case Opcode::ceil_divide:
          return checked::ceil_divide(a, b);
        case Opcode::modulo:
          return checked::modulo(a, b);
        case Opcode::minimum:
          return a < b ? a : b;
        case Opcode::maximum:
          return a < b ? b : a;
        case Opcode::greatest_common_divisor:
          return std::gcd(a, b);
        case Opcode::equal:
          return a == b ? 1 : 0;
        case Opcode::less:
          return a < b ? 1 : 0;
        case Opcode::less_equal:
          return a <= b ? 1 : 0;
        default:
          return std::nullopt;
      }
    } catch (const CountOverflow&) {
    } catch (const DivisionByZero&) {
    }
    return std::nullopt;
  };
  for (const Expression& expression : program.expressions()) {
    switch (expression.opcode) {
      case Opcode::constant:
        values.push_back(count(expression.value));
        break;
      case Opcode::variable:
        values.push_back(count(assignment[expression.first]));
        break;
      case Opcode::select: {
        const Value condition = values[expression.first];
        values.push_back(!condition        ? std::nullopt
                         : *condition != 0 ? values[expression.second]
                                           : values[expression.third]);
        break;
      }
      case Opcode::lookup: {
        const Value index = values[expression.first];
        const Column& table = program.tables()[expression.second];
        const bool inside =
            index && *index >= 0 && *index < static_cast<std::int64_t>(table.size());
        values.push_back(inside ? count(table[static_cast<std::size_t>(*index)]) : std::nullopt);
        break;
      }
      default: {
        const Value a = values[expression.first];
        const Value b = values[expression.second];
        values.push_back(a && b ? operation(expression.opcode, *a, *b) : std::nullopt);
        break;
      }
    }
  }
  return values;
}

// An interval whose values have up to `bits` bits: of either sign, of one, or one value only.
inline Interval draw_domain(Engine& engine, int bits) {
  const auto limit = static_cast<std::int64_t>((std::uint64_t{1} << draw(engine, 1, bits)) - 1);
  const std::int64_t lowest = std::max(-limit, checked::lowest);
  const std::int64_t low = draw(engine, lowest, limit);
  const std::int64_t high = draw(engine, lowest, limit);
  switch (draw(engine, 0, 5)) {
    case 0:
      return {.low = lowest, .high = limit};
    case 1:
      return {.low = 1, .high = limit};
    case 2:
      return {.low = high, .high = high};
    case 3:
      return {.low = 0, .high = draw(engine, 0, 9)};
    default:
      return {.low = std::min(low, high), .high = std::max(low, high)};
  }
}

// Appends variables of up to `bits` bits and operations on whatever is there; gives the domains.
inline std::vector<Interval> grow(Program& program, Engine& engine, int operations, int bits) {
  std::vector<Interval> domains;
  std::vector<Quantity> pool;
  for (int index = 0; index < 4; ++index) {
    domains.push_back(draw_domain(engine, bits));
    pool.push_back(program.variable("x" + std::to_string(index)));
  }
  const auto variable_count = static_cast<std::int64_t>(pool.size());
  const auto any = [&] {
    // Mostly what came last, so that expressions are deep.
    const auto size = static_cast<std::int64_t>(pool.size());
    const std::int64_t first = draw(engine, 0, 1) == 0 ? 0 : std::max<std::int64_t>(size - 6, 0);
    return pool[static_cast<std::size_t>(draw(engine, first, size - 1))];
  };
  const auto any_or_constant = [&]() -> Quantity {
    if (draw(engine, 0, 3) == 0) return draw(engine, draw_domain(engine, bits));
    return any();
  };
  for (int index = 0; index < operations; ++index) {
    Quantity result;
    switch (draw(engine, 0, 5)) {
      case 0: {
        const Quantity yes = any_or_constant();
        result = program.append_select(any(), yes, any_or_constant());
        break;
      }
      case 1: {
        Column table(static_cast<std::size_t>(draw(engine, 1, 12)));
        for (std::int64_t& value : table) value = draw(engine, draw_domain(engine, bits));
        const Quantity of_variable =
            pool[static_cast<std::size_t>(draw(engine, 0, variable_count - 1))];
        const Quantity place = draw(engine, 0, 1) == 0 ? of_variable : any();
        const auto size = static_cast<std::int64_t>(table.size());
        result = program.lookup(
            draw(engine, 0, 3) == 0 ? place : program.append(Opcode::modulo, place, size), table);
        break;
      }
      default: {
        const auto last = static_cast<std::int64_t>(std::size(operations_of_two)) - 1;
        const Opcode opcode = operations_of_two[static_cast<std::size_t>(draw(engine, 0, last))];
        // Two constants would fold, and might not fit.
        const Quantity left = any_or_constant();
        result = program.append(opcode, left, left.is_constant() ? any() : any_or_constant());
        break;
      }
    }
    if (!result.is_constant()) pool.push_back(result);
  }
  return domains;
}

}  // namespace netledger::testing
