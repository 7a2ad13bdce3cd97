#include "quantity/program.h"

#include <algorithm>
#include <array>
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

namespace {

std::span<const std::uint32_t> operands_of(const Expression& expression,
                                           std::array<std::uint32_t, 3>& storage) {
  storage = {expression.first, expression.second, expression.third};
  switch (expression.opcode) {
    case Opcode::constant:
    case Opcode::variable:
      return {};
    case Opcode::lookup:
      return std::span(storage).first(1);
    case Opcode::select:
      return storage;
    default:
      return std::span(storage).first(2);
  }
}

std::uint64_t hash_of(const ValueTable& table) {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = table.variables.size();
  const auto mix = [&hash](std::uint64_t part) {
    hash = (hash ^ part) * golden;
    hash ^= hash >> 32U;
  };
  for (const std::uint32_t variable : table.variables) mix(variable);
  for (const std::int64_t value : table.values) mix(static_cast<std::uint64_t>(value));
  return hash;
}

// One value of an operation on two exact values, or no_exact_value.
std::int64_t exact(Opcode opcode, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  const auto in_range = [&result](bool overflow) {
    return overflow || result < checked::lowest ? no_exact_value : result;
  };
  const bool no_quotient = right == 0 || (right == -1 && left > -checked::lowest);
  switch (opcode) {
    case Opcode::add:
      return in_range(__builtin_add_overflow(left, right, &result));
    case Opcode::subtract:
      return in_range(__builtin_sub_overflow(left, right, &result));
    case Opcode::multiply:
      return in_range(__builtin_mul_overflow(left, right, &result));
    case Opcode::floor_divide:
      return no_quotient ? no_exact_value : checked::floor_divide(left, right);
    case Opcode::ceil_divide:
      return no_quotient ? no_exact_value : checked::ceil_divide(left, right);
    case Opcode::modulo:
      return right == 0 ? no_exact_value : checked::modulo(left, right);
    case Opcode::minimum:
      return std::min(left, right);
    case Opcode::maximum:
      return std::max(left, right);
    case Opcode::greatest_common_divisor:
      return checked::greatest_common_divisor(left, right);
    case Opcode::equal:
      return left == right ? 1 : 0;
    case Opcode::less:
      return left < right ? 1 : 0;
    case Opcode::less_equal:
      return left <= right ? 1 : 0;
    default:
      return no_exact_value;
  }
}

// The values of an operand, spread over the combinations of more variables.
class Spread {
 public:
  Spread(const ValueTable& table, std::span<const std::uint32_t> variables,
         std::span<const std::uint32_t> sizes)
      : values_(table.values), positions_(positions_in(table.variables, variables, sizes)) {}
  [[nodiscard]] std::int64_t operator[](std::size_t combination) const {
    return values_[positions_[combination]];
  }

 private:
  const std::vector<std::int64_t>& values_;
  std::vector<std::uint32_t> positions_;
};

}  // namespace

std::uint32_t Program::store(const Expression& expression, std::unique_ptr<ValueTable> values) {
  const auto next = static_cast<std::uint32_t>(expressions_.size());
  expressions_.push_back(expression);
  values_.push_back(std::move(values));
  return next;
}

Quantity Program::intern(const Expression& expression) {
  const auto known = identities_.find(expression);
  if (known != identities_.end()) return known->second;
  std::array<std::uint32_t, 3> storage{};
  const auto operands = operands_of(expression, storage);
  Quantity result = 0;
  std::unique_ptr<ValueTable> values = values_of(expression, operands);
  if (values != nullptr && !operands.empty()) {
    result = known_by_values(expression, std::move(values));
  } else {
    result = at(store(expression, std::move(values)));
  }
  identities_.emplace(expression, result);
  return result;
}

std::unique_ptr<ValueTable> Program::values_of(const Expression& expression,
                                               std::span<const std::uint32_t> operands) const {
  if (expression.opcode == Opcode::constant) {
    return std::make_unique<ValueTable>(ValueTable{{}, {expression.value}});
  }
  if (expression.opcode == Opcode::variable) {
    const std::uint32_t size = sizes_[expression.first];
    if (size == 0 || size > most_values) return nullptr;
    auto table = std::make_unique<ValueTable>();
    table->variables = {expression.first};
    for (std::uint32_t code = 0; code < size; ++code) table->values.push_back(code);
    return table;
  }
  std::vector<std::uint32_t> variables;
  for (const std::uint32_t operand : operands) {
    if (values_[operand] == nullptr) return nullptr;
    variables = united(variables, values_[operand]->variables);
  }
  const auto count = combinations(variables, sizes_, most_values);
  if (!count) return nullptr;
  std::vector<Spread> spread;
  for (const std::uint32_t operand : operands) {
    spread.emplace_back(*values_[operand], variables, sizes_);
  }
  auto table = std::make_unique<ValueTable>();
  table->variables = std::move(variables);
  table->values.resize(*count);
  for (std::size_t combination = 0; combination < *count; ++combination) {
    std::int64_t& value = table->values[combination];
    const std::int64_t first = spread[0][combination];
    value = no_exact_value;
    if (first == no_exact_value) continue;
    if (expression.opcode == Opcode::select) {
      // Only the branch taken can spoil the value.
      value = first != 0 ? spread[1][combination] : spread[2][combination];
    } else if (expression.opcode == Opcode::lookup) {
      const std::vector<std::int64_t>& entries = tables_[expression.second];
      if (first >= 0 && first < static_cast<std::int64_t>(entries.size())) {
        value = entries[static_cast<std::size_t>(first)];
      }
    } else if (const std::int64_t second = spread[1][combination]; second != no_exact_value) {
      value = exact(expression.opcode, first, second);
    }
  }
  drop_irrelevant(*table, sizes_);
  return table;
}

