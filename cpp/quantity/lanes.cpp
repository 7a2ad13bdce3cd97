#include "quantity/lanes.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>

#include "quantity/checked.h"

// Compiles the kernels once per generation of vector units and picks one when the library is
// loaded. Needs GCC and GNU indirect functions, which the sanitizers do not survive.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__OPTIMIZE__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&                           \
    !defined(NETLEDGER_NO_TARGET_CLONES)
#define NETLEDGER_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define NETLEDGER_VECTOR_CLONES
#endif

namespace netledger {

namespace {

// What a register holds.
enum class Kind : std::uint8_t {
  // Proven integers below 2^50, as doubles: those have vector instructions for everything.
  real,
  // Proven integers, unchecked.
  integer,
  // Integers and faults.
  checked,
};

enum class Step : std::uint8_t { load, store, convert, compute };

// Where the operands are: in registers, or constants of the instruction.
enum class Form : std::uint8_t {
  registers,
  constant_first,
  constant_second,
  constant_third,
  // The second and the third.
  constants,
  // A constant divisor, by way of its reciprocal.
  reciprocal,
};

struct Constant {
  std::int64_t integer = 0;
  double real = 0;
};

struct Instruction {
  Step step = Step::compute;
  Kind kind = Kind::checked;
  Opcode opcode = Opcode::constant;
  Form form = Form::registers;
  // A register; of a store the root.
  std::uint32_t result = 0;
  // Registers; of a load the column, of a lookup `second` is the table.
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t third = 0;
  Constant constant = {};
  // The third operand, or the reciprocal of the divisor.
  Constant other = {};
};

constexpr std::size_t block = LaneProgram::block;

// Lanes are worked on in multiples of this, so that vector loops leave no remainder.
constexpr std::size_t strip = 16;

// Below, all arithmetic on doubles is exact here. (On machines that round twice none is used.)
constexpr std::int64_t real_limit = FLT_EVAL_METHOD == 0 ? std::int64_t{1} << 50 : 0;

// A fault is a value that no count has: it needs no register of its own.
constexpr std::int64_t fault = std::numeric_limits<std::int64_t>::min();
static_assert(fault < checked::lowest);

// --- running ----------------------------------------------------------------------------------

// What one run works on.
struct Run {
  std::span<const std::vector<double>> real_tables;
  std::span<const std::vector<std::int64_t>> integer_tables;
  std::span<const std::int64_t* const> columns;
  std::span<std::int64_t* const> results;
  std::span<std::uint8_t* const> faults;
  std::size_t lanes = 0;
  // That cover the lanes; those beyond repeat the last one, so that they cannot trap.
  std::size_t strips = 0;
};

// The part of a run that has values of one type.
template <class Value>
struct File {
  Value* values;
  std::size_t strips;

  [[nodiscard]] Value* at(std::uint32_t index) const { return values + index * block; }
};

template <class Value>
[[gnu::always_inline]] inline Value as(const Constant& constant) {
  if constexpr (std::is_same_v<Value, double>) {
    return constant.real;
  } else {
    return constant.integer;
  }
}

template <class Value, class Function>
[[gnu::always_inline]] inline void unary(const Instruction& instruction, const File<Value>& file,
                                         Function function) {
  Value* __restrict result = file.at(instruction.result);
  const Value* first = file.at(instruction.first);
  for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
    result[lane] = function(first[lane]);
  }
}

template <class Value, class Function>
[[gnu::always_inline]] inline void binary(const Instruction& instruction, const File<Value>& file,
                                          Function function) {
  Value* __restrict result = file.at(instruction.result);
  const Value* first = file.at(instruction.first);
  const Value* second = file.at(instruction.second);
  const Value constant = as<Value>(instruction.constant);
  if (instruction.form == Form::registers) {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], second[lane]);
    }
  } else if (instruction.form == Form::constant_first) {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(constant, second[lane]);
    }
  } else {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], constant);
    }
  }
}

template <class Value, class Function>
[[gnu::always_inline]] inline void ternary(const Instruction& instruction, const File<Value>& file,
                                           Function function) {
  Value* __restrict result = file.at(instruction.result);
  const Value* first = file.at(instruction.first);
  const Value* second = file.at(instruction.second);
  const Value* third = file.at(instruction.third);
  const Value constant = as<Value>(instruction.constant);
  const Value other = as<Value>(instruction.other);
  if (instruction.form == Form::registers) {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], second[lane], third[lane]);
    }
  } else if (instruction.form == Form::constant_second) {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], constant, third[lane]);
    }
  } else if (instruction.form == Form::constant_third) {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], second[lane], other);
    }
  } else {
    for (std::size_t lane = 0; lane < file.strips * strip; ++lane) {
      result[lane] = function(first[lane], constant, other);
    }
  }
}

