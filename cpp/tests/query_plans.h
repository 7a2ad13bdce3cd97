// Random spaces of several shapes, and what is true of them, by listing every configuration.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "query/natural.h"
#include "query/problem.h"
#include "query/slices.h"
#include "tests/space_plans.h"

namespace netledger::testing {

// A factor of one metric, or of two.
inline Factor factor_of(std::vector<VariableIndex> variables,
                        std::vector<std::vector<std::int64_t>> values) {
  Factor factor;
  factor.variables = std::move(variables);
  factor.entries = values.front().size();
  factor.values = std::move(values);
  return factor;
}

// Variables of these sizes and nothing else.
inline Plan plan_of(const std::vector<std::uint32_t>& sizes, std::size_t metrics = 1) {
  Plan plan;
  for (const std::uint32_t size : sizes) {
    plan.variables.push_back({"v" + std::to_string(plan.variables.size()), size, 0, 0});
  }
  plan.activities.resize(sizes.size());
  for (std::size_t metric = 0; metric < metrics; ++metric) {
    plan.metrics.push_back("metric" + std::to_string(metric));
    plan.constants.push_back(0);
    plan.bounds.emplace_back(-Problem::largest_total, Problem::largest_total);
  }
  return plan;
}

// So many variables of two codes, of which the second costs `cost`.
inline Plan binary_plan(std::size_t count, std::int64_t cost = 1) {
  Plan plan = plan_of(std::vector<std::uint32_t>(count, 2));
  for (VariableIndex variable = 0; variable < count; ++variable) {
    plan.factors.push_back(factor_of({variable}, {{0, cost}}));
  }
  return plan;
}

// A row of Pascal's triangle.
inline std::vector<Natural> binomials(std::size_t count) {
  std::vector<Natural> row{Natural(1)};
  for (std::size_t made = 0; made < count; ++made) {
    row.emplace_back();
    for (std::size_t place = row.size() - 1; place > 0; --place) row[place] += row[place - 1];
  }
  return row;
}

// -- plans as spaces compile to
// ------------------------------------------------------------------------

// With the variables that decide whether these are active.
inline std::vector<VariableIndex> with_conditions(const Plan& plan,
                                                  const std::vector<VariableIndex>& variables) {
  std::set<VariableIndex> all(variables.begin(), variables.end());
  std::vector<VariableIndex> open = variables;
  while (!open.empty()) {
    const VariableIndex variable = open.back();
    open.pop_back();
    if (plan.activities[variable].active.empty()) continue;
    for (const VariableIndex other : plan.activities[variable].variables) {
      if (all.insert(other).second) open.push_back(other);
    }
  }
  return {all.begin(), all.end()};
}

// Calls use(row) with every combination of codes of these variables; the others have the code 0.
template <class Use>
void each_entry(const Plan& plan, const std::vector<VariableIndex>& variables, Use&& use) {
  Row row(plan.variables.size());
  for (std::size_t entry = 0; entry < entries_of(plan, variables); ++entry) {
    std::size_t rest = entry;
    for (std::size_t place = variables.size(); place-- > 0;) {
      const std::size_t size = plan.variables[variables[place]].size;
      row[variables[place]] = static_cast<std::int64_t>(rest % size);
      rest /= size;
    }
    use(row);
  }
}

// Makes codes of inactive variables not matter, to costs and to other activities.
inline void respect_activities(Plan& plan) {
  std::vector<Activity> activities;
  std::vector<Factor> factors;
  for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
    const Activity& old = plan.activities[variable];
    Activity made;
    if (!old.active.empty()) {
      made.variables = with_conditions(plan, old.variables);
      each_entry(plan, made.variables, [&](const Row& row) {
        made.active.push_back(is_active(plan, variable, true_canonical(plan, row)) ? 1 : 0);
      });
    }
    activities.push_back(std::move(made));
  }
  for (const Factor& old : plan.factors) {
    Factor made;
    made.variables = with_conditions(plan, old.variables);
    made.entries = entries_of(plan, made.variables);
    made.values.resize(old.values.size());
    each_entry(plan, made.variables, [&](const Row& row) {
      const std::size_t entry = entry_at(plan, old.variables, true_canonical(plan, row));
      for (std::size_t metric = 0; metric < old.values.size(); ++metric) {
        if (!old.values[metric].empty()) {
          made.values[metric].push_back(old.values[metric][entry]);
        }
      }
      if (!old.refusals.empty()) made.refusals.push_back(old.refusals[entry]);
    });
    factors.push_back(std::move(made));
  }
  plan.activities = std::move(activities);
  plan.factors = std::move(factors);
}

