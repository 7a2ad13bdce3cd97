// Quantity: the one number type of the core. A constant, or an expression in a program's variables.
//
// Arithmetic on constants folds on the spot and is checked; as soon as one operand is an
// expression, the same operators append to that expression's Program instead. Every rule of the
// rule book is written over Quantity, once, and so serves single layers and whole spaces alike.
#pragma once

#include <cstdint>
#include <span>

#include "quantity/checked.h"

namespace netledger {

class Program;

enum class Opcode : std::uint8_t {
  constant,
  variable,
  add,
  subtract,
  multiply,
  floor_divide,
  ceil_divide,
  modulo,
  minimum,
  maximum,
  greatest_common_divisor,
  equal,
  less,
  less_equal,
  select,
  // The entry of a table at an index.
  lookup,
};

class Quantity {
 public:
  // Uninitialised on purpose: arrays of quantities are filled right after they are made.
  Quantity() noexcept = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a plain integer is a Quantity.
  constexpr Quantity(std::int64_t value) noexcept : value_(value), program_(nullptr) {}

  [[nodiscard]] constexpr bool is_constant() const noexcept { return program_ == nullptr; }
  // The value of a constant; undefined for an expression.
  [[nodiscard]] constexpr std::int64_t constant() const noexcept { return value_; }
  // The identity of an expression within its program; undefined for a constant.
  [[nodiscard]] constexpr std::uint32_t expression() const noexcept {
    return static_cast<std::uint32_t>(value_);
  }
  [[nodiscard]] constexpr Program* program() const noexcept { return program_; }

  [[nodiscard]] bool is(std::int64_t value) const noexcept {
    return is_constant() && value_ == value;
  }
  // Same constant, or same expression of the same program.
  [[nodiscard]] constexpr bool same_as(const Quantity& other) const noexcept {
    return value_ == other.value_ && program_ == other.program_;
  }

 private:
  friend class Program;
  constexpr Quantity(Program* program, std::uint32_t expression) noexcept
      : value_(expression), program_(program) {}

  std::int64_t value_;
  Program* program_;
};

// The outcome of a comparison: known at once for constants, an expression otherwise.
class Condition {
 public:
  constexpr explicit Condition(Quantity truth) noexcept : truth_(truth) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a plain bool is a Condition.
  constexpr Condition(bool truth) noexcept : truth_(truth ? 1 : 0) {}
  [[nodiscard]] constexpr bool known() const noexcept { return truth_.is_constant(); }
  [[nodiscard]] constexpr bool holds() const noexcept {
    return truth_.is_constant() && truth_.constant() != 0;
  }
  // 1 where the condition holds, 0 elsewhere.
  [[nodiscard]] constexpr const Quantity& truth() const noexcept { return truth_; }

 private:
  Quantity truth_;
};

namespace detail {
// Appends an operation of which at least one operand is an expression. Operands are passed by
// value: the constants of a rule then live in registers.
[[nodiscard, gnu::cold]] Quantity append(Opcode opcode, Quantity left, Quantity right);
[[nodiscard, gnu::cold]] Quantity append_select(Quantity truth, Quantity yes, Quantity no);
[[nodiscard]] inline bool constants(const Quantity& left, const Quantity& right) noexcept {
  return left.is_constant() && right.is_constant();
}
}  // namespace detail

[[nodiscard]] inline Quantity operator+(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return checked::add(left.constant(), right.constant());
  return detail::append(Opcode::add, left, right);
}
[[nodiscard]] inline Quantity operator-(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return checked::subtract(left.constant(), right.constant());
  return detail::append(Opcode::subtract, left, right);
}
[[nodiscard]] inline Quantity operator*(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return checked::multiply(left.constant(), right.constant());
  return detail::append(Opcode::multiply, left, right);
}
// Floor division.
[[nodiscard]] inline Quantity operator/(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) {
    return checked::floor_divide(left.constant(), right.constant());
  }
  return detail::append(Opcode::floor_divide, left, right);
}
[[nodiscard]] inline Quantity operator%(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return checked::modulo(left.constant(), right.constant());
  return detail::append(Opcode::modulo, left, right);
}
[[nodiscard]] inline Quantity ceil_divide(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) {
    return checked::ceil_divide(left.constant(), right.constant());
  }
  return detail::append(Opcode::ceil_divide, left, right);
}
[[nodiscard]] inline Quantity minimum(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) {
    return left.constant() < right.constant() ? left : right;
  }
  return detail::append(Opcode::minimum, left, right);
}
[[nodiscard]] inline Quantity maximum(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) {
    return left.constant() < right.constant() ? right : left;
  }
  return detail::append(Opcode::maximum, left, right);
}
[[nodiscard]] inline Quantity greatest_common_divisor(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) {
    return checked::greatest_common_divisor(left.constant(), right.constant());
  }
  return detail::append(Opcode::greatest_common_divisor, left, right);
}
inline Quantity& operator+=(Quantity& left, const Quantity& right) { return left = left + right; }
inline Quantity& operator-=(Quantity& left, const Quantity& right) { return left = left - right; }
inline Quantity& operator*=(Quantity& left, const Quantity& right) { return left = left * right; }

[[nodiscard]] inline Condition operator==(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return left.constant() == right.constant();
  return Condition(detail::append(Opcode::equal, left, right));
}
[[nodiscard]] inline Condition operator<(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return left.constant() < right.constant();
  return Condition(detail::append(Opcode::less, left, right));
}
[[nodiscard]] inline Condition operator<=(const Quantity& left, const Quantity& right) {
  if (detail::constants(left, right)) return left.constant() <= right.constant();
  return Condition(detail::append(Opcode::less_equal, left, right));
}
[[nodiscard]] inline Condition operator>(const Quantity& left, const Quantity& right) {
  return right < left;
}
[[nodiscard]] inline Condition operator>=(const Quantity& left, const Quantity& right) {
  return right <= left;
}
// Both hold, either holds, does not hold. (Not && and ||: those would seem to short-circuit.)
[[nodiscard]] inline Condition both(const Condition& left, const Condition& right) {
  return Condition(left.truth() * right.truth());
}
[[nodiscard]] inline Condition either(const Condition& left, const Condition& right) {
  return Condition(maximum(left.truth(), right.truth()));
}
[[nodiscard]] inline Condition negation(const Condition& condition) {
  return Condition(Quantity(1) - condition.truth());
}
[[nodiscard]] inline Quantity select(const Condition& condition, const Quantity& yes,
                                     const Quantity& no) {
  if (condition.known()) return condition.holds() ? yes : no;
  return detail::append_select(condition.truth(), yes, no);
}

// ceil(log2(value)) for value >= 1: the depth of a binary tree with that many leaves.
[[nodiscard]] Quantity ceil_log2(const Quantity& value);

namespace detail {
// The product one factor after the other: of expressions, or of constants that do not fit.
[[nodiscard, gnu::cold]] Quantity stepwise_product(std::span<const Quantity> factors);
}  // namespace detail

[[nodiscard]] inline Quantity product(std::span<const Quantity> factors) {
  std::int64_t result = 1;
  for (const Quantity& factor : factors) {
    if (!factor.is_constant() || __builtin_mul_overflow(result, factor.constant(), &result)) {
      return detail::stepwise_product(factors);
    }
  }
  return result < checked::lowest ? detail::stepwise_product(factors) : Quantity(result);
}

}  // namespace netledger