// From 2^52 to 2^53 doubles are the integers, and this is the middle: adding it to a number below
// 2^51 rounds that to the nearest integer and leaves it in the lower bits. (Few machines have
// vector instructions for the functions and casts that do this.)
constexpr double rounder = 0x1.8p52;

[[gnu::always_inline]] inline double nearest(double value) { return (value + rounder) - rounder; }
[[gnu::always_inline]] inline std::int64_t nearest_integer(double value) {
  return std::bit_cast<std::int64_t>(value + rounder) - std::bit_cast<std::int64_t>(rounder);
}
[[gnu::always_inline]] inline double real_of(std::int64_t value) {
  return std::bit_cast<double>(value + std::bit_cast<std::int64_t>(rounder)) - rounder;
}

// Quotients of integers a, b below 2^50. With h = (sign(b) - b) / 2 and r = a - b * floor(a / b),
//   (a + h) / b = floor(a / b) - 1/2 + (r + sign(b) / 2) / b,
// and the last term lies from 1 / |2b| to 1 - 1 / |2b|. So the integer nearest to (a + h) / b is
// floor(a / b), and no tie is nearer than 1 / |2b|. In doubles a + h is exact, and below 3 * 2^49;
// dividing it, or multiplying it by the rounded 1 / b, makes two roundings at most. They move the
// quotient by less than 3 * 2^49 / |b| * 2^-51.9 < 1 / |2b|: not to a tie. With -h: the ceil.
[[gnu::always_inline]] inline double floor_shift(double divisor) {
  return std::copysign(0.5, divisor) - 0.5 * divisor;
}
[[gnu::always_inline]] inline double floor_quotient(double left, double right) {
  return nearest((left + floor_shift(right)) / right);
}
[[gnu::always_inline]] inline double ceil_quotient(double left, double right) {
  return nearest((left - floor_shift(right)) / right);
}

// A constant divisor of reals.
struct Divisor {
  explicit Divisor(const Instruction& instruction)
      : value(instruction.constant.real),
        reciprocal(instruction.other.real),
        shift(floor_shift(value)) {}

  [[gnu::always_inline]] double floor(double left) const {
    return nearest((left + shift) * reciprocal);
  }
  [[gnu::always_inline]] double ceil(double left) const {
    return nearest((left - shift) * reciprocal);
  }
  [[gnu::always_inline]] double modulo(double left) const { return left - value * floor(left); }

  double value;
  double reciprocal;
  double shift;
};

[[gnu::always_inline]] inline void compute_real(const Instruction& instruction, const Run& run,
                                                const File<double>& file) {
  const Divisor divisor(instruction);
  const bool by_reciprocal = instruction.form == Form::reciprocal;
  switch (instruction.opcode) {
    case Opcode::add:
      binary(instruction, file, [](double a, double b) { return a + b; });
      break;
    case Opcode::subtract:
      binary(instruction, file, [](double a, double b) { return a - b; });
      break;
    case Opcode::multiply:
      binary(instruction, file, [](double a, double b) { return a * b; });
      break;
    case Opcode::floor_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](double a) { return divisor.floor(a); });
      } else {
        binary(instruction, file, floor_quotient);
      }
      break;
    case Opcode::ceil_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](double a) { return divisor.ceil(a); });
      } else {
        binary(instruction, file, ceil_quotient);
      }
      break;
    case Opcode::modulo:
      if (by_reciprocal) {
        unary(instruction, file, [=](double a) { return divisor.modulo(a); });
      } else {
        binary(instruction, file, [](double a, double b) { return a - b * floor_quotient(a, b); });
      }
      break;
    case Opcode::minimum:
      binary(instruction, file, [](double a, double b) { return b < a ? b : a; });
      break;
    case Opcode::maximum:
      binary(instruction, file, [](double a, double b) { return a < b ? b : a; });
      break;
    case Opcode::greatest_common_divisor:
      binary(instruction, file, [](double a, double b) {
        return static_cast<double>(
            std::gcd(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b)));
      });
      break;
    case Opcode::equal:
      binary(instruction, file, [](double a, double b) { return a == b ? 1.0 : 0.0; });
      break;
    case Opcode::less:
      binary(instruction, file, [](double a, double b) { return a < b ? 1.0 : 0.0; });
      break;
    case Opcode::less_equal:
      binary(instruction, file, [](double a, double b) { return a <= b ? 1.0 : 0.0; });
      break;
    case Opcode::select:
      ternary(instruction, file, [](double a, double b, double c) { return a != 0 ? b : c; });
      break;
    case Opcode::lookup: {
      const double* table = run.real_tables[instruction.second].data();
      unary(instruction, file, [=](double a) { return table[nearest_integer(a)]; });
      break;
    }
    case Opcode::constant:
    case Opcode::variable:
      break;
  }
}

using Integer = std::int64_t;