Quantity Program::known_by_values(const Expression& expression,
                                  std::unique_ptr<ValueTable> values) {
  if (values->variables.empty() && values->values[0] == no_exact_value) {
    throw_if_all_overflow(expression);
  }
  if (values->variables.empty() && values->values[0] != no_exact_value) return values->values[0];
  const std::uint64_t hash = hash_of(*values);
  const auto [first, last] = by_values_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    if (*values_[entry->second] == *values) return at(entry->second);
  }
  const std::uint32_t stored = store(expression, std::move(values));
  by_values_.emplace(hash, stored);
  return at(stored);
}

// An operation that overflows whatever the configuration is refused as that on two constants is.
void Program::throw_if_all_overflow(const Expression& expression) const {
  const bool may_overflow = expression.opcode == Opcode::add ||
                            expression.opcode == Opcode::subtract ||
                            expression.opcode == Opcode::multiply;
  if (!may_overflow) return;
  const auto has_value = [this](std::uint32_t operand) {
    return std::ranges::any_of(values_[operand]->values,
                               [](std::int64_t value) { return value != no_exact_value; });
  };
  if (has_value(expression.first) && has_value(expression.second)) checked::overflow();
}

std::uint32_t Program::id(const Quantity& quantity) {
  if (!quantity.is_constant()) return quantity.expression();
  const Expression expression{.opcode = Opcode::constant, .value = quantity.constant()};
  return intern(expression).expression();
}

Quantity Program::variable(std::string name) {
  const auto index = static_cast<std::uint32_t>(variables_.size());
  variables_.push_back(std::move(name));
  sizes_.push_back(0);
  return intern({.opcode = Opcode::variable, .first = index});
}

Quantity Program::coded_variable(std::string name, std::uint32_t size) {
  const auto index = static_cast<std::uint32_t>(variables_.size());
  variables_.push_back(std::move(name));
  sizes_.push_back(size);
  if (size == 1) return 0;
  const Quantity variable = intern({.opcode = Opcode::variable, .first = index});
  if (const ValueTable* table = values(variable.expression())) {
    by_values_.emplace(hash_of(*table), variable.expression());
  }
  return variable;
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

Quantity Program::lookup(const Quantity& index, std::span<const std::int64_t> values) {
  if (index.is_constant()) {
    if (index.constant() < 0 || index.constant() >= static_cast<std::int64_t>(values.size())) {
      throw std::out_of_range("an index is outside its table");
    }
    return values[static_cast<std::size_t>(index.constant())];
  }
  const auto same = std::ranges::find_if(
      tables_, [&](const auto& table) { return std::ranges::equal(table, values); });
  const auto table = static_cast<std::uint32_t>(same - tables_.begin());
  if (same == tables_.end()) tables_.emplace_back(values.begin(), values.end());
  return intern({.opcode = Opcode::lookup, .first = id(index), .second = table});
}

std::vector<std::uint32_t> Program::support(std::uint32_t expression) const {
  std::vector<std::uint32_t> variables;
  std::vector<bool> met(expression + 1);
  std::vector<std::uint32_t> open{expression};
  while (!open.empty()) {
    const std::uint32_t next = open.back();
    open.pop_back();
    if (met[next]) continue;
    met[next] = true;
    const Expression& current = expressions_[next];
    if (values_[next] != nullptr) {
      variables = united(variables, values_[next]->variables);
    } else if (current.opcode == Opcode::variable) {
      variables = united(variables, std::span(&current.first, 1));
    }
    if (values_[next] != nullptr) continue;
    std::array<std::uint32_t, 3> storage{};
    for (const std::uint32_t operand : operands_of(current, storage)) open.push_back(operand);
  }
  return variables;
}

Quantity Program::defined(const Quantity& quantity) {
  const ValueTable* table = values(quantity);
  if (table == nullptr) return 1;
  std::vector<std::int64_t> truth;
  truth.reserve(table->values.size());
  for (const std::int64_t value : table->values) truth.push_back(value == no_exact_value ? 0 : 1);
  if (std::ranges::find(truth, 0) == truth.end()) return 1;
  const std::vector<std::uint32_t> variables = table->variables;
  Quantity index = 0;
  for (const std::uint32_t variable : variables) {
    index = index * sizes_[variable] + intern({.opcode = Opcode::variable, .first = variable});
  }
  return lookup(index, truth);
}

// Of the truth of a condition, -1 where it does not matter: whether it is false somewhere and true
// nowhere. Where it has no value, something else has gone wrong before.
bool Program::never(const Quantity& truth) const {
  if (truth.is_constant()) return truth.is(0);
  const ValueTable* table = values(truth);
  if (table == nullptr) return false;
  const bool fails = std::ranges::find(table->values, 0) != table->values.end();
  return fails && std::ranges::none_of(table->values, [](std::int64_t value) { return value > 0; });
}

bool Program::require(const Condition& condition, std::string text) {
  if (presence_.is(0)) return true;
  const Condition present(presence_);
  if (never(select(present, condition.truth(), -1))) return false;
  const Quantity holds = select(present, condition.truth(), 1);
  if (holds.is(1)) return true;
  requirements_.push_back({.condition = id(holds), .text = std::move(text), .step = step_});
  return true;
}

}  // namespace netledger