// A plan has one factor for each set of variables.
inline void keep_one_factor_each(Plan& plan) {
  std::set<std::vector<VariableIndex>> known;
  std::erase_if(plan.factors,
                [&](const Factor& factor) { return !known.insert(factor.variables).second; });
}

enum class Links : std::uint8_t { any, none, chain, star };

// A small space of two metrics.
inline Plan random_space(Dice& dice) {
  PlanShape shape;
  shape.variables = static_cast<std::size_t>(dice.roll(1, 6));
  shape.largest_size = static_cast<std::uint32_t>(dice.roll(2, 4));
  shape.largest_value = dice.chance(50) ? dice.roll(1, 6) : dice.roll(20, 1000);
  shape.refusals = dice.chance(50) ? 40 : 0;
  shape.activities = dice.chance(50) ? 50 : 0;
  const auto links = static_cast<Links>(dice.roll(0, 3));
  shape.factors = links == Links::any ? static_cast<std::size_t>(dice.roll(0, 8)) : 0;
  Plan plan = random_plan(dice, shape);
  // Otherwise the number of variables of a factor is random too.
  const auto add = [&](std::vector<VariableIndex> variables) {
    Factor factor;
    factor.variables = std::move(variables);
    factor.entries = entries_of(plan, factor.variables);
    factor.values.resize(2);
    for (auto& values : factor.values) {
      for (std::size_t entry = 0; entry < factor.entries; ++entry) {
        values.push_back(dice.roll(-shape.largest_value, shape.largest_value));
      }
    }
    if (dice.chance(shape.refusals)) {
      for (std::size_t entry = 0; entry < factor.entries; ++entry) {
        factor.refusals.push_back(dice.chance(15) ? 1 : accepted);
      }
    }
    plan.factors.push_back(std::move(factor));
  };
  const auto count = static_cast<VariableIndex>(plan.variables.size());
  for (VariableIndex variable = 0; variable < count && links != Links::any; ++variable) {
    if (dice.chance(70)) add({variable});
    if (links == Links::chain && variable + 1 < count) add({variable, variable + 1});
    if (links == Links::star && variable > 0) add({0, variable});
  }
  respect_activities(plan);
  keep_one_factor_each(plan);
  // Costs on a lattice, or on several.
  if (dice.chance(40)) {
    for (Factor& factor : plan.factors) {
      const std::int64_t scale = dice.chance(50) ? 6 : 4;
      for (std::int64_t& value : factor.values[0]) value *= scale;
    }
  }
  return plan;
}

// -- what is true
// --------------------------------------------------------------------------------------

inline std::vector<std::uint16_t> codes_of(const Row& row) { return {row.begin(), row.end()}; }

// The configurations of a question about the metrics 0 and 1.
struct Truth {
  struct Network {
    Row row;
    Row canonical;
    std::int64_t cost;
    std::int64_t other;
  };
  std::vector<Network> networks;
  std::map<std::vector<std::uint16_t>, std::size_t> places;

  Truth(const Plan& plan, const Question& question) {
    for (const Row& row : all_rows(plan)) {
      const Row canonical = true_canonical(plan, row);
      if (question.law == Law::architectures && canonical != row) continue;
      const TrueCost cost = true_cost(plan, canonical);
      if (cost.refusal != accepted || !admits(plan, question, canonical)) continue;
      places[codes_of(row)] = networks.size();
      const auto of = [&](std::size_t place) {
        return place < question.metrics.size() ? cost.metrics[question.metrics[place]] : 0;
      };
      networks.push_back({row, canonical, of(0), of(1)});
    }
  }