// Wraps around.
[[gnu::always_inline]] inline Integer wrapped_add(Integer left, Integer right) {
  return static_cast<Integer>(static_cast<std::uint64_t>(left) + static_cast<std::uint64_t>(right));
}
[[gnu::always_inline]] inline Integer wrapped_subtract(Integer left, Integer right) {
  return static_cast<Integer>(static_cast<std::uint64_t>(left) - static_cast<std::uint64_t>(right));
}
[[gnu::always_inline]] inline Integer wrapped_multiply(Integer left, Integer right) {
  return static_cast<Integer>(static_cast<std::uint64_t>(left) * static_cast<std::uint64_t>(right));
}

// The double nearest to any integer, as a cast, which few machines have for vectors: 2^52 plus the
// lower half, and 2^84 + 2^63 plus the upper, are doubles that need only be put together.
[[gnu::always_inline]] inline double wide_real_of(Integer value) {
  const auto bits = static_cast<std::uint64_t>(value);
  const double lower = std::bit_cast<double>((bits & 0xFFFFFFFFU) | 0x4330000000000000U);
  const double upper = std::bit_cast<double>((bits >> 32U) ^ 0x4530000080000000U);
  constexpr double added = 0x1p84 + 0x1p63 + 0x1p52;
  return (upper - added) + lower;
}

// The integer nearest to a double below 2^63, in two halves.
[[gnu::always_inline]] inline Integer wide_nearest_integer(double value) {
  const double upper = nearest(value * 0x1p-32);
  const double lower = value - upper * 0x1p32;
  return nearest_integer(upper) * (Integer{1} << 32) + nearest_integer(lower);
}

// A constant divisor of integers, 2 <= |c| < 2^50. The three roundings before it put the first
// quotient within 2^63 / |c| * 2^-51.4 + 1/2 of a / c. So the rest a - quotient * c is below
// |c| / 2 + 2^12 < 2^50, and exact though both terms may wrap around: real arithmetic can finish.
constexpr std::int64_t divisor_limit = std::int64_t{1} << 50;

struct IntegerDivisor {
  explicit IntegerDivisor(const Instruction& instruction)
      : value(instruction.constant.integer), real(instruction) {}

  [[gnu::always_inline]] Integer first_quotient(Integer left) const {
    return wide_nearest_integer(wide_real_of(left) * real.reciprocal);
  }
  [[gnu::always_inline]] double rest(Integer left, Integer quotient) const {
    return real_of(wrapped_subtract(left, wrapped_multiply(quotient, value)));
  }
  [[gnu::always_inline]] Integer floor(Integer left) const {
    const Integer quotient = first_quotient(left);
    return quotient + nearest_integer(real.floor(rest(left, quotient)));
  }
  [[gnu::always_inline]] Integer ceil(Integer left) const {
    const Integer quotient = first_quotient(left);
    return quotient + nearest_integer(real.ceil(rest(left, quotient)));
  }
  [[gnu::always_inline]] Integer modulo(Integer left) const {
    return nearest_integer(real.modulo(rest(left, first_quotient(left))));
  }

  Integer value;
  Divisor real;
};

