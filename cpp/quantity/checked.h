// Checked 64-bit arithmetic: a result that does not fit is an error, never a wrong number.
#pragma once

#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace netledger {

// A count that a 64-bit integer cannot hold.
class CountOverflow : public std::overflow_error {
 public:
  using std::overflow_error::overflow_error;
};

// A division by zero inside a formula; a rule that checks its attributes first never meets it.
class DivisionByZero : public std::domain_error {
 public:
  using std::domain_error::domain_error;
};

namespace checked {

// The lowest values are kept free: the pools of a graph store references to expressions there.
inline constexpr std::int64_t lowest =
    std::numeric_limits<std::int64_t>::min() + (std::int64_t{1} << 32);

[[noreturn, gnu::cold]] void overflow();
[[noreturn, gnu::cold]] void division_by_zero(std::int64_t left);

[[nodiscard]] inline std::int64_t add(std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(left, right, &result)) overflow();
  if (result < lowest) overflow();
  return result;
}

[[nodiscard]] inline std::int64_t subtract(std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  if (__builtin_sub_overflow(left, right, &result)) overflow();
  if (result < lowest) overflow();
  return result;
}

[[nodiscard]] inline std::int64_t multiply(std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(left, right, &result)) overflow();
  if (result < lowest) overflow();
  return result;
}

// Rounds towards minus infinity, as Python's //.
[[nodiscard]] inline std::int64_t floor_divide(std::int64_t left, std::int64_t right) {
  if (right == 0) division_by_zero(left);
  if (right == -1) return subtract(0, left);
  const std::int64_t quotient = left / right;
  return quotient - static_cast<std::int64_t>(left % right != 0 && (left < 0) != (right < 0));
}

[[nodiscard]] inline std::int64_t ceil_divide(std::int64_t left, std::int64_t right) {
  if (right == 0) division_by_zero(left);
  if (right == -1) return subtract(0, left);
  const std::int64_t quotient = left / right;
  return quotient + static_cast<std::int64_t>(left % right != 0 && (left < 0) == (right < 0));
}

// Has the sign of the divisor, as Python's %.
[[nodiscard]] inline std::int64_t modulo(std::int64_t left, std::int64_t right) {
  if (right == 0) division_by_zero(left);
  if (right == -1) return 0;
  const std::int64_t remainder = left % right;
  return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

[[nodiscard]] inline std::int64_t greatest_common_divisor(std::int64_t left, std::int64_t right) {
  return std::gcd(left, right);
}

}  // namespace checked
}  // namespace netledger
