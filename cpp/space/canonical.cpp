#include "space/canonical.h"

#include <algorithm>
#include <array>
#include <string>

#include "space/error.h"

namespace netledger {

namespace {

// The code, or 0 where it is not active. Which it is cannot be foreseen: no branch.
template <class Code>
Code kept_if(std::uint8_t active, Code code) noexcept {
  return static_cast<Code>(code & (0U - active));
}

}  // namespace

Canonicalizer::Canonicalizer(const Plan& plan) {
  if (plan.activities.size() != plan.variables.size()) {
    throw SpaceError("a plan has an activity for each variable");
  }
  for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
    const Activity& activity = plan.activities[variable];
    if (activity.active.empty()) continue;
    // Codes of free variables are values: there is nothing to make canonical.
    if (plan.variables[variable].size == 0) continue;
    Rule rule{variable, activity.variables, {}, {}};
    for (const std::uint8_t active : activity.active) rule.active.push_back(active != 0 ? 1 : 0);
    rule.strides.resize(rule.conditions.size());
    std::size_t entries = 1;
    for (std::size_t place = rule.conditions.size(); place-- > 0;) {
      rule.strides[place] = static_cast<std::uint32_t>(entries);
      if (rule.conditions[place] >= variable) {
        throw SpaceError("variable '" + plan.variables[variable].name +
                         "' depends on one that comes after it");
      }
      entries *= plan.variables[rule.conditions[place]].size;
    }
    if (entries != rule.active.size()) {
      throw SpaceError("the condition of variable '" + plan.variables[variable].name +
                       "' needs an entry per combination");
    }
    rules_.push_back(std::move(rule));
  }
}

template <class Use>
void Canonicalizer::visit(const CodeColumns& columns, std::size_t rows, const Rule& rule,
                          Use&& use) const {
  std::array<std::uint32_t, CodeColumns::block> entries{};
  for (std::size_t place = 0; place < rule.conditions.size(); ++place) {
    const std::uint16_t* const codes = columns.column(rule.conditions[place]);
    const std::uint32_t stride = rule.strides[place];
    for (std::size_t row = 0; row < rows; ++row) entries[row] += codes[row] * stride;
  }
  for (std::size_t row = 0; row < rows; ++row) use(row, rule.active[entries[row]]);
}

void Canonicalizer::apply(CodeColumns& columns, std::size_t rows) const noexcept {
  for (const Rule& rule : rules_) {
    std::uint16_t* const codes = columns.column(rule.variable);
    visit(columns, rows, rule,
          [&](std::size_t row, std::uint8_t active) { codes[row] = kept_if(active, codes[row]); });
  }
}

void Canonicalizer::apply(const CodeOutput& rows) const noexcept {
  if (rows.width == CodeWidth::byte) {
    apply_rows<std::uint8_t>(rows);
  } else {
    apply_rows<std::uint16_t>(rows);
  }
}

template <class Code>
void Canonicalizer::apply_rows(const CodeOutput& rows) const noexcept {
  Code* const first = static_cast<Code*>(rows.data);
  const std::size_t columns = rows.columns;
  for (const Rule& rule : rules_) {
    // Copies: bytes that are written might be anything else's.
    const std::size_t variable = rule.variable;
    const std::uint8_t* const active = rule.active.data();
    Code* codes = first;
    // Most conditions are over one variable.
    if (rule.conditions.size() == 1) {
      const std::size_t condition = rule.conditions.front();
      for (std::size_t row = 0; row < rows.rows; ++row, codes += columns) {
        codes[variable] = kept_if(active[codes[condition]], codes[variable]);
      }
      continue;
    }
    for (std::size_t row = 0; row < rows.rows; ++row, codes += columns) {
      std::size_t entry = 0;
      for (std::size_t place = 0; place < rule.conditions.size(); ++place) {
        entry += std::size_t{codes[rule.conditions[place]]} * rule.strides[place];
      }
      codes[variable] = kept_if(active[entry], codes[variable]);
    }
  }
}

void Canonicalizer::mark(const CodeColumns& columns, std::size_t rows,
                         std::uint8_t* changes) const noexcept {
  // In a canonical row every condition reads canonical codes; in another the first variable that
  // is not canonical is still found.
  for (const Rule& rule : rules_) {
    const std::uint16_t* const codes = columns.column(rule.variable);
    visit(columns, rows, rule, [&](std::size_t row, std::uint8_t active) {
      changes[row] = static_cast<std::uint8_t>(changes[row] | (active == 0 && codes[row] != 0));
    });
  }
}

bool Canonicalizer::active(VariableIndex variable,
                           std::span<const std::uint16_t> codes) const noexcept {
  const auto rule = std::ranges::lower_bound(rules_, variable, {}, &Rule::variable);
  if (rule == rules_.end() || rule->variable != variable) return true;
  std::size_t entry = 0;
  for (std::size_t place = 0; place < rule->conditions.size(); ++place) {
    entry += std::size_t{codes[rule->conditions[place]]} * rule->strides[place];
  }
  return rule->active[entry] != 0;
}

}  // namespace netledger
