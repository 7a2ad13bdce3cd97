// From a space to a plan: costs as factors where they depend on few variables, as lanes elsewhere.
#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "quantity/interval.h"
#include "quantity/lanes.h"
#include "quantity/tabulate.h"
#include "space/space.h"

namespace netledger {

namespace {

// A cost over more combinations than this is computed for each configuration.
constexpr std::size_t most_entries = std::size_t{1} << 16U;

// Totals from here on are refused where nothing proves that they fit: sums of them still do.
constexpr std::int64_t largest_unproven = std::numeric_limits<std::int64_t>::max() / 4;

std::size_t index_of(Metric metric) { return static_cast<std::size_t>(metric); }

}  // namespace

class Compiler {
 public:
  Compiler(Space& space, std::span<const std::string> metrics);
  [[nodiscard]] Plan run();

 private:
  void add_metric(std::size_t metric);
  void add_layers(std::size_t metric, Metric counted);
  void add_given(std::size_t metric, Metric counted);
  void add_cost(std::size_t metric, const Quantity& cost, Refusal step);
  void add_to_total(std::int64_t& total, std::int64_t cost, std::size_t metric) const;
  [[noreturn]] void refuse_total(std::size_t metric) const;
  void add_real_cost(std::size_t metric, const RealTerm& term);
  void add_refusal(std::uint32_t holds, Refusal step);
  void add_overflows(NodeIndex node);
  void add_activities();
  void add_lanes();
  void check_unproven();
  void finish_factors();
  void find_bounds();

  // Of every expression that there was when it was first asked for.
  [[nodiscard]] const std::vector<Interval>& intervals();
  [[nodiscard]] Quantity of_present(const Presence& presence, const Quantity& cost) const;
  [[nodiscard]] Refusal step_of(NodeIndex node) const { return space_.node_steps_[node] + 1; }
  // What refuses a configuration whose total does not fit: after all steps.
  [[nodiscard]] Refusal beyond_steps() const {
    return static_cast<Refusal>(space_.steps_.size() + 1);
  }
  // The values of an expression, tabulated now if they were not kept; nullptr when too many.
  [[nodiscard]] const ValueTable* values(const Quantity& quantity);
  [[nodiscard]] Factor& factor(const std::vector<VariableIndex>& variables);
  static void refuse(Factor& factor, std::size_t entry, Refusal step);

