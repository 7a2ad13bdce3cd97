#include "space/digits.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "space/error.h"
#include "space/random.h"
#include "space/tables.h"

namespace netledger {

namespace {

// Mixed radix numbers up to here are looked up directly.
constexpr std::size_t most_lookups = std::size_t{1} << 20U;

bool refuses(const Factor& factor) { return std::ranges::any_of(factor.refusals, std::identity{}); }

std::vector<std::string> digit_names(std::size_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t digit = 0; digit < count; ++digit) {
    names.push_back("digit " + std::to_string(digit));
  }
  return names;
}

std::vector<std::uint32_t> sizes_of(const std::vector<Digit>& digits) {
  std::vector<std::uint32_t> sizes;
  sizes.reserve(digits.size());
  for (const Digit& digit : digits) sizes.push_back(digit.size);
  return sizes;
}

// Walks the canonical combinations of some variables in lexicographic order.
class Walker {
 public:
  Walker(const Plan& plan, const Canonicalizer& canonicalizer,
         std::span<const VariableIndex> variables)
      : plan_(plan),
        canonicalizer_(canonicalizer),
        variables_(variables),
        codes_(plan.variables.size()) {}

  // Calls use(codes of all the plan's variables) for each; false where there are more than most.
  template <class Use>
  bool walk(Use&& use) {
    return visit(0, use);
  }

 private:
  template <class Use>
  bool visit(std::size_t place, Use&& use) {
    if (place == variables_.size()) {
      use(codes_);
      return ++count_ <= Digits::most_combinations;
    }
    const VariableIndex variable = variables_[place];
    const bool active = canonicalizer_.active(variable, codes_);
    const std::uint32_t size = active ? plan_.variables[variable].size : 1;
    for (std::uint32_t code = 0; code < size; ++code) {
      codes_[variable] = static_cast<std::uint16_t>(code);
      if (!visit(place + 1, use)) return false;
    }
    codes_[variable] = 0;
    return true;
  }

  const Plan& plan_;
  const Canonicalizer& canonicalizer_;
  std::span<const VariableIndex> variables_;
  std::vector<std::uint16_t> codes_;
  std::size_t count_ = 0;
};

// Sets of variables that grow together.
class Components {
 public:
  explicit Components(std::size_t variables) {
    for (VariableIndex variable = 0; variable < variables; ++variable) {
      members_.push_back({variable});
      set_of_.push_back(variable);
    }
  }

