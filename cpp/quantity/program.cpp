#include "quantity/program.h"

#include <bit>
#include <stdexcept>
#include <utility>

namespace netledger {

namespace {

Program* common_program(const Quantity& left, const Quantity& right) {
  if (left.is_constant()) return right.program();
  if (!right.is_constant() && left.program() != right.program()) {
    throw std::invalid_argument("quantities of two different spaces cannot be combined");
  }
  return left.program();
}

bool commutes(Opcode opcode) {
  switch (opcode) {
    case Opcode::add:
    case Opcode::multiply:
    case Opcode::minimum:
    case Opcode::maximum:
    case Opcode::greatest_common_divisor:
    case Opcode::equal:
      return true;
    default:
      return false;
  }
}

}  // namespace

namespace detail {

Quantity append(Opcode opcode, Quantity left, Quantity right) {
  return common_program(left, right)->append(opcode, left, right);
}

Quantity append_select(Quantity truth, Quantity yes, Quantity no) {
  Program* program = common_program(yes, no);
  if (program != nullptr && program != truth.program()) {
    throw std::invalid_argument("quantities of two different spaces cannot be combined");
  }
  return truth.program()->append_select(truth, yes, no);
}

Quantity stepwise_product(std::span<const Quantity> factors) {
  // Nothing is nothing, whatever the other factors are.
  for (const Quantity& factor : factors) {
    if (factor.is(0)) return 0;
  }
  Quantity result = 1;
  for (const Quantity& factor : factors) result *= factor;
  return result;
}

}  // namespace detail

Quantity ceil_log2(const Quantity& value) {
  if (value.is_constant()) {
    if (value.constant() <= 1) return 0;
    return static_cast<std::int64_t>(
        std::bit_width(static_cast<std::uint64_t>(value.constant()) - 1));
  }
  Quantity result = 0;
  for (int exponent = 0; exponent <= 62; ++exponent) {
    result += (Quantity(std::int64_t{1} << exponent) < value).truth();
  }
  return result;
}

std::size_t Program::Hash::operator()(const Expression& expression) const noexcept {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = static_cast<std::uint64_t>(expression.opcode);
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(expression.first), static_cast<std::uint64_t>(expression.second),
        static_cast<std::uint64_t>(expression.third),
        static_cast<std::uint64_t>(expression.value)}) {
    hash = (hash ^ part) * golden;
    hash ^= hash >> 32U;
  }
  return hash;
}

Quantity Program::intern(const Expression& expression) {
  const auto next = static_cast<std::uint32_t>(expressions_.size());
  const auto [entry, is_new] = identities_.try_emplace(expression, next);
  if (is_new) expressions_.push_back(expression);
  return {this, entry->second};
}

std::uint32_t Program::id(const Quantity& quantity) {
  if (!quantity.is_constant()) return quantity.expression();
  return intern({.opcode = Opcode::constant, .value = quantity.constant()}).expression();
}

Quantity Program::variable(std::string name) {
  const auto index = static_cast<std::uint32_t>(variables_.size());
  variables_.push_back(std::move(name));
  return intern({.opcode = Opcode::variable, .first = index});
}

Quantity Program::append(Opcode opcode, const Quantity& left, const Quantity& right) {
  switch (opcode) {
    case Opcode::add:
      if (left.is(0)) return right;
      if (right.is(0)) return left;
      break;
    case Opcode::subtract:
      if (right.is(0)) return left;
      if (left.same_as(right)) return 0;
      break;
    case Opcode::multiply:
      if (left.is(0) || right.is(0)) return 0;
      if (left.is(1)) return right;
      if (right.is(1)) return left;
      break;
    case Opcode::floor_divide:
    case Opcode::ceil_divide:
      if (right.is(1)) return left;
      break;
    case Opcode::modulo:
      if (right.is(1)) return 0;
      break;
    case Opcode::minimum:
    case Opcode::maximum:
      if (left.same_as(right)) return left;
      break;
    case Opcode::equal:
    case Opcode::less_equal:
      if (left.same_as(right)) return 1;
      break;
    case Opcode::less:
      if (left.same_as(right)) return 0;
      break;
    default:
      break;
  }
  std::uint32_t first = id(left);
  std::uint32_t second = id(right);
  if (commutes(opcode) && second < first) std::swap(first, second);
  return intern({.opcode = opcode, .first = first, .second = second});
}

Quantity Program::append_select(const Quantity& truth, const Quantity& yes, const Quantity& no) {
  if (yes.same_as(no)) return yes;
  const std::uint32_t condition = id(truth);
  const std::uint32_t first = id(yes);
  const std::uint32_t second = id(no);
  return intern({.opcode = Opcode::select, .first = condition, .second = first, .third = second});
}

void Program::require(const Condition& condition, std::string text) {
  requirements_.push_back({.condition = id(condition.truth()), .text = std::move(text)});
}

}  // namespace netledger
