#include "space/space.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "quantity/interval.h"

namespace netledger {

Space::Space() : entered_{Presence{}} { graph_.leave_given_weights_uncounted(); }

// -- variables -----------------------------------------------------------------------------------

Quantity Space::add_variable(std::string name, std::uint32_t size) {
  if (size == 0) throw SpaceError("variable '" + name + "' has no choices");
  const Quantity code = program().coded_variable(name, size);
  PlanVariable domain{.name = std::move(name), .size = size, .minimum = 0, .maximum = size - 1};
  const Quantity active = entered_.back().present;
  variables_.push_back({.domain = std::move(domain), .active = active});
  // Whatever its code where it is inactive, it is worth the canonical one.
  return select(Condition(active), code, 0);
}

Quantity Space::add_free_variable(std::string name, std::int64_t minimum, std::int64_t maximum) {
  if (minimum > maximum) {
    throw SpaceError("variable '" + name + "' has no values: its minimum " +
                     std::to_string(minimum) + " is above its maximum " + std::to_string(maximum));
  }
  const Quantity value = program().variable(name);
  PlanVariable domain{.name = std::move(name), .size = 0, .minimum = minimum, .maximum = maximum};
  variables_.push_back({.domain = std::move(domain), .active = 1});
  return value;
}

std::vector<VariableIndex> Space::support(const Quantity& quantity) const {
  if (quantity.is_constant()) return {};
  return program().support(quantity.expression());
}

std::vector<Interval> Space::domains() const {
  std::vector<Interval> result;
  result.reserve(variables_.size());
  for (const Variable& variable : variables_) {
    result.push_back({.low = variable.domain.minimum, .high = variable.domain.maximum});
  }
  return result;
}

// -- structure -----------------------------------------------------------------------------------

void Space::enter(const Quantity& condition, const Quantity& times) {
  const Presence& outer = entered_.back();
  const Condition here = both(negation(condition == 0), times > 0);
  const Quantity present = both(Condition(outer.present), here).truth();
  entered_.push_back({.present = present, .times = outer.times * times});
}

void Space::leave() {
  if (entered_.size() == 1) throw SpaceError("leave without enter");
  entered_.pop_back();
}

TensorIndex Space::add_tensor(TensorKind kind, const Shape& shape, DTypeIndex dtype,
                              std::string_view name, bool trainable) {
  for (const Quantity& size : shape) {
    if (size.is_constant()) continue;
    const ValueTable* table = program().values(size);
    if (table == nullptr) continue;
    std::int64_t least = 0;
    for (const std::int64_t value : table->values) {
      if (value != no_exact_value) least = std::min(least, value);
    }
    if (least < 0) {
      throw SpaceError("tensor '" + std::string(name) + "': a size must not be negative, got " +
                       std::to_string(least));
    }
  }
  const TensorIndex tensor = graph_.add_tensor(kind, shape, dtype, name, trainable);
  if (kind == TensorKind::parameter || kind == TensorKind::buffer) {
    given_.emplace(tensor, Given{.kind = kind,
                                 .trainable = trainable,
                                 .elements = shape.elements() * entered_.back().times});
  }
  return tensor;
}

Outputs Space::add(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
                   const Placement& placement) {
  // What an earlier layer refuses has no sizes to speak of: this one says nothing about it.
  const Quantity known = known_inputs(inputs, attributes);
  const Presence& entered = entered_.back();
  const Presence presence{.present = entered.present * known, .times = entered.times};
  const auto step = static_cast<std::uint32_t>(steps_.size());
  program().construct(presence.present, step);
  const std::size_t requirements = program().requirements().size();
  try {
    const Outputs outputs = graph_.add(op, inputs, attributes, placement);
    presences_.push_back(presence);
    node_steps_.push_back(step);
    steps_.push_back({graph_.describe_node(static_cast<NodeIndex>(presences_.size() - 1))});
    note_reading(inputs);
    note_reading(placement.weights);
    withhold_refused_sizes(outputs, known, requirements);
    return outputs;
  } catch (...) {
    program().forget_requirements(requirements);
    refuse_first(op, inputs, attributes, placement);
    throw;
  }
}

namespace {

// The value of a quantity for one assignment of the variables of its table; nothing where it has
// none.
std::optional<Quantity> value_in(const Program& program, const Quantity& quantity,
                                 std::span<const VariableIndex> variables,
                                 std::span<const std::uint32_t> codes) {
  if (quantity.is_constant()) return quantity;
  const ValueTable* table = program.values(quantity);
  if (table == nullptr) return std::nullopt;
  std::size_t entry = 0;
  for (const VariableIndex variable : table->variables) {
    const auto place = std::ranges::lower_bound(variables, variable) - variables.begin();
    entry = entry * program.sizes()[variable] + codes[static_cast<std::size_t>(place)];
  }
  const std::int64_t value = table->values[entry];
  return value == no_exact_value ? std::nullopt : std::optional<Quantity>(value);
}

}  // namespace

void Space::refuse_first(const Op& op, std::span<const TensorIndex> inputs,
                         const Attributes& attributes, const Placement& placement) {
  std::vector<VariableIndex> variables;
  const auto note = [&](const Quantity& quantity) {
    variables = united(variables, support(quantity));
  };
  std::vector<TensorIndex> tensors(inputs.begin(), inputs.end());
  for (const TensorIndex weight : placement.weights) {
    if (weight != absent) tensors.push_back(weight);
  }
  for (const TensorIndex tensor : tensors) {
    for (const Quantity& size : graph_.shape(tensor)) note(size);
  }
  for (std::size_t slot = 0; slot < attributes.specs().size(); ++slot) {
    for (const Quantity& value : attributes.values(slot)) note(value);
  }
  note(entered_.back().present);
  if (variables.empty()) return;
  const std::vector<std::uint32_t>& sizes = program().sizes();
  if (std::ranges::any_of(variables, [&](VariableIndex one) { return sizes[one] == 0; })) return;
  const auto count = combinations(variables, sizes, Program::most_values);
  if (!count) return;
  std::vector<std::uint32_t> codes(variables.size());
  for (std::size_t combination = 0; combination < *count; ++combination) {
    const auto value = [&](const Quantity& quantity) {
      return value_in(program(), quantity, variables, codes);
    };
    const auto present = value(entered_.back().present);
    if (present && !present->is(0)) {
      refuse_concrete(op, inputs, attributes, placement, value);
    }
    for (std::size_t index = codes.size(); index-- > 0;) {
      if (++codes[index] < sizes[variables[index]]) break;
      codes[index] = 0;
    }
  }
}

void Space::refuse_concrete(
    const Op& op, std::span<const TensorIndex> inputs, const Attributes& attributes,
    const Placement& placement,
    const std::function<std::optional<Quantity>(const Quantity&)>& value) const {
  Graph concrete;
  bool complete = true;
  const auto add_tensor = [&](TensorIndex tensor) {
    Shape shape = graph_.shape(tensor);
    for (std::size_t dimension = 0; dimension < shape.rank(); ++dimension) {
      const std::optional<Quantity> size = value(shape[dimension]);
      complete = complete && size && size->constant() >= 0;
      shape[dimension] = complete ? *size : Quantity(0);
    }
    return concrete.add_tensor(TensorKind::input, shape, graph_.dtype(tensor));
  };
  std::vector<TensorIndex> read;
  for (const TensorIndex tensor : inputs) read.push_back(add_tensor(tensor));
  std::vector<TensorIndex> weights;
  for (const TensorIndex tensor : placement.weights) {
    weights.push_back(tensor == absent ? absent : add_tensor(tensor));
  }
  Attributes values = attributes;
  for (std::size_t slot = 0; slot < attributes.specs().size(); ++slot) {
    if (attributes.form(slot) != Attributes::Form::values) continue;
    std::vector<Quantity> numbers;
    for (const Quantity& given : attributes.values(slot)) {
      const std::optional<Quantity> number = value(given);
      complete = complete && number;
      numbers.push_back(complete ? *number : Quantity(0));
    }
    values.set(slot, numbers);
  }
  if (!complete) return;
  const std::string name = graph_.label(op, placement.name, placement.scope, graph_.node_count());
  Placement same = placement;
  same.weights = weights;
  same.name = name;
  same.scope = 0;
  (void)concrete.add(op, read, values, same);
}

namespace {

// The value of a table that has but one, where it has any.
std::optional<Quantity> only_value(const ValueTable& table) {
  std::optional<std::int64_t> only;
  for (const std::int64_t value : table.values) {
    if (value == no_exact_value) continue;
    if (only && *only != value) return std::nullopt;
    only = value;
  }
  return only ? std::optional<Quantity>(*only) : std::nullopt;
}

}  // namespace

// Where all sizes and attributes that a layer reads have a value.
Quantity Space::known_inputs(std::span<const TensorIndex> inputs, const Attributes& attributes) {
  Quantity known = 1;
  for (const TensorIndex input : inputs) {
    for (const Quantity& size : graph_.shape(input)) known *= program().defined(size);
  }
  for (std::size_t slot = 0; slot < attributes.specs().size(); ++slot) {
    for (const Quantity& value : attributes.values(slot)) known *= program().defined(value);
  }
  return known;
}

// Configurations that a layer refuses have no sizes behind it: nothing must be concluded from them.
void Space::withhold_refused_sizes(const Outputs& outputs, const Quantity& known,
                                   std::size_t requirements) {
  const auto& made = program().requirements();
  Quantity holds = known;
  for (std::size_t index = requirements; index < made.size(); ++index) {
    holds *= program().at(made[index].condition);
  }
  if (holds.is_constant() || program().values(holds) == nullptr) return;
  for (std::uint32_t output = 0; output < outputs.count; ++output) {
    Shape shape = graph_.shape(outputs.first + output);
    for (std::size_t dimension = 0; dimension < shape.rank(); ++dimension) {
      Quantity& size = shape[dimension];
      if (size.is_constant()) continue;
      // A quotient by 0 has no value.
      const Quantity held = size / holds;
      const ValueTable* table = program().values(held);
      if (table != nullptr) size = only_value(*table).value_or(held);
    }
    graph_.resize(outputs.first + output, shape);
  }
}

void Space::note_reading(std::span<const TensorIndex> tensors) {
  for (const TensorIndex tensor : tensors) {
    const auto given = given_.find(tensor);
    if (given == given_.end()) continue;
    given->second.read = maximum(given->second.read, entered_.back().present);
  }
}

bool Space::lies_within(const Quantity& quantity, std::int64_t low, std::int64_t high) {
  const Condition inside = both(Quantity(low) <= quantity, quantity <= Quantity(high));
  if (inside.known()) return inside.holds();
  if (program().values(inside.truth()) != nullptr) return false;
  const Interval proven = intervals(program(), domains())[program().id(quantity)];
  return proven.exact && low <= proven.low && proven.high <= high;
}

TensorIndex Space::merge(const Quantity& index, std::span<const TensorIndex> tensors) {
  if (tensors.empty()) throw SpaceError("there is no tensor to choose from");
  const auto count = static_cast<std::int64_t>(tensors.size());
  if (!lies_within(index, 0, count - 1)) {
    throw SpaceError("an index must be from 0 to " + std::to_string(count - 1) +
                     " to choose among " + std::to_string(count) + " tensors, got " +
                     Fact(index).text());
  }
  const Shape first = graph_.shape(tensors[0]);
  Shape merged = graph_.shape(tensors.back());
  for (std::size_t position = 0; position < tensors.size(); ++position) {
    const Shape shape = graph_.shape(tensors[position]);
    if (shape.rank() != first.rank()) {
      throw SpaceError("the tensors to choose among must have as many dimensions, got shapes " +
                       Fact(first).text() + " and " + Fact(shape).text());
    }
    if (graph_.dtype(tensors[position]) != graph_.dtype(tensors[0])) {
      throw SpaceError("the tensors to choose among must have one dtype, got " +
                       std::string(dtypes[graph_.dtype(tensors[0])].name) + " and " +
                       std::string(dtypes[graph_.dtype(tensors[position])].name));
    }
  }
  for (std::size_t position = tensors.size() - 1; position-- > 0;) {
    const Shape shape = graph_.shape(tensors[position]);
    const Condition chosen = index == static_cast<std::int64_t>(position);
    for (std::size_t dimension = 0; dimension < shape.rank(); ++dimension) {
      merged[dimension] = select(chosen, shape[dimension], merged[dimension]);
    }
  }
  return graph_.add_tensor(TensorKind::activation, merged, graph_.dtype(tensors[0]));
}

void Space::link(std::vector<VariableIndex> variables) {
  std::ranges::sort(variables);
  const auto repeated = std::ranges::unique(variables);
  variables.erase(repeated.begin(), repeated.end());
  if (!variables.empty() && variables.back() >= variables_.size()) {
    throw SpaceError("the space has no variable " + std::to_string(variables.back()));
  }
  links_.push_back(std::move(variables));
}

void Space::require(const Quantity& condition, std::string text) {
  program().construct(entered_.back().present, static_cast<std::uint32_t>(steps_.size()));
  if (!program().require(negation(condition == 0), text)) {
    throw SpaceError("no configuration meets the constraint: " + text);
  }
  steps_.push_back({std::move(text)});
}

// -- metrics -------------------------------------------------------------------------------------

void Space::add_metric(const std::string& name, std::vector<MetricTerm> terms) {
  metrics_[name] = std::move(terms);
}

void Space::add_real_metric(const std::string& name, std::vector<RealTerm> terms) {
  real_metrics_[name] = std::move(terms);
}

}  // namespace netledger
