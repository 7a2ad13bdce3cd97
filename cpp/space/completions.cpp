#include "space/completions.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>

#include "space/error.h"

namespace netledger {

namespace {

[[noreturn]] void refuse_counts() {
  throw SpaceError(
      "the space has a component with more than 2^128 networks; they cannot be drawn with equal "
      "probability; use law=\"genes\"");
}

Wide multiply(Wide left, Wide right) {
  Wide product = 0;
  if (__builtin_mul_overflow(left, right, &product)) refuse_counts();
  return product;
}

}  // namespace

Completions::Completions(const Plan& plan, std::span<const VariableIndex> variables)
    : plan_(plan),
      variables_(variables.begin(), variables.end()),
      buckets_(variables.size()),
      messages_(variables.size()) {
  add_rules();
  for (std::size_t place = variables_.size(); place-- > 0;) eliminate(place);
}

std::size_t Completions::place_of(VariableIndex variable) const {
  return static_cast<std::size_t>(std::ranges::lower_bound(variables_, variable) -
                                  variables_.begin());
}

void Completions::add_rules() {
  for (const Factor& factor : plan_.factors) {
    if (factor.variables.empty() || !std::ranges::any_of(factor.refusals, std::identity{}) ||
        !std::ranges::includes(variables_, factor.variables)) {
      continue;
    }
    buckets_[place_of(factor.variables.back())].rules.push_back(&factor);
  }
}

void Completions::eliminate(std::size_t place) {
  const Bucket& bucket = buckets_[place];
  std::vector<VariableIndex> scope;
  const auto join = [&](const std::vector<VariableIndex>& variables) {
    std::vector<VariableIndex> both;
    std::ranges::set_union(scope, variables, std::back_inserter(both));
    scope = std::move(both);
  };
  join(plan_.activities[variables_[place]].variables);
  for (const Factor* const rule : bucket.rules) join(rule->variables);
  for (const std::size_t message : bucket.messages) join(messages_[message].variables);
  std::erase(scope, variables_[place]);

  std::size_t entries = 1;
  for (const VariableIndex variable : scope) {
    entries *= plan_.variables[variable].size;
    if (entries > most_entries) {
      throw SpaceError(
          "counting the networks that variable '" + plan_.variables[variables_[place]].name +
          "' belongs to needs a table of more than 2^24 entries, over " +
          std::to_string(scope.size()) +
          " variables; they cannot be drawn with equal probability; use law=\"genes\"");
    }
  }
  Message& sent = messages_[place];
  sent.variables = scope;
  sent.counts.reserve(entries);
  std::vector<std::uint16_t> codes(plan_.variables.size());
  for (std::size_t entry = 0; entry < entries; ++entry) {
    std::size_t rest = entry;
    for (std::size_t index = scope.size(); index-- > 0;) {
      const std::uint32_t size = plan_.variables[scope[index]].size;
      codes[scope[index]] = static_cast<std::uint16_t>(rest % size);
      rest /= size;
    }
    Wide sum = 0;
    for (std::uint32_t code = 0; code < plan_.variables[variables_[place]].size; ++code) {
      codes[variables_[place]] = static_cast<std::uint16_t>(code);
      if (__builtin_add_overflow(sum, product(place, codes), &sum)) refuse_counts();
    }
    sent.counts.push_back(sum);
  }
  if (!scope.empty()) buckets_[place_of(scope.back())].messages.push_back(place);
}

std::size_t Completions::entry(std::span<const VariableIndex> scope,
                               std::span<const std::uint16_t> codes) const {
  std::size_t entry = 0;
  for (const VariableIndex variable : scope) {
    entry = entry * plan_.variables[variable].size + codes[variable];
  }
  return entry;
}

Wide Completions::count(const Message& message, std::span<const std::uint16_t> codes) const {
  return message.counts[entry(message.variables, codes)];
}

Wide Completions::product(std::size_t place, std::span<const std::uint16_t> codes) const {
  // Inactive variables have the code 0 only.
  const Activity& activity = plan_.activities[variables_[place]];
  if (codes[variables_[place]] != 0 && !activity.active.empty() &&
      activity.active[entry(activity.variables, codes)] == 0) {
    return 0;
  }
  for (const Factor* const rule : buckets_[place].rules) {
    if (rule->refusals[entry(rule->variables, codes)] != accepted) return 0;
  }
  Wide result = 1;
  for (const std::size_t message : buckets_[place].messages) {
    result = multiply(result, count(messages_[message], codes));
  }
  return result;
}

Wide Completions::total() const {
  Wide result = 1;
  for (const Message& message : messages_) {
    if (message.variables.empty()) result = multiply(result, message.counts.front());
  }
  return result;
}

void Completions::weigh(std::size_t place, std::span<const std::uint16_t> codes,
                        std::vector<Wide>& weights) const {
  const VariableIndex variable = variables_[place];
  std::vector<std::uint16_t> with(codes.begin(), codes.end());
  weights.resize(plan_.variables[variable].size);
  // What later buckets send past this one does not depend on its variable.
  Wide others = 1;
  for (std::size_t later = place + 1; later < messages_.size(); ++later) {
    const Message& message = messages_[later];
    if (message.variables.empty() || message.variables.back() < variable) {
      others = multiply(others, count(message, codes));
    }
  }
  for (std::uint32_t code = 0; code < weights.size(); ++code) {
    with[variable] = static_cast<std::uint16_t>(code);
    weights[code] = multiply(others, product(place, with));
  }
}

}  // namespace netledger
