#include "quantity/evaluate.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace netledger {

namespace {

// Lanes evaluated together: registers of this length stay in the first-level cache.
constexpr std::size_t block = 128;

// The values of one expression in one block; a fault marks a lane whose value is not exact.
struct Register {
  std::array<std::int64_t, block> value;
  std::array<std::uint8_t, block> fault;
};

template <class Operation>
void apply(const Register& left, const Register& right, Register& result, Operation operation) {
  for (std::size_t lane = 0; lane < block; ++lane) {
    const bool fault = operation(left.value[lane], right.value[lane], result.value[lane]);
    // A value that is not exact must not trap in a later division.
    if (fault) result.value[lane] = 0;
    result.fault[lane] =
        static_cast<std::uint8_t>(left.fault[lane] | right.fault[lane] | (fault ? 1 : 0));
  }
}

bool outside(std::int64_t value) { return value < checked::lowest; }

// By zero, or with a quotient below the lowest count.
bool not_divisible(std::int64_t left, std::int64_t right) {
  return right == 0 || (right == -1 && left > -checked::lowest);
}

void run(const Expression& expression, std::vector<Register>& registers,
         std::span<const std::int64_t* const> columns, std::size_t start, std::size_t count,
         Register& result) {
  if (expression.opcode == Opcode::constant) {
    result.value.fill(expression.value);
    result.fault.fill(0);
    return;
  }
  if (expression.opcode == Opcode::variable) {
    const std::int64_t* column = columns[expression.first] + start;
    std::copy_n(column, count, result.value.begin());
    // Repeats the last lane, so that unused lanes never fault on their own.
    std::fill(result.value.begin() + static_cast<std::ptrdiff_t>(count), result.value.end(),
              column[count - 1]);
    for (std::size_t lane = 0; lane < block; ++lane) {
      result.fault[lane] = static_cast<std::uint8_t>(outside(result.value[lane]) ? 1 : 0);
      if (result.fault[lane] != 0) result.value[lane] = 0;
    }
    return;
  }
  const Register& left = registers[expression.first];
  const Register& right = registers[expression.second];
  using Value = std::int64_t;
  switch (expression.opcode) {
    case Opcode::add:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        return __builtin_add_overflow(a, b, &out) || outside(out);
      });
      break;
    case Opcode::subtract:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        return __builtin_sub_overflow(a, b, &out) || outside(out);
      });
      break;
    case Opcode::multiply:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        return __builtin_mul_overflow(a, b, &out) || outside(out);
      });
      break;
    case Opcode::floor_divide:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        if (not_divisible(a, b)) return true;
        out = checked::floor_divide(a, b);
        return false;
      });
      break;
    case Opcode::ceil_divide:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        if (not_divisible(a, b)) return true;
        out = checked::ceil_divide(a, b);
        return false;
      });
      break;
    case Opcode::modulo:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = b == 0 ? 0 : checked::modulo(a, b);
        return b == 0;
      });
      break;
    case Opcode::minimum:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = std::min(a, b);
        return false;
      });
      break;
    case Opcode::maximum:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = std::max(a, b);
        return false;
      });
      break;
    case Opcode::greatest_common_divisor:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = std::gcd(a, b);
        return false;
      });
      break;
    case Opcode::equal:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = static_cast<Value>(a == b);
        return false;
      });
      break;
    case Opcode::less:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = static_cast<Value>(a < b);
        return false;
      });
      break;
    case Opcode::less_equal:
      apply(left, right, result, [](Value a, Value b, Value& out) {
        out = static_cast<Value>(a <= b);
        return false;
      });
      break;
    case Opcode::select: {
      const Register& otherwise = registers[expression.third];
      for (std::size_t lane = 0; lane < block; ++lane) {
        const bool yes = left.value[lane] != 0;
        // Only the branch taken can spoil the value.
        result.value[lane] = yes ? right.value[lane] : otherwise.value[lane];
        result.fault[lane] = static_cast<std::uint8_t>(
            left.fault[lane] | (yes ? right.fault[lane] : otherwise.fault[lane]));
      }
      break;
    }
    case Opcode::constant:
    case Opcode::variable:
      break;
  }
}

}  // namespace

std::optional<std::size_t> evaluate(const Program& program, std::span<const std::uint32_t> roots,
                                    std::span<const std::int64_t* const> columns, std::size_t lanes,
                                    std::span<std::int64_t* const> results) {
  const std::vector<Expression>& expressions = program.expressions();
  std::vector<Register> registers(expressions.size());
  for (std::size_t start = 0; start < lanes; start += block) {
    const std::size_t count = std::min(block, lanes - start);
    for (std::size_t index = 0; index < expressions.size(); ++index) {
      run(expressions[index], registers, columns, start, count, registers[index]);
    }
    std::array<std::uint8_t, block> bad{};
    for (const Requirement& requirement : program.requirements()) {
      const Register& condition = registers[requirement.condition];
      for (std::size_t lane = 0; lane < count; ++lane) {
        bad[lane] |=
            static_cast<std::uint8_t>(condition.fault[lane] | (condition.value[lane] == 0 ? 1 : 0));
      }
    }
    for (std::size_t root = 0; root < roots.size(); ++root) {
      const Register& source = registers[roots[root]];
      std::copy_n(source.value.begin(), count, results[root] + start);
      for (std::size_t lane = 0; lane < count; ++lane) bad[lane] |= source.fault[lane];
    }
    for (std::size_t lane = 0; lane < count; ++lane) {
      if (bad[lane] != 0) return start + lane;
    }
  }
  return std::nullopt;
}

}  // namespace netledger