// Proven never to wrap around, or to divide by zero.
[[gnu::always_inline]] inline void compute_integer(const Instruction& instruction, const Run& run,
                                                   const File<Integer>& file) {
  const IntegerDivisor divisor(instruction);
  const bool by_reciprocal = instruction.form == Form::reciprocal;
  switch (instruction.opcode) {
    case Opcode::add:
      binary(instruction, file, wrapped_add);
      break;
    case Opcode::subtract:
      binary(instruction, file, wrapped_subtract);
      break;
    case Opcode::multiply:
      binary(instruction, file, wrapped_multiply);
      break;
    case Opcode::floor_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) { return divisor.floor(a); });
      } else {
        binary(instruction, file, checked::floor_divide);
      }
      break;
    case Opcode::ceil_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) { return divisor.ceil(a); });
      } else {
        binary(instruction, file, checked::ceil_divide);
      }
      break;
    case Opcode::modulo:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) { return divisor.modulo(a); });
      } else {
        binary(instruction, file, checked::modulo);
      }
      break;
    case Opcode::minimum:
      binary(instruction, file, [](Integer a, Integer b) { return b < a ? b : a; });
      break;
    case Opcode::maximum:
      binary(instruction, file, [](Integer a, Integer b) { return a < b ? b : a; });
      break;
    case Opcode::greatest_common_divisor:
      binary(instruction, file, checked::greatest_common_divisor);
      break;
    case Opcode::equal:
      binary(instruction, file,
             [](Integer a, Integer b) { return a == b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::less:
      binary(instruction, file,
             [](Integer a, Integer b) { return a < b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::less_equal:
      binary(instruction, file,
             [](Integer a, Integer b) { return a <= b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::select:
      ternary(instruction, file, [](Integer a, Integer b, Integer c) { return a != 0 ? b : c; });
      break;
    case Opcode::lookup: {
      const Integer* table = run.integer_tables[instruction.second].data();
      unary(instruction, file, [=](Integer a) { return table[a]; });
      break;
    }
    case Opcode::constant:
    case Opcode::variable:
      break;
  }
}

// A fault in an operand is one in the result.
template <class Function>
[[gnu::always_inline]] inline auto passing_faults(Function function) {
  return [=](Integer a, Integer b) {
    const Integer result = function(a, b);
    return (a == fault) | (b == fault) ? fault : result;
  };
}

[[gnu::always_inline]] inline Integer checked_add(Integer left, Integer right) {
  const Integer sum = wrapped_add(left, right);
  const bool overflow = ((left ^ sum) & (right ^ sum)) < 0;
  return overflow | (sum < checked::lowest) ? fault : sum;
}

[[gnu::always_inline]] inline Integer checked_subtract(Integer left, Integer right) {
  const Integer difference = wrapped_subtract(left, right);
  const bool overflow = ((left ^ right) & (left ^ difference)) < 0;
  return overflow | (difference < checked::lowest) ? fault : difference;
}

// No vector instruction gives the upper half of a product, so the product of doubles stands in. One
// that wrapped around is off by 2^64 or more. Below 2^65 the doubles are right within 2^14, beyond
// it within a billionth: the two products differ by 2^62 if and only if one wrapped around.
[[gnu::always_inline]] inline Integer checked_multiply(Integer left, Integer right) {
  const Integer product = wrapped_multiply(left, right);
  const double estimate = wide_real_of(left) * wide_real_of(right);
  const bool overflow = std::fabs(wide_real_of(product) - estimate) > 0x1p62;
  return overflow | (product < checked::lowest) ? fault : product;
}

// By zero, or with a quotient below the lowest count.
[[gnu::always_inline]] inline bool not_divisible(Integer left, Integer right) {
  return right == 0 || (right == -1 && (left > -checked::lowest || left == fault));
}

[[gnu::always_inline]] inline void compute_checked(const Instruction& instruction, const Run& run,
                                                   const File<Integer>& file) {
  const IntegerDivisor divisor(instruction);
  const bool by_reciprocal = instruction.form == Form::reciprocal;
  const auto compute = [&](auto function) { binary(instruction, file, passing_faults(function)); };
  switch (instruction.opcode) {
    case Opcode::add:
      compute(checked_add);
      break;
    case Opcode::subtract:
      compute(checked_subtract);
      break;
    case Opcode::multiply:
      compute(checked_multiply);
      break;
    case Opcode::floor_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) {
          const Integer quotient = divisor.floor(a);
          return a == fault ? fault : quotient;
        });
      } else {
        compute([](Integer a, Integer b) {
          return not_divisible(a, b) ? fault : checked::floor_divide(a, b);
        });
      }
      break;
    case Opcode::ceil_divide:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) {
          const Integer quotient = divisor.ceil(a);
          return a == fault ? fault : quotient;
        });
      } else {
        compute([](Integer a, Integer b) {
          return not_divisible(a, b) ? fault : checked::ceil_divide(a, b);
        });
      }
      break;
    case Opcode::modulo:
      if (by_reciprocal) {
        unary(instruction, file, [=](Integer a) {
          const Integer rest = divisor.modulo(a);
          return a == fault ? fault : rest;
        });
      } else {
        compute([](Integer a, Integer b) { return b == 0 ? fault : checked::modulo(a, b); });
      }
      break;
    case Opcode::minimum:
      compute([](Integer a, Integer b) { return b < a ? b : a; });
      break;
    case Opcode::maximum:
      compute([](Integer a, Integer b) { return a < b ? b : a; });
      break;
    case Opcode::greatest_common_divisor:
      compute([](Integer a, Integer b) {
        // The magnitude of a fault is no integer.
        return (a == fault) | (b == fault) ? fault : checked::greatest_common_divisor(a, b);
      });
      break;
    case Opcode::equal:
      compute([](Integer a, Integer b) { return a == b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::less:
      compute([](Integer a, Integer b) { return a < b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::less_equal:
      compute([](Integer a, Integer b) { return a <= b ? Integer{1} : Integer{0}; });
      break;
    case Opcode::select:
      // Only the branch taken can spoil the value.
      ternary(instruction, file, [](Integer a, Integer b, Integer c) {
        const Integer taken = a != 0 ? b : c;
        return a == fault ? fault : taken;
      });
      break;
    case Opcode::lookup: {
      const std::vector<Integer>& table = run.integer_tables[instruction.second];
      const Integer* entries = table.data();
      const auto size = static_cast<Integer>(table.size());
      unary(instruction, file, [=](Integer a) {
        const bool inside = (a >= 0) & (a < size);
        const Integer entry = entries[inside ? a : 0];
        return inside ? entry : fault;
      });
      break;
    }
    case Opcode::constant:
    case Opcode::variable:
      break;
  }
}

template <class Value, class Function>
[[gnu::always_inline]] inline void load(const Instruction& instruction, const Run& run,
                                        const File<Value>& file, Function function) {
  Value* __restrict result = file.at(instruction.result);
  const std::int64_t* column = run.columns[instruction.first];
  for (std::size_t lane = 0; lane < run.lanes; ++lane) result[lane] = function(column[lane]);
  std::fill(result + run.lanes, result + run.strips * strip, result[run.lanes - 1]);
}

[[gnu::always_inline]] inline void store(const Instruction& instruction, const Run& run,
                                         const double* reals, const std::int64_t* integers) {
  std::int64_t* __restrict result = run.results[instruction.result];
  std::uint8_t* faults = run.faults.empty() ? nullptr : run.faults[instruction.result];
  if (instruction.form != Form::registers) {
    const Integer value = instruction.constant.integer;
    std::fill_n(result, run.lanes, value == fault ? 0 : value);
    if (faults != nullptr) std::fill_n(faults, run.lanes, value == fault ? 1 : 0);
    return;
  }
  if (instruction.kind == Kind::real) {
    const double* source = reals + instruction.first * block;
    for (std::size_t lane = 0; lane < run.lanes; ++lane) {
      result[lane] = nearest_integer(source[lane]);
    }
  } else {
    const std::int64_t* source = integers + instruction.first * block;
    for (std::size_t lane = 0; lane < run.lanes; ++lane) {
      result[lane] = source[lane] == fault ? 0 : source[lane];
    }
    if (faults != nullptr) {
      for (std::size_t lane = 0; lane < run.lanes; ++lane) {
        faults[lane] = static_cast<std::uint8_t>(source[lane] == fault ? 1 : 0);
      }
      return;
    }
  }
  if (faults != nullptr) std::fill_n(faults, run.lanes, std::uint8_t{0});
}

// One function, so that everything above is compiled into each of its clones.
NETLEDGER_VECTOR_CLONES void execute(const Instruction* begin, const Instruction* end,
                                     const Run& run, double* reals, std::int64_t* integers) {
  const File<double> real_file{.values = reals, .strips = run.strips};
  const File<std::int64_t> integer_file{.values = integers, .strips = run.strips};
  for (const Instruction* instruction = begin; instruction != end; ++instruction) {
    switch (instruction->step) {
      case Step::load:
        if (instruction->kind == Kind::real) {
          load(*instruction, run, real_file, [](Integer a) { return real_of(a); });
        } else {
          load(*instruction, run, integer_file,
               [](Integer a) { return a < checked::lowest ? fault : a; });
        }
        break;
      case Step::store:
        store(*instruction, run, reals, integers);
        break;
      case Step::convert:
        if (instruction->kind == Kind::real) {
          double* __restrict result = real_file.at(instruction->result);
          const std::int64_t* source = integer_file.at(instruction->first);
          for (std::size_t lane = 0; lane < run.strips * strip; ++lane) {
            result[lane] = real_of(source[lane]);
          }
        } else {
          std::int64_t* __restrict result = integer_file.at(instruction->result);
          const double* source = real_file.at(instruction->first);
          for (std::size_t lane = 0; lane < run.strips * strip; ++lane) {
            result[lane] = nearest_integer(source[lane]);
          }
        }
        break;
      case Step::compute:
        switch (instruction->kind) {
          case Kind::real:
            compute_real(*instruction, run, real_file);
            break;
          case Kind::integer:
            compute_integer(*instruction, run, integer_file);
            break;
          case Kind::checked:
            compute_checked(*instruction, run, integer_file);
            break;
        }
        break;
    }
  }
}

}  // namespace

struct LaneProgram::Code {
  std::vector<Instruction> instructions;
  std::vector<std::vector<double>> real_tables;
  std::vector<std::vector<std::int64_t>> integer_tables;
  std::vector<std::uint32_t> variables;
  std::vector<Interval> bounds;
  std::uint32_t reals = 0;
  std::uint32_t integers = 0;
  bool proven = true;
};

// --- compiling --------------------------------------------------------------------------------

namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

bool is_real(const Interval& interval) {
  return interval.exact && -real_limit < interval.low && interval.high < real_limit;
}

std::uint32_t operand_count(Opcode opcode) {
  switch (opcode) {
    case Opcode::constant:
    case Opcode::variable:
      return 0;
    case Opcode::lookup:
      return 1;
    case Opcode::select:
      return 3;
    default:
      return 2;
  }
}

using Operands = std::array<std::uint32_t, 3>;

Operands operands_of(const Expression& expression) {
  Operands result = {expression.first, expression.second, expression.third};
  std::fill(result.begin() + operand_count(expression.opcode), result.end(), none);
  return result;
}

// An instruction to be, and what it waits for.
struct Node {
  Instruction instruction;
  // Nodes; none for constants.
  Operands operands = {none, none, none};
  std::vector<std::uint32_t> users;
  std::vector<std::uint32_t> roots;
  // Operands not worked out yet, and users not yet.
  std::uint32_t missing = 0;
  std::uint32_t uses = 0;
  std::uint32_t place = none;
};

// The numbers of registers: the one freed last is used first, it is still in the cache.
class Allocator {
 public:
  [[nodiscard]] std::uint32_t take() {
    if (free_.empty()) return count_++;
    const std::uint32_t result = free_.back();
    free_.pop_back();
    return result;
  }
  void release(std::uint32_t index) { free_.push_back(index); }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  std::vector<std::uint32_t> free_;
  std::uint32_t count_ = 0;
};

class Compiler {
 public:
  Compiler(const Program& program, std::span<const Interval> bounds)
      : program_(program),
        bounds_(bounds),
        meaning_(bounds.size()),
        constants_(bounds.size()),
        homes_(bounds.size(), none),
        copies_(bounds.size(), none),
        real_tables_(program.tables().size(), none),
        integer_tables_(program.tables().size(), none) {
    for (std::uint32_t expression = 0; expression < bounds.size(); ++expression) {
      meaning_[expression] = taken_branch(expression);
      constants_[expression] = constant_value(expression);
    }
  }

  // Makes a node of everything that the roots need, operands first.
  void add(std::span<const std::uint32_t> roots) {
    std::vector<bool> needed(bounds_.size(), false);
    for (const std::uint32_t root : roots) needed[meaning_[root]] = true;
    for (std::size_t expression = needed.size(); expression-- > 0;) {
      if (!needed[expression] || constants_[expression]) continue;
      const Expression& entry = program_.expressions()[expression];
      if (entry.opcode == Opcode::variable) code_.variables.push_back(entry.first);
      for (const std::uint32_t operand : operands_of(entry)) {
        if (operand != none) needed[meaning_[operand]] = true;
      }
    }
    std::ranges::sort(code_.variables);
    for (std::uint32_t expression = 0; expression < needed.size(); ++expression) {
      if (needed[expression] && !constants_[expression]) add_home(expression);
    }
    for (std::uint32_t root = 0; root < roots.size(); ++root) {
      const std::uint32_t expression = meaning_[roots[root]];
      code_.bounds.push_back(bounds_[expression]);
      code_.proven = code_.proven && bounds_[expression].exact;
      if (const std::optional<std::int64_t> value = constants_[expression]) {
        code_.instructions.push_back({.step = Step::store,
                                      .kind = Kind::checked,
                                      .form = Form::constants,
                                      .result = root,
                                      .constant = {.integer = *value}});
      } else {
        nodes_[homes_[expression]].roots.push_back(root);
      }
    }
  }

  // Puts the nodes in an order that keeps few registers alive.
  void schedule() {
    std::vector<std::uint32_t> ready;
    for (std::uint32_t next = 0; next < nodes_.size(); ++next) {
      // Variables and conversions wait until they are asked for.
      if (nodes_[next].instruction.step != Step::compute && !nodes_[next].users.empty()) continue;
      ready.push_back(next);
      while (!ready.empty()) {
        const std::uint32_t node = ready.back();
        ready.pop_back();
        if (nodes_[node].place == none) emit(node);
        // What ends the life of a register comes at once: sums do not wait for all their terms.
        for (const std::uint32_t user : nodes_[node].users) {
          if (nodes_[user].place == none && nodes_[user].missing == 0 && ends_a_life(user)) {
            ready.push_back(user);
          }
        }
      }
    }
    code_.reals = real_allocator_.count();
    code_.integers = integer_allocator_.count();
  }

  [[nodiscard]] LaneProgram::Code finish() && { return std::move(code_); }

 private:
  // The branch of a select that is the same for all lanes.
  [[nodiscard]] std::uint32_t taken_branch(std::uint32_t expression) const {
    const Expression& entry = program_.expressions()[expression];
    if (entry.opcode != Opcode::select) return expression;
    const Interval& condition = bounds_[entry.first];
    if (!condition.exact) return expression;
    if (!condition.contains(0)) return meaning_[entry.second];
    return condition.is_constant() ? meaning_[entry.third] : expression;
  }

  // The value, or the fault, that the expression has in all lanes.
  [[nodiscard]] std::optional<std::int64_t> constant_value(std::uint32_t expression) const {
    if (bounds_[expression].is_constant()) return bounds_[expression].low;
    const Expression& entry = program_.expressions()[expression];
    if (entry.opcode == Opcode::variable) return std::nullopt;
    // Constants that have no constant result have none at all; neither has a select on a fault.
    const Operands operands = operands_of(entry);
    const auto is_constant = [&](std::uint32_t operand) {
      return operand == none || constants_[meaning_[operand]].has_value();
    };
    const bool has_none = entry.opcode == Opcode::select
                              ? meaning_[expression] == expression && is_constant(operands[0])
                              : std::ranges::all_of(operands, is_constant);
    return has_none ? std::optional(fault) : std::nullopt;
  }

  [[nodiscard]] Kind kind(std::uint32_t expression) const {
    const Expression& entry = program_.expressions()[expression];
    if (!bounds_[expression].exact) return Kind::checked;
    if (!is_real(bounds_[expression])) return Kind::integer;
    for (const std::uint32_t operand : operands_of(entry)) {
      if (operand != none && !is_real(bounds_[operand])) return Kind::integer;
    }
    return Kind::real;
  }

  std::uint32_t add_node(const Instruction& instruction, const Operands& operands) {
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    Node& node = nodes_.emplace_back();
    node.instruction = instruction;
    node.operands = operands;
    for (const std::uint32_t operand : operands) {
      if (operand == none) continue;
      ++node.missing;
      ++nodes_[operand].uses;
      nodes_[operand].users.push_back(index);
    }
    return index;
  }

  // The node that has the expression among the registers that instructions of `kind` read.
  std::uint32_t operand_node(std::uint32_t expression, Kind kind) {
    const std::uint32_t home = homes_[expression];
    if ((nodes_[home].instruction.kind == Kind::real) == (kind == Kind::real)) return home;
    if (copies_[expression] == none) {
      copies_[expression] =
          add_node({.step = Step::convert, .kind = kind}, Operands{home, none, none});
    }
    return copies_[expression];
  }

  void add_home(std::uint32_t expression) {
    const Expression& entry = program_.expressions()[expression];
    Instruction instruction{.kind = kind(expression), .opcode = entry.opcode};
    if (entry.opcode == Opcode::variable) {
      instruction.step = Step::load;
      const auto column = std::ranges::lower_bound(code_.variables, entry.first);
      instruction.first = static_cast<std::uint32_t>(column - code_.variables.begin());
      homes_[expression] = add_node(instruction, {none, none, none});
      return;
    }
    Operands operands = operands_of(entry);
    for (std::uint32_t& operand : operands) {
      if (operand != none) operand = meaning_[operand];
    }
    if (entry.opcode == Opcode::lookup) {
      instruction.second = add_table(entry.second, instruction.kind);
    } else {
      set_constants(instruction, operands);
    }
    for (std::uint32_t& operand : operands) {
      if (operand == none) continue;
      operand = constants_[operand] ? none : operand_node(operand, instruction.kind);
    }
    homes_[expression] = add_node(instruction, operands);
  }

  // Puts the operands that are constants into the instruction.
  void set_constants(Instruction& instruction, const Operands& operands) const {
    const auto constant = [&](std::size_t index) {
      const std::int64_t value = *constants_[operands[index]];
      return Constant{.integer = value, .real = static_cast<double>(value)};
    };
    const auto is_constant = [&](std::size_t index) {
      return constants_[operands[index]].has_value();
    };
    if (instruction.opcode == Opcode::select) {
      if (is_constant(1)) instruction.constant = constant(1);
      if (is_constant(2)) instruction.other = constant(2);
      if (is_constant(1)) {
        instruction.form = is_constant(2) ? Form::constants : Form::constant_second;
      } else if (is_constant(2)) {
        instruction.form = Form::constant_third;
      }
    } else if (is_constant(0)) {
      instruction.form = Form::constant_first;
      instruction.constant = constant(0);
    } else if (is_constant(1)) {
      instruction.form = Form::constant_second;
      instruction.constant = constant(1);
      if (has_reciprocal(instruction)) {
        instruction.form = Form::reciprocal;
        instruction.other.real = 1 / instruction.constant.real;
      }
    }
  }

  static bool has_reciprocal(const Instruction& division) {
    if (division.opcode != Opcode::floor_divide && division.opcode != Opcode::ceil_divide &&
        division.opcode != Opcode::modulo) {
      return false;
    }
    const std::int64_t divisor = division.constant.integer;
    if (division.kind == Kind::real) return true;
    return -divisor_limit < divisor && divisor < divisor_limit && (divisor < -1 || divisor > 1);
  }

  // The number of a copy of the table for instructions of `kind`.
  std::uint32_t add_table(std::uint32_t table, Kind kind) {
    const std::vector<std::int64_t>& values = program_.tables()[table];
    std::uint32_t& number = kind == Kind::real ? real_tables_[table] : integer_tables_[table];
    if (number != none) return number;
    if (kind == Kind::real) {
      number = static_cast<std::uint32_t>(code_.real_tables.size());
      code_.real_tables.emplace_back(values.begin(), values.end());
    } else {
      number = static_cast<std::uint32_t>(code_.integer_tables.size());
      std::vector<std::int64_t>& copy = code_.integer_tables.emplace_back(values);
      // Also gives an empty table an entry to read (and not to use).
      if (copy.empty()) copy.push_back(fault);
      std::ranges::replace_if(
          copy, [](std::int64_t value) { return value < checked::lowest; }, fault);
    }
    return number;
  }

  // Whether a register is free once the node is worked out.
  [[nodiscard]] bool ends_a_life(std::uint32_t node) const {
    const Operands& operands = nodes_[node].operands;
    return std::ranges::any_of(operands, [&](std::uint32_t operand) {
      return operand != none && nodes_[operand].uses == std::ranges::count(operands, operand);
    });
  }

  [[nodiscard]] Allocator& allocator(const Node& node) {
    return node.instruction.kind == Kind::real ? real_allocator_ : integer_allocator_;
  }

  void emit(std::uint32_t index) {
    Node& node = nodes_[index];
    for (const std::uint32_t operand : node.operands) {
      // At most a conversion of a variable: the order of the nodes takes care of the others.
      if (operand != none && nodes_[operand].place == none) emit(operand);
    }
    // Not the register of an operand: kernels may take for granted that theirs do not overlap.
    node.place = allocator(node).take();
    Instruction instruction = node.instruction;
    instruction.result = node.place;
    const std::array slots = {&instruction.first, &instruction.second, &instruction.third};
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      const std::uint32_t operand = node.operands[slot];
      if (operand == none) continue;
      *slots[slot] = nodes_[operand].place;
      if (--nodes_[operand].uses == 0) {
        allocator(nodes_[operand]).release(nodes_[operand].place);
      }
    }
    code_.instructions.push_back(instruction);
    for (const std::uint32_t root : node.roots) {
      code_.instructions.push_back(
          {.step = Step::store, .kind = instruction.kind, .result = root, .first = node.place});
    }
    if (node.uses == 0) allocator(node).release(node.place);
    for (const std::uint32_t user : node.users) --nodes_[user].missing;
  }

  const Program& program_;
  std::span<const Interval> bounds_;
  // Of each expression: the one that it always equals (itself but for selects),
  std::vector<std::uint32_t> meaning_;
  // its value if that is constant,
  std::vector<std::optional<std::int64_t>> constants_;
  // its node, and the node that converts it to the other registers.
  std::vector<std::uint32_t> homes_;
  std::vector<std::uint32_t> copies_;
  // Of each table of the program the number of its copy.
  std::vector<std::uint32_t> real_tables_;
  std::vector<std::uint32_t> integer_tables_;
  std::vector<Node> nodes_;
  Allocator real_allocator_;
  Allocator integer_allocator_;
  LaneProgram::Code code_;
};

}  // namespace

