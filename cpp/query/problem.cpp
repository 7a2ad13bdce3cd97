#include "query/problem.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "space/error.h"

namespace netledger {

namespace {

[[noreturn]] void refuse_lanes(const Plan& plan, const Question& question) {
  std::string what = question.metrics.empty() ? "what this space refuses" : "the total of '";
  for (std::size_t index = 0; index < question.metrics.size(); ++index) {
    if (index > 0) what += " or '";
    what += plan.metrics.at(question.metrics[index]);
    what += '\'';
  }
  throw SpaceError(what +
                   " is not a sum of small tables: some layer depends on too many variables "
                   "together, so there is no exact answer about the whole space; sweep_range "
                   "counts its configurations one by one, sweep_random estimates, and "
                   "sample(..., rejection=True) draws and keeps what fits");
}

}  // namespace

Problem::Problem(const Plan& plan, const Question& question) {
  if (plan.lanes != nullptr) refuse_lanes(plan, question);
  if (plan.activities.size() != plan.variables.size()) {
    throw SpaceError("a plan has an activity for each variable");
  }
  for (const std::uint32_t metric : question.metrics) {
    const auto [low, high] = plan.bounds.at(metric);
    if (low < -largest_total || high > largest_total) {
      throw SpaceError("the metric '" + plan.metrics[metric] +
                       "' can pass 2^60 in this space: whole-space answers stop there");
    }
    names_.push_back(plan.metrics.at(metric));
    constants_.push_back(plan.constants[metric]);
  }
  for (const PlanVariable& variable : plan.variables) {
    if (variable.size == 0) {
      throw SpaceError("variable '" + variable.name +
                       "' is free: a question about the whole space needs a list of its values");
    }
    sizes_.push_back(variable.size);
  }
  for (const Factor& factor : plan.factors) add_factor(factor, question.metrics);
  if (question.law == Law::architectures) {
    for (VariableIndex variable = 0; variable < sizes_.size(); ++variable) {
      add_activity(plan, variable);
    }
  }
  for (const Restriction& restriction : question.restrictions) add_restriction(plan, restriction);
  for (const Constraint& constraint : question.constraints) {
    check_variables(constraint.variables, constraint.allowed.size());
    // Other spellings of a network are the network.
    add_constraint(question.law == Law::genes ? of_canonical(plan, constraint) : constraint);
  }
  for (Potential& potential : potentials_) count_from_zero(potential);
}

Problem Problem::restricted(const Plan& plan, const Restriction& restriction) const {
  Problem problem = *this;
  problem.add_restriction(plan, restriction);
  return problem;
}

std::optional<std::size_t> Problem::entries(std::span<const VariableIndex> variables,
                                            std::size_t most) const noexcept {
  std::size_t count = 1;
  for (const VariableIndex variable : variables) {
    if (count > most / sizes_[variable]) return std::nullopt;
    count *= sizes_[variable];
  }
  return count;
}

void Problem::set_codes(std::span<const VariableIndex> variables, std::size_t entry,
                        std::span<std::uint16_t> codes) const noexcept {
  for (std::size_t place = variables.size(); place-- > 0;) {
    const std::uint32_t size = sizes_[variables[place]];
    codes[variables[place]] = static_cast<std::uint16_t>(entry % size);
    entry /= size;
  }
}

Potential& Problem::potential(const std::vector<VariableIndex>& variables) {
  const auto known = std::ranges::find(potentials_, variables, &Potential::variables);
  if (known != potentials_.end()) return *known;
  Potential& made = potentials_.emplace_back();
  made.variables = variables;
  made.costs.resize(names_.size());
  for (const VariableIndex variable : variables) made.entries *= sizes_[variable];
  return made;
}

void Problem::add_factor(const Factor& factor, std::span<const std::uint32_t> metrics) {
  const bool refuses = std::ranges::any_of(factor.refusals, std::identity{});
  const bool costs = std::ranges::any_of(
      metrics, [&](std::uint32_t metric) { return !factor.values[metric].empty(); });
  if (!refuses && !costs) return;
  Potential& target = potential(factor.variables);
  for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
    target.costs[metric] = factor.values[metrics[metric]];
  }
  if (!refuses) return;
  target.allowed.reserve(target.entries);
  for (const Refusal refusal : factor.refusals) target.allowed.push_back(refusal == accepted);
}

void Problem::add_activity(const Plan& plan, VariableIndex variable) {
  if (plan.activities[variable].active.empty()) return;
  Restriction any{.variable = variable, .codes = {}, .inactive = true};
  for (std::uint32_t code = 0; code < sizes_[variable]; ++code) any.codes.push_back(code);
  add_restriction(plan, any);
  // An inactive variable has the code 0.
  const Activity& activity = plan.activities[variable];
  std::vector<VariableIndex> variables = activity.variables;
  variables.push_back(variable);
  Potential& target = potential(variables);
  for (std::size_t entry = 0; entry < target.entries; ++entry) {
    const bool active = activity.active[entry / sizes_[variable]] != 0;
    if (!active && entry % sizes_[variable] != 0) target.allowed[entry] = 0;
  }
}