  Space& space_;
  Program& program_;
  std::vector<Interval> intervals_;
  Plan plan_;
  std::map<std::vector<VariableIndex>, std::size_t> factor_of_;
  // Tables of expressions too large to be kept while they are built.
  std::map<std::uint32_t, std::unique_ptr<ValueTable>> large_;
  struct WideCost {
    Quantity cost;
    Refusal step;
  };
  // Of every metric the sum of what no factor holds, and its parts.
  std::vector<Quantity> wide_;
  std::vector<WideCost> wide_costs_;
  struct WideCondition {
    std::uint32_t holds;
    Refusal step;
  };
  std::vector<WideCondition> wide_conditions_;
};

Compiler::Compiler(Space& space, std::span<const std::string> metrics)
    : space_(space), program_(space.program()) {
  for (const std::string& name : metrics) {
    (space.real_metrics_.contains(name) ? plan_.real_metrics : plan_.metrics).push_back(name);
  }
  plan_.constants.resize(plan_.metrics.size());
  plan_.real_constants.resize(plan_.real_metrics.size());
  wide_.resize(plan_.metrics.size(), Quantity(0));
}

Plan Compiler::run() {
  for (const Variable& variable : space_.variables_) plan_.variables.push_back(variable.domain);
  std::ranges::copy_if(space_.links_, std::back_inserter(plan_.links),
                       [](const auto& link) { return !link.empty(); });
  program_.construct(1, 0);
  add_activities();
  for (std::size_t metric = 0; metric < plan_.metrics.size(); ++metric) add_metric(metric);
  for (std::size_t metric = 0; metric < plan_.real_metrics.size(); ++metric) {
    for (const RealTerm& term : space_.real_metrics_.at(plan_.real_metrics[metric])) {
      add_real_cost(metric, term);
    }
  }
  for (const Requirement& requirement : program_.requirements()) {
    add_refusal(requirement.condition, requirement.step + 1);
  }
  for (NodeIndex node = 0; node < space_.presences_.size(); ++node) add_overflows(node);
  finish_factors();
  check_unproven();
  add_lanes();
  find_bounds();
  return std::move(plan_);
}

// -- costs
// -----------------------------------------------------------------------------------------

void Compiler::add_metric(std::size_t metric) {
  const std::string& name = plan_.metrics[metric];
  const auto own = space_.metrics_.find(name);
  if (own != space_.metrics_.end()) {
    for (const MetricTerm& term : own->second) {
      const Presence presence = term.node ? space_.presences_[*term.node] : Presence{};
      add_cost(metric, of_present(presence, term.cost),
               term.node ? step_of(*term.node) : beyond_steps());
    }
    return;
  }
  const auto known = std::ranges::find(metric_names, name);
  if (known == metric_names.end()) throw SpaceError("unknown metric '" + name + "'");
  const auto counted = static_cast<Metric>(known - metric_names.begin());
  add_layers(metric, counted);
  add_given(metric, counted);
}

void Compiler::add_layers(std::size_t metric, Metric counted) {
  for (NodeIndex node = 0; node < space_.presences_.size(); ++node) {
    const Quantity cost = space_.graph_.account(node)[index_of(counted)];
    add_cost(metric, of_present(space_.presences_[node], cost), beyond_steps());
  }
}

// Parameters and buffers that were added on their own count once if any layer reads them.
void Compiler::add_given(std::size_t metric, Metric counted) {
  for (const auto& [tensor, given] : space_.given_) {
    const bool counts =
        given.kind == TensorKind::buffer
            ? counted == Metric::buffers
            : counted == Metric::params || (counted == Metric::trainable_params && given.trainable);
    if (!counts) continue;
    add_cost(metric, select(Condition(given.read), given.elements, 0), beyond_steps());
  }
}

Quantity Compiler::of_present(const Presence& presence, const Quantity& cost) const {
  if (cost.is(0)) return 0;
  return select(Condition(presence.present), presence.times * cost, 0);
}

void Compiler::add_cost(std::size_t metric, const Quantity& cost, Refusal step) {
  if (cost.is(0)) return;
  if (cost.is_constant()) {
    add_to_total(plan_.constants[metric], cost.constant(), metric);
    return;
  }
  const ValueTable* table = values(cost);
  if (table == nullptr) {
    wide_[metric] += cost;
    wide_costs_.push_back({cost, step});
    return;
  }
  Factor& target = factor(table->variables);
  std::vector<std::int64_t>& sums = target.values[metric];
  sums.resize(target.entries);
  for (std::size_t entry = 0; entry < target.entries; ++entry) {
    const std::int64_t value = table->values[entry];
    if (value == no_exact_value) {
      refuse(target, entry, step);
    } else {
      add_to_total(sums[entry], value, metric);
    }
  }
}

void Compiler::refuse_total(std::size_t metric) const {
  throw CountOverflow("the totals of this space do not fit: the total of '" +
                      plan_.metrics[metric] + "' can pass 64 bits in this space");
}

void Compiler::add_to_total(std::int64_t& total, std::int64_t cost, std::size_t metric) const {
  if (__builtin_add_overflow(total, cost, &total)) refuse_total(metric);
}

void Compiler::add_real_cost(std::size_t metric, const RealTerm& term) {
  const Presence presence = term.node ? space_.presences_[*term.node] : Presence{};
  const Quantity outside = -1;
  const Quantity index = select(Condition(presence.present), term.index, outside);
  const auto real = [&](std::int64_t position, std::int64_t times) {
    if (position == -1) return 0.0;
    if (position < 0 || position >= static_cast<std::int64_t>(term.values.size())) {
      throw SpaceError("metric '" + plan_.real_metrics[metric] +
                       "': an index is outside its table");
    }
    return static_cast<double>(times) * term.values[static_cast<std::size_t>(position)];
  };
  if (index.is_constant() && presence.times.is_constant()) {
    plan_.real_constants[metric] += real(index.constant(), presence.times.constant());
    return;
  }
  const auto variables = united(space_.support(index), space_.support(presence.times));
  const auto count = combinations(variables, program_.sizes(), most_entries);
  const auto table_of = [&](const Quantity& quantity) {
    if (quantity.is_constant()) return ValueTable{{}, {quantity.constant()}};
    const ValueTable* table = values(quantity);
    if (table == nullptr) {
      throw SpaceError("metric '" + plan_.real_metrics[metric] +
                       "' depends on too many variables to be tabulated");
    }
    return *table;
  };
  const ValueTable indices = table_of(index);
  const ValueTable times = table_of(presence.times);
  if (!count) {
    throw SpaceError("metric '" + plan_.real_metrics[metric] +
                     "' depends on too many variables to be tabulated");
  }
  Factor& target = factor(variables);
  std::vector<double>& sums = target.reals[metric];
  sums.resize(target.entries);
  const auto index_positions = positions_in(indices.variables, variables, program_.sizes());
  const auto times_positions = positions_in(times.variables, variables, program_.sizes());
  for (std::size_t entry = 0; entry < target.entries; ++entry) {
    sums[entry] +=
        real(indices.values[index_positions[entry]], times.values[times_positions[entry]]);
  }
}

// -- refusals
// --------------------------------------------------------------------------------------

void Compiler::refuse(Factor& factor, std::size_t entry, Refusal step) {
  factor.refusals.resize(factor.entries);
  Refusal& first = factor.refusals[entry];
  if (first == accepted || step < first) first = step;
}

void Compiler::add_refusal(std::uint32_t holds, Refusal step) {
  const ValueTable* table = values(program_.at(holds));
  if (table == nullptr) {
    wide_conditions_.push_back({holds, step});
    return;
  }
  Factor& target = factor(table->variables);
  for (std::size_t entry = 0; entry < target.entries; ++entry) {
    const std::int64_t value = table->values[entry];
    if (value == 0 || value == no_exact_value) refuse(target, entry, step);
  }
}

// A layer refuses a configuration if any of its counts, asked for or not, passes 64 bits.
void Compiler::add_overflows(NodeIndex node) {
  for (const Quantity& count : space_.graph_.account(node)) {
    if (count.is_constant()) continue;
    const ValueTable* table = program_.values(count);
    const bool fits =
        table != nullptr && std::ranges::find(table->values, no_exact_value) == table->values.end();
    if (fits) continue;
    if (table == nullptr && intervals()[count.expression()].exact) continue;
    const Quantity defined = (Quantity(checked::lowest) <= count).truth();
    const Condition present(space_.presences_[node].present);
    const Quantity holds = select(present, defined, 1);
    if (!holds.is(1)) add_refusal(program_.id(holds), step_of(node));
  }
}

void Compiler::add_activities() {
  for (const Variable& variable : space_.variables_) {
    Activity& activity = plan_.activities.emplace_back();
    if (variable.active.is_constant()) continue;
    const ValueTable* table = values(variable.active);
    if (table == nullptr) {
      throw SpaceError("variable '" + variable.domain.name +
                       "' is active under a condition on too many variables");
    }
    activity.variables = table->variables;
    for (const std::int64_t value : table->values) {
      activity.active.push_back(value != 0 && value != no_exact_value ? 1 : 0);
    }
  }
}

const std::vector<Interval>& Compiler::intervals() {
  // Layers are all there is to ask about, and no layer is added while a space is compiled.
  if (intervals_.empty()) intervals_ = netledger::intervals(program_, space_.domains());
  return intervals_;
}

// -- tables
// ----------------------------------------------------------------------------------------

const ValueTable* Compiler::values(const Quantity& quantity) {
  if (const ValueTable* kept = program_.values(quantity)) return kept;
  const std::uint32_t expression = quantity.expression();
  const auto [entry, is_new] = large_.try_emplace(expression);
  if (!is_new) return entry->second.get();
  const std::vector<VariableIndex> variables = program_.support(expression);
  const std::vector<std::uint32_t>& sizes = program_.sizes();
  const bool coded =
      std::ranges::all_of(variables, [&](VariableIndex variable) { return sizes[variable] > 0; });
  if (!coded) return nullptr;
  const auto count = combinations(variables, sizes, most_entries);
  if (!count) return nullptr;
  entry->second = std::make_unique<ValueTable>(tabulate(program_, expression, variables));
  return entry->second.get();
}

Factor& Compiler::factor(const std::vector<VariableIndex>& variables) {
  const auto [entry, is_new] = factor_of_.try_emplace(variables, plan_.factors.size());
  if (is_new) {
    Factor& made = plan_.factors.emplace_back();
    made.variables = variables;
    made.entries = 1;
    for (const VariableIndex variable : variables) made.entries *= program_.sizes()[variable];
    made.values.resize(plan_.metrics.size());
    made.reals.resize(plan_.real_metrics.size());
  }
  return plan_.factors[entry->second];
}

// What a refused configuration costs says nothing: it must not widen the bounds.
void Compiler::finish_factors() {
  for (Factor& made : plan_.factors) {
    for (std::size_t entry = 0; entry < made.refusals.size(); ++entry) {
      if (made.refusals[entry] == accepted) continue;
      for (auto& column : made.values) {
        if (!column.empty()) column[entry] = 0;
      }
      for (auto& column : made.reals) {
        if (!column.empty()) column[entry] = 0;
      }
    }
    for (auto& column : made.values) {
      if (std::ranges::all_of(column, [](std::int64_t value) { return value == 0; })) column = {};
    }
  }
  std::erase_if(plan_.factors, [](const Factor& made) {
    const auto empty = [](const auto& column) { return column.empty(); };
    return made.refusals.empty() && std::ranges::all_of(made.values, empty) &&
           std::ranges::all_of(made.reals, empty);
  });
}

// -- lanes
// -----------------------------------------------------------------------------------------

// Leaves to the lanes only what the intervals do not prove; where they do not prove that a cost is
// exact, the configuration is refused if it is not.
void Compiler::check_unproven() {
  const std::vector<Interval> proven = netledger::intervals(program_, space_.domains());
  const auto check = [&](const Quantity& cost, std::int64_t largest, Refusal step) {
    if (cost.is_constant() || proven[cost.expression()].exact) return;
    const Condition fits = both(Quantity(-largest) <= cost, cost <= largest);
    wide_conditions_.push_back({program_.id(fits.truth()), step});
  };
  // What the intervals prove to hold need not be asked.
  std::erase_if(wide_conditions_, [&](const WideCondition& condition) {
    const Interval& interval = proven[condition.holds];
    return interval.exact && interval.low > 0;
  });
  const std::int64_t any = -checked::lowest;
  for (const WideCost& wide : wide_costs_) check(wide.cost, any, wide.step);
  for (const Quantity& total : wide_) check(total, largest_unproven, beyond_steps());
}

void Compiler::add_lanes() {
  std::vector<std::uint32_t> roots;
  roots.reserve(wide_.size() + wide_conditions_.size());
  for (const Quantity& total : wide_) roots.push_back(program_.id(total));
  // The first step that refuses is asked for: in their order.
  std::ranges::stable_sort(wide_conditions_, {}, &WideCondition::step);
  std::vector<Refusal> steps;
  for (const WideCondition& condition : wide_conditions_) {
    roots.push_back(condition.holds);
    steps.push_back(condition.step);
  }
  const auto constant = [](const Quantity& total) { return total.is(0); };
  if (steps.empty() && std::ranges::all_of(wide_, constant)) return;
  plan_.lanes = std::make_unique<Lanes>(
      Lanes{LaneProgram(program_, roots, space_.domains()), std::move(steps)});
}

void Compiler::find_bounds() {
  for (std::size_t metric = 0; metric < plan_.metrics.size(); ++metric) {
    __int128 low = plan_.constants[metric];
    __int128 high = low;
    for (const Factor& made : plan_.factors) {
      const std::vector<std::int64_t>& column = made.values[metric];
      if (column.empty()) continue;
      const auto [least, greatest] = std::ranges::minmax(column);
      low += least;
      high += greatest;
    }
    if (plan_.lanes != nullptr) {
      const Interval& bound = plan_.lanes->program.bounds()[metric];
      low += bound.exact ? bound.low : -largest_unproven;
      high += bound.exact ? bound.high : largest_unproven;
    }
    if (low < checked::lowest || high > std::numeric_limits<std::int64_t>::max()) {
      refuse_total(metric);
    }
    plan_.bounds.emplace_back(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high));
  }
}

Plan Space::compile(std::span<const std::string> metrics) { return Compiler(*this, metrics).run(); }

}  // namespace netledger