  static bool admits(const Plan& plan, const Question& question, const Row& canonical) {
    for (const Restriction& restriction : question.restrictions) {
      const auto code = static_cast<std::uint32_t>(canonical[restriction.variable]);
      if (is_active(plan, restriction.variable, canonical)
              ? std::ranges::find(restriction.codes, code) == restriction.codes.end()
              : !restriction.inactive) {
        return false;
      }
    }
    return std::ranges::all_of(question.constraints, [&](const Constraint& constraint) {
      return constraint.allowed[entry_at(plan, constraint.variables, canonical)] != 0;
    });
  }

  // Nothing where there is no such network.
  [[nodiscard]] const Network* find(const std::vector<std::uint16_t>& codes) const {
    const auto place = places.find(codes);
    return place == places.end() ? nullptr : &networks[place->second];
  }
  [[nodiscard]] std::size_t count(std::int64_t low, std::int64_t high) const {
    return static_cast<std::size_t>(std::ranges::count_if(networks, [&](const Network& network) {
      return network.cost >= low && network.cost <= high;
    }));
  }
  // How many have each cost.
  [[nodiscard]] std::map<std::int64_t, std::uint64_t> by_cost() const {
    std::map<std::int64_t, std::uint64_t> counts;
    for (const Network& network : networks) ++counts[network.cost];
    return counts;
  }
};

inline Question random_question(Dice& dice, const Plan& plan) {
  Question question;
  question.metrics = {0, 1};
  question.law = dice.chance(50) ? Law::architectures : Law::genes;
  const auto count = static_cast<std::int64_t>(plan.variables.size());
  while (dice.chance(30)) {
    Restriction restriction;
    restriction.variable = static_cast<VariableIndex>(dice.roll(0, count - 1));
    restriction.inactive = dice.chance(70);
    for (std::uint32_t code = 0; code < plan.variables[restriction.variable].size; ++code) {
      if (dice.chance(70)) restriction.codes.push_back(code);
    }
    question.restrictions.push_back(std::move(restriction));
  }
  while (dice.chance(30)) {
    Constraint constraint;
    constraint.variables = random_scope(dice, plan.variables.size(), 3);
    for (std::size_t entry = 0; entry < entries_of(plan, constraint.variables); ++entry) {
      constraint.allowed.push_back(dice.chance(70) ? 1 : 0);
    }
    question.constraints.push_back(std::move(constraint));
  }
  return question;
}

// Slices by the codes of these variables.
inline Slices slices_by(const Problem& problem, const std::vector<VariableIndex>& given) {
  Slices slices;
  slices.given = given;
  slices.tree = eliminate(problem, given);
  slices.slices = slices_of(problem, given, problem.entries(given, std::size_t{1} << 20U).value());
  return slices;
}

// Limits that lie inside, outside and at the ends of the costs of a space.
inline std::pair<std::int64_t, std::int64_t> random_band(Dice& dice, const Truth& truth) {
  if (truth.networks.empty()) return {dice.roll(-50, 0), dice.roll(0, 50)};
  const auto any = [&] {
    const auto last = static_cast<std::int64_t>(truth.networks.size()) - 1;
    return truth.networks[static_cast<std::size_t>(dice.roll(0, last))].cost + dice.roll(-2, 2);
  };
  const std::int64_t one = any();
  const std::int64_t other = any();
  return {std::min(one, other), std::max(one, other)};
}

// The statistic of so many draws, each as likely to be any of these: near to one less than there
// are of them. Whether it is suspicious: one in millions.
inline bool is_uniform(std::span<const std::uint64_t> drawn) {
  if (drawn.size() < 2) return true;
  const double all =
      static_cast<double>(std::accumulate(drawn.begin(), drawn.end(), std::uint64_t{0}));
  const double expected = all / static_cast<double>(drawn.size());
  double statistic = 0;
  for (const std::uint64_t count : drawn) {
    const double apart = static_cast<double>(count) - expected;
    statistic += apart * apart / expected;
  }
  const double freedom = static_cast<double>(drawn.size()) - 1;
  return statistic < freedom + 6 * std::sqrt(2 * freedom) + 12;
}

}  // namespace netledger::testing