  // The variables, ascending, of all the sets that these belong to.
  [[nodiscard]] std::vector<VariableIndex> united(std::span<const VariableIndex> variables) const {
    std::vector<VariableIndex> all;
    for (const VariableIndex variable : variables) {
      const auto& members = members_[set_of_[variable]];
      all.insert(all.end(), members.begin(), members.end());
    }
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  void join(const std::vector<VariableIndex>& united) {
    const VariableIndex target = set_of_[united.front()];
    for (const VariableIndex variable : united) {
      members_[set_of_[variable]].clear();
      set_of_[variable] = target;
    }
    members_[target] = united;
  }

  [[nodiscard]] std::vector<std::vector<VariableIndex>> result() && {
    std::erase_if(members_, [](const auto& variables) { return variables.empty(); });
    return std::move(members_);
  }

 private:
  std::vector<std::vector<VariableIndex>> members_;
  std::vector<VariableIndex> set_of_;
};

// Factors that refuse, in the order of the first step that does.
std::vector<const Factor*> refusing_factors(const Plan& plan) {
  std::vector<std::pair<Refusal, const Factor*>> found;
  for (const Factor& factor : plan.factors) {
    if (factor.variables.empty() || !refuses(factor)) continue;
    Refusal first = accepted;
    for (const Refusal refusal : factor.refusals) first = first_refusal(first, refusal);
    found.emplace_back(first, &factor);
  }
  std::ranges::stable_sort(found, {}, [](const auto& entry) { return entry.first; });
  std::vector<const Factor*> factors;
  factors.reserve(found.size());
  for (const auto& entry : found) factors.push_back(entry.second);
  return factors;
}

bool accepts(const Factor& factor, const Plan& plan, std::span<const std::uint16_t> codes) {
  std::size_t entry = 0;
  for (const VariableIndex variable : factor.variables) {
    entry = entry * plan.variables[variable].size + codes[variable];
  }
  return factor.refusals[entry] == accepted;
}

}  // namespace

Digits::Digits(const Plan& plan)
    : plan_(plan), canonicalizer_(plan), variable_ranges_(plan), ranges_({}, {}) {
  for (const PlanVariable& variable : plan.variables) {
    if (variable.size == 0) {
      throw SpaceError("variable '" + variable.name +
                       "' is free: its values cannot be enumerated or drawn");
    }
  }
  for (const auto& link : plan.links) {
    if (!link.empty() && link.back() < plan.variables.size()) continue;
    throw SpaceError("a link needs variables of the plan");
  }
  std::uint32_t component = 0;
  for (const auto& variables : components()) add_component(variables, component++);
  std::ranges::sort(digits_, {}, [](const Digit& digit) { return digit.variables.front(); });
  whole_ = std::ranges::all_of(digits_, &Digit::whole);
  ranges_ = CodeRanges(digit_names(digits_.size()), sizes_of(digits_));
  find_refusing();
  build_lookups();
}

std::vector<std::vector<VariableIndex>> Digits::components() const {
  Components components(plan_.variables.size());
  for (VariableIndex variable = 0; variable < plan_.variables.size(); ++variable) {
    std::vector<VariableIndex> linked = plan_.activities[variable].variables;
    linked.push_back(variable);
    components.join(components.united(linked));
  }
  const auto join_if_few = [&](std::span<const VariableIndex> linked) {
    const std::vector<VariableIndex> united = components.united(linked);
    const bool few = Walker(plan_, canonicalizer_, united).walk([](const auto&) {});
    if (!united.empty() && few) components.join(united);
  };
  for (const auto& link : plan_.links) join_if_few(link);
  for (const Factor* factor : refusing_factors(plan_)) join_if_few(factor->variables);
  return std::move(components).result();
}

void Digits::add_component(const std::vector<VariableIndex>& variables, std::uint32_t component) {
  std::vector<const Factor*> factors = refusing_factors(plan_);
  std::erase_if(factors, [&](const Factor* factor) {
    return !std::ranges::includes(variables, factor->variables);
  });
  Digit digit;
  digit.variables = variables;
  digit.component = component;
  const bool few = Walker(plan_, canonicalizer_, variables).walk([&](const auto& codes) {
    if (std::ranges::all_of(factors,
                            [&](const Factor* factor) { return accepts(*factor, plan_, codes); })) {
      for (const VariableIndex variable : variables) digit.codes.push_back(codes[variable]);
      ++digit.size;
    }
  });
  if (few) {
    digits_.push_back(std::move(digit));
    return;
  }
  for (const VariableIndex variable : variables) {
    Digit single;
    single.variables = {variable};
    single.size = plan_.variables[variable].size;
    single.codes.resize(single.size);
    std::iota(single.codes.begin(), single.codes.end(), std::uint16_t{0});
    single.component = component;
    single.whole = false;
    digits_.push_back(std::move(single));
  }
}

// Refusals within a digit are taken care of; those of several digits, and of the lanes, remain.
void Digits::find_refusing() {
  may_refuse_ = plan_.lanes != nullptr && !plan_.lanes->steps.empty();
  for (const Factor& factor : plan_.factors) {
    const bool within =
        !factor.variables.empty() && std::ranges::any_of(digits_, [&](const Digit& digit) {
          return digit.whole && std::ranges::includes(digit.variables, factor.variables);
        });
    if (!within && refuses(factor)) may_refuse_ = true;
  }
}

void Digits::build_lookups() {
  for (const Digit& digit : digits_) {
    std::vector<std::uint32_t>& lookup = lookups_.emplace_back();
    if (!digit.whole) continue;
    std::size_t entries = 1;
    for (const VariableIndex variable : digit.variables) {
      entries = std::min(entries * plan_.variables[variable].size, most_lookups + 1);
    }
    if (entries > most_lookups) continue;
    lookup.assign(entries, absent);
    for (std::uint32_t code = 0; code < digit.size; ++code) {
      std::size_t entry = 0;
      const auto combination = digit.combination(code);
      for (std::size_t place = 0; place < combination.size(); ++place) {
        entry = entry * plan_.variables[digit.variables[place]].size + combination[place];
      }
      lookup[entry] = code;
    }
  }
}

void Digits::pack(const CodeView& codes, std::size_t first, std::size_t rows,
                  std::uint16_t* packed) const {
  variable_ranges_.check_shape(codes);
  CodeColumns columns(plan_.variables.size());
  for (std::size_t done = 0; done < rows; done += CodeColumns::block) {
    const std::size_t count = std::min(CodeColumns::block, rows - done);
    columns.read(codes, first + done, count);
    variable_ranges_.check(columns, first + done, count);
    canonicalizer_.apply(columns, count);
    for (std::size_t digit = 0; digit < digits_.size(); ++digit) {
      for (std::size_t row = 0; row < count; ++row) {
        packed[(done + row) * digits_.size() + digit] =
            find(digit, columns, row, first + done + row);
      }
    }
  }
}

std::uint16_t Digits::find(std::size_t index, const CodeColumns& columns, std::size_t row,
                           std::size_t shown_row) const {
  const Digit& digit = digits_[index];
  if (!digit.whole) return columns.column(digit.variables.front())[row];
  std::uint32_t code = absent;
  if (!lookups_[index].empty()) {
    std::size_t entry = 0;
    for (const VariableIndex variable : digit.variables) {
      entry = entry * plan_.variables[variable].size + columns.column(variable)[row];
    }
    code = lookups_[index][entry];
  } else {
    std::vector<std::uint16_t> wanted;
    wanted.reserve(digit.variables.size());
    for (const VariableIndex variable : digit.variables) {
      wanted.push_back(columns.column(variable)[row]);
    }
    std::vector<std::uint32_t> all(digit.size);
    std::iota(all.begin(), all.end(), 0U);
    const auto place = std::ranges::lower_bound(
        all, wanted,
        [](const auto& left, const auto& right) {
          return std::ranges::lexicographical_compare(left, right);
        },
        [&](std::uint32_t candidate) { return digit.combination(candidate); });
    if (place != all.end() && std::ranges::equal(digit.combination(*place), wanted)) code = *place;
  }
  if (code == absent) {
    throw SpaceError("row " + std::to_string(shown_row) + ": a step refuses the configuration by " +
                     ranges_.name(index) + " alone; it cannot be packed");
  }
  return static_cast<std::uint16_t>(code);
}

void Digits::unpack(const CodeColumns& packed, std::size_t rows,
                    CodeColumns& codes) const noexcept {
  for (std::size_t index = 0; index < digits_.size(); ++index) {
    const Digit& digit = digits_[index];
    const std::uint16_t* const choices = packed.column(index);
    const std::size_t width = digit.variables.size();
    for (std::size_t place = 0; place < width; ++place) {
      const std::uint16_t* const from = digit.codes.data() + place;
      std::uint16_t* const to = codes.column(digit.variables[place]);
      for (std::size_t row = 0; row < rows; ++row) to[row] = from[choices[row] * width];
    }
  }
}

void Digits::unpack(const CodeView& packed, std::size_t first, std::size_t rows,
                    const CodeOutput& output) const {
  ranges_.check_shape(packed);
  variable_ranges_.check_output(output, rows);
  CodeColumns from(digits_.size());
  CodeColumns to(plan_.variables.size());
  for (std::size_t done = 0; done < rows; done += CodeColumns::block) {
    const std::size_t count = std::min(CodeColumns::block, rows - done);
    from.read(packed, first + done, count);
    ranges_.check(from, first + done, count);
    unpack(from, count, to);
    to.write(output, done, count);
  }
}

void Digits::check_start(std::span<const std::uint16_t> start, std::uint64_t count) const {
  if (start.size() != digits_.size()) {
    throw SpaceError("a position has " + std::to_string(digits_.size()) + " digits; got " +
                     std::to_string(start.size()));
  }
  // Positions from `start` to the end, as far as they can matter.
  Wide left = 1;
  Wide weight = 1;
  constexpr Wide most = Wide{1} << 64U;
  for (std::size_t digit = digits_.size(); digit-- > 0;) {
    const std::uint32_t size = digits_[digit].size;
    if (start[digit] >= size) {
      if (count == 0 &&
          std::ranges::any_of(digits_, [](const Digit& one) { return one.size == 0; })) {
        return;
      }
      ranges_.refuse(0, digit, start[digit]);
    }
    left = std::min(left + weight * (size - 1U - start[digit]), most);
    weight = std::min(weight * size, most);
  }
  if (count > left) {
    throw SpaceError("only " + std::to_string(static_cast<std::uint64_t>(left)) +
                     " positions follow the first; asked for " + std::to_string(count));
  }
}

void Digits::count_up(std::span<const std::uint16_t> start, std::uint64_t first, std::size_t rows,
                      CodeColumns& packed) const noexcept {
  // Adds `first` to the start, then counts.
  std::vector<std::uint16_t> digits(start.begin(), start.end());
  std::uint64_t carry = first;
  for (std::size_t place = digits.size(); place-- > 0 && carry != 0;) {
    const std::uint64_t size = digits_[place].size;
    const std::uint64_t sum = carry % size + digits[place];
    carry = carry / size + sum / size;
    digits[place] = static_cast<std::uint16_t>(sum % size);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t place = 0; place < digits.size(); ++place) {
      packed.column(place)[row] = digits[place];
    }
    for (std::size_t place = digits.size(); place-- > 0;) {
      const std::uint32_t next = digits[place] + 1U;
      digits[place] = static_cast<std::uint16_t>(next < digits_[place].size ? next : 0);
      if (digits[place] != 0) break;
    }
  }
}

void Digits::enumerate(std::span<const std::uint16_t> start, std::uint64_t count,
                       const CodeOutput& output) const {
  check_start(start, count);
  variable_ranges_.check_output(output, count);
  CodeColumns from(digits_.size());
  CodeColumns to(plan_.variables.size());
  for (std::size_t done = 0; done < count; done += CodeColumns::block) {
    const std::size_t rows = std::min(CodeColumns::block, static_cast<std::size_t>(count) - done);
    count_up(start, done, rows, from);
    unpack(from, rows, to);
    to.write(output, done, rows);
  }
}

}  // namespace netledger