void Problem::add_restriction(const Plan& plan, const Restriction& restriction) {
  if (restriction.variable >= sizes_.size()) {
    throw SpaceError("a restriction is of variable " + std::to_string(restriction.variable) +
                     ", but the space has " + std::to_string(sizes_.size()));
  }
  const Activity& activity = plan.activities[restriction.variable];
  const std::uint32_t size = sizes_[restriction.variable];
  std::vector<std::uint8_t> listed(size);
  for (const std::uint32_t code : restriction.codes) {
    if (code >= size) {
      throw SpaceError("a restriction lists code " + std::to_string(code) + " of variable '" +
                       plan.variables[restriction.variable].name + "', which has " +
                       std::to_string(size) + " choices");
    }
    listed[code] = 1;
  }
  // The variables of a condition come before the variable.
  std::vector<VariableIndex> variables;
  if (!activity.active.empty()) variables = activity.variables;
  variables.push_back(restriction.variable);
  Constraint constraint{.variables = variables, .allowed = {}};
  const std::size_t conditions = activity.active.empty() ? 1 : activity.active.size();
  for (std::size_t condition = 0; condition < conditions; ++condition) {
    const bool active = activity.active.empty() || activity.active[condition] != 0;
    for (std::uint32_t code = 0; code < size; ++code) {
      constraint.allowed.push_back(active ? listed[code]
                                          : static_cast<std::uint8_t>(restriction.inactive));
    }
  }
  add_constraint(constraint);
}

// The same constraint over raw codes: an inactive variable counts as its code 0.
Constraint Problem::of_canonical(const Plan& plan, const Constraint& constraint) const {
  constexpr std::size_t most_entries = std::size_t{1} << 22U;
  std::set<VariableIndex> variables(constraint.variables.begin(), constraint.variables.end());
  for (const VariableIndex variable : constraint.variables) {
    const Activity& activity = plan.activities[variable];
    if (!activity.active.empty()) {
      variables.insert(activity.variables.begin(), activity.variables.end());
    }
  }
  Constraint raw{.variables = {variables.begin(), variables.end()}, .allowed = {}};
  const auto count = entries(raw.variables, most_entries);
  if (!count) {
    throw SpaceError(
        "a condition depends on too many variables, with those that decide whether "
        "they are active: ask with law=\"architectures\"");
  }
  std::vector<std::uint16_t> codes(sizes_.size());
  for (std::size_t index = 0; index < *count; ++index) {
    set_codes(raw.variables, index, codes);
    std::vector<std::uint16_t> canonical = codes;
    for (const VariableIndex variable : constraint.variables) {
      const Activity& activity = plan.activities[variable];
      if (!activity.active.empty() && activity.active[entry(activity.variables, codes)] == 0) {
        canonical[variable] = 0;
      }
    }
    raw.allowed.push_back(constraint.allowed[entry(constraint.variables, canonical)]);
  }
  return raw;
}

void Problem::add_constraint(const Constraint& constraint) {
  Potential& target = potential(constraint.variables);
  if (target.allowed.empty()) target.allowed.assign(target.entries, 1);
  for (std::size_t entry = 0; entry < target.entries; ++entry) {
    if (constraint.allowed[entry] == 0) target.allowed[entry] = 0;
  }
}

void Problem::count_from_zero(Potential& potential) {
  for (std::size_t metric = 0; metric < names_.size(); ++metric) {
    std::vector<std::int64_t>& costs = potential.costs[metric];
    if (costs.empty()) continue;
    const auto is_there = [&](std::size_t entry) {
      return potential.allowed.empty() || potential.allowed[entry] != 0;
    };
    std::optional<std::int64_t> least_there;
    for (std::size_t entry = 0; entry < costs.size(); ++entry) {
      if (is_there(entry)) least_there = std::min(least_there.value_or(costs[entry]), costs[entry]);
    }
    const std::int64_t least = least_there.value_or(0);
    for (std::size_t entry = 0; entry < costs.size(); ++entry) {
      costs[entry] = is_there(entry) ? costs[entry] - least : 0;
    }
    constants_[metric] += least;
    if (std::ranges::all_of(costs, [](std::int64_t cost) { return cost == 0; })) costs.clear();
  }
}

void Problem::check_variables(std::span<const VariableIndex> variables, std::size_t given) const {
  for (std::size_t place = 0; place < variables.size(); ++place) {
    if (variables[place] >= sizes_.size() ||
        (place > 0 && variables[place] <= variables[place - 1])) {
      throw SpaceError("a constraint is over variables of the space, ascending");
    }
  }
  if (entries(variables, given) != given) {
    throw SpaceError("a constraint has a flag for every combination of its variables");
  }
}

}  // namespace netledger