LaneProgram::LaneProgram(const Program& program, std::span<const std::uint32_t> roots,
                         std::span<const Interval> domains) {
  const std::vector<Interval> bounds = intervals(program, domains);
  Compiler compiler(program, bounds);
  compiler.add(roots);
  compiler.schedule();
  code_ = std::make_shared<const Code>(std::move(compiler).finish());
}

const std::vector<std::uint32_t>& LaneProgram::variables() const noexcept {
  return code_->variables;
}

bool LaneProgram::proven() const noexcept { return code_->proven; }

std::size_t LaneProgram::instruction_count() const noexcept { return code_->instructions.size(); }

std::size_t LaneProgram::register_count() const noexcept { return code_->reals + code_->integers; }

const std::vector<Interval>& LaneProgram::bounds() const noexcept { return code_->bounds; }

std::unique_ptr<LaneProgram::Registers> LaneProgram::registers() const {
  auto result = std::make_unique<Registers>();
  // At least one, so that there is an address.
  result->reals_.resize(std::max(code_->reals, 1U));
  result->integers_.resize(std::max(code_->integers, 1U));
  return result;
}

void LaneProgram::run(std::span<const std::int64_t* const> columns, std::size_t lanes,
                      std::span<std::int64_t* const> results, std::span<std::uint8_t* const> faults,
                      Registers& registers) const {
  if (lanes == 0) return;
  const Run run{.real_tables = code_->real_tables,
                .integer_tables = code_->integer_tables,
                .columns = columns,
                .results = results,
                .faults = faults,
                .lanes = lanes,
                .strips = (lanes + strip - 1) / strip};
  double* reals = registers.reals_.front().lanes.data();
  std::int64_t* integers = registers.integers_.front().lanes.data();
  execute(code_->instructions.data(), code_->instructions.data() + code_->instructions.size(), run,
          reals, integers);
}

}  // namespace netledger
