#include "space/tables.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "space/error.h"
#include "space/random.h"

namespace netledger {

namespace {

using Scope = std::vector<VariableIndex>;
__extension__ using Signed = __int128;

bool contains(const Scope& all, const Scope& part) { return std::ranges::includes(all, part); }

Scope join(const Scope& left, const Scope& right) {
  Scope both;
  std::ranges::set_union(left, right, std::back_inserter(both));
  return both;
}

// The product of the sizes, at most `most` + 1.
std::size_t count_entries(const Scope& scope, std::span<const std::uint32_t> sizes,
                          std::size_t most) {
  std::size_t entries = 1;
  for (const VariableIndex variable : scope) {
    entries *= sizes[variable];
    if (entries > most) return most + 1;
  }
  return entries;
}

[[noreturn]] void refuse_sum() {
  throw SpaceError("a metric's tables hold values whose sums pass 64 bits");
}

void add_values(const std::vector<std::int64_t>& from, std::span<const std::uint32_t> entries,
                std::vector<std::int64_t>& to) {
  if (from.empty()) return;
  to.resize(entries.size());
  for (std::size_t entry = 0; entry < entries.size(); ++entry) {
    if (__builtin_add_overflow(to[entry], from[entries[entry]], &to[entry])) refuse_sum();
  }
}

void add_reals(const std::vector<double>& from, std::span<const std::uint32_t> entries,
               std::vector<double>& to) {
  if (from.empty()) return;
  to.resize(entries.size());
  for (std::size_t entry = 0; entry < entries.size(); ++entry) to[entry] += from[entries[entry]];
}

void add_refusals(const std::vector<Refusal>& from, std::span<const std::uint32_t> entries,
                  std::vector<Refusal>& to) {
  if (from.empty()) return;
  to.resize(entries.size());
  for (std::size_t entry = 0; entry < entries.size(); ++entry) {
    to[entry] = first_refusal(to[entry], from[entries[entry]]);
  }
}

// Adds a factor over some of the variables of `sum`.
void add_factor(const Factor& part, std::span<const std::uint32_t> sizes, Factor& sum) {
  const std::vector<std::uint32_t> entries = entries_of_part(part.variables, sum.variables, sizes);
  sum.values.resize(std::max(sum.values.size(), part.values.size()));
  sum.reals.resize(std::max(sum.reals.size(), part.reals.size()));
  for (std::size_t metric = 0; metric < part.values.size(); ++metric) {
    add_values(part.values[metric], entries, sum.values[metric]);
  }
  for (std::size_t metric = 0; metric < part.reals.size(); ++metric) {
    add_reals(part.reals[metric], entries, sum.reals[metric]);
  }
  add_refusals(part.refusals, entries, sum.refusals);
}

// Decides by scopes alone which factors go together; values are added once, at the end.
class Merger {
 public:
  Merger(std::span<const Factor> factors, std::span<const std::uint32_t> sizes,
         const TableLimits& limits)
      : sizes_(sizes), limits_(limits) {
    for (std::size_t index = 0; index < factors.size(); ++index) {
      add({factors[index].variables, factors[index].entries, {index}});
    }
    absorb();
    for (const Group& group : groups_) total_ += group.entries;
    // All pairs of very many would take long to look at.
    if (groups_.size() > most_pairwise) merge_neighbours();
    if (groups_.size() <= most_pairwise) {
      while (merge_pair()) {
      }
    }
  }

  [[nodiscard]] std::vector<Factor> result(std::span<const Factor> factors) const {
    std::vector<Factor> merged;
    for (const Group& group : groups_) {
      Factor sum;
      sum.variables = group.scope;
      sum.entries = group.entries;
      for (const std::size_t member : group.members) add_factor(factors[member], sizes_, sum);
      merged.push_back(std::move(sum));
    }
    return merged;
  }

 private:
  static constexpr std::size_t most_pairwise = 160;
  static constexpr std::size_t neighbour_entries = 1024;

  struct Group {
    Scope scope;
    std::size_t entries;
    std::vector<std::size_t> members;
  };

  void add(Group group) {
    const auto same = std::ranges::find(groups_, group.scope, &Group::scope);
    if (same == groups_.end()) {
      groups_.push_back(std::move(group));
    } else {
      same->members.push_back(group.members.front());
    }
  }

  // Into the smallest group that has all the variables.
  void absorb() {
    std::ranges::stable_sort(groups_, {}, &Group::entries);
    std::vector<Group> kept;
    for (auto group = groups_.begin(); group != groups_.end(); ++group) {
      const auto larger = std::find_if(group + 1, groups_.end(), [&](const Group& other) {
        return contains(other.scope, group->scope);
      });
      if (larger == groups_.end()) {
        kept.push_back(std::move(*group));
      } else {
        larger->members.insert(larger->members.end(), group->members.begin(), group->members.end());
      }
    }
    groups_ = std::move(kept);
    std::ranges::sort(groups_, {}, &Group::scope);
  }

  void merge_neighbours() {
    std::vector<Group> merged;
    for (Group& group : groups_) {
      if (!merged.empty()) {
        const Scope scope = join(merged.back().scope, group.scope);
        if (count_entries(scope, sizes_, neighbour_entries) <= neighbour_entries) {
          put(group, scope, merged.back());
          continue;
        }
      }
      merged.push_back(std::move(group));
    }
    groups_ = std::move(merged);
  }

  // Merges the pair with the smallest result; of equal ones the pair with the most in common.
  bool merge_pair() {
    std::pair<std::size_t, std::size_t> best{limits_.table_entries + 1, 0};
    std::size_t left = 0;
    std::size_t right = 0;
    for (std::size_t first = 0; first < groups_.size(); ++first) {
      for (std::size_t second = first + 1; second < groups_.size(); ++second) {
        const Group& one = groups_[first];
        const Group& other = groups_[second];
        if (std::max(one.entries, other.entries) > best.first) continue;
        const Scope scope = join(one.scope, other.scope);
        const std::pair<std::size_t, std::size_t> result{
            count_entries(scope, sizes_, limits_.table_entries), scope.size()};
        if (result.first > limits_.table_entries || !fits(one, other, result.first)) continue;
        if (result < best) {
          best = result;
          left = first;
          right = second;
        }
      }
    }
    if (best.first > limits_.table_entries) return false;
    put(groups_[right], join(groups_[left].scope, groups_[right].scope), groups_[left]);
    groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(right));
    return true;
  }

  [[nodiscard]] bool fits(const Group& one, const Group& other, std::size_t entries) const {
    const std::size_t without = total_ - one.entries - other.entries;
    return without + entries <= limits_.total_entries;
  }

  void put(Group& from, const Scope& scope, Group& to) {
    total_ -= from.entries + to.entries;
    to.scope = scope;
    to.entries = count_entries(scope, sizes_, std::numeric_limits<std::uint32_t>::max());
    to.members.insert(to.members.end(), from.members.begin(), from.members.end());
    total_ += to.entries;
  }

  std::span<const std::uint32_t> sizes_;
  const TableLimits& limits_;
  std::vector<Group> groups_;
  std::size_t total_ = 0;
};

void check_factor(const Factor& factor, std::span<const std::uint32_t> sizes) {
  const std::size_t most = std::numeric_limits<std::uint32_t>::max();
  for (const VariableIndex variable : factor.variables) {
    if (variable >= sizes.size() || sizes[variable] == 0) {
      throw SpaceError("a factor depends on variable " + std::to_string(variable) +
                       ", which is free or does not exist");
    }
  }
  bool sized = count_entries(factor.variables, sizes, most) == factor.entries;
  for (const auto& values : factor.values) {
    sized = sized && (values.empty() || values.size() == factor.entries);
  }
  for (const auto& reals : factor.reals) {
    sized = sized && (reals.empty() || reals.size() == factor.entries);
  }
  sized = sized && (factor.refusals.empty() || factor.refusals.size() == factor.entries);
  if (!sized) throw SpaceError("a factor does not have an entry per combination of its variables");
}

}  // namespace

std::vector<std::uint32_t> entries_of_part(std::span<const VariableIndex> part,
                                           std::span<const VariableIndex> variables,
                                           std::span<const std::uint32_t> sizes) {
  // From the last variable, which runs fastest in both, to the first.
  std::vector<std::uint32_t> entries{0};
  std::uint32_t stride = 1;
  std::size_t left = part.size();
  for (std::size_t place = variables.size(); place-- > 0;) {
    const bool shared = left > 0 && part[left - 1] == variables[place];
    const std::size_t count = entries.size();
    entries.reserve(count * sizes[variables[place]]);
    for (std::uint32_t code = 1; code < sizes[variables[place]]; ++code) {
      for (std::size_t entry = 0; entry < count; ++entry) {
        entries.push_back(entries[entry] + (shared ? code * stride : 0));
      }
    }
    if (!shared) continue;
    stride *= sizes[variables[place]];
    --left;
  }
  return entries;
}

std::vector<Factor> merge_factors(std::span<const Factor> factors,
                                  std::span<const std::uint32_t> sizes, const TableLimits& limits) {
  for (const Factor& factor : factors) check_factor(factor, sizes);
  return Merger(factors, sizes, limits).result(factors);
}

// What the tables can add up to, without what refuses.
struct CostTables::Range {
  Signed lowest = 0;
  Wide span = 0;
  // Of each table.
  std::vector<std::int64_t> minima;
};

CostTables::CostTables(const Plan& plan, std::span<const Factor> factors,
                       std::span<const std::uint32_t> sizes)
    : real_constants_(plan.real_constants) {
  if (plan.constants.size() != plan.metrics.size() ||
      plan.real_constants.size() != plan.real_metrics.size()) {
    throw SpaceError("a plan has a constant for each of its metrics");
  }
  place_tables(factors, sizes);
  const std::vector<Range> ranges = find_ranges(plan, factors);
  fill_refusals(factors);
  place_fields(plan, ranges);
  fill_words(factors, ranges);
  fill_reals(factors);
}

std::size_t CostTables::bytes() const noexcept {
  return words_.size() * sizeof(std::uint64_t) + refusals_.size() * sizeof(Refusal) +
         reals_.size() * sizeof(double);
}

void CostTables::place_tables(std::span<const Factor> factors,
                              std::span<const std::uint32_t> sizes) {
  for (const Factor& factor : factors) {
    CostTable table;
    table.variables = factor.variables;
    table.strides.resize(factor.variables.size());
    for (std::size_t place = factor.variables.size(); place-- > 0;) {
      table.strides[place] = table.entries;
      table.entries *= sizes[factor.variables[place]];
    }
    table.first = static_cast<std::uint32_t>(entry_count_);
    entry_count_ += table.entries;
    if (entry_count_ > std::numeric_limits<std::uint32_t>::max()) {
      throw SpaceError("the tables of this space have more than 2^32 entries");
    }
    tables_.push_back(std::move(table));
  }
}

std::vector<CostTables::Range> CostTables::find_ranges(const Plan& plan,
                                                       std::span<const Factor> factors) const {
  std::vector<Range> ranges(plan.metrics.size());
  for (std::size_t metric = 0; metric < ranges.size(); ++metric) {
    Range& range = ranges[metric];
    range.lowest = plan.constants[metric];
    range.minima.resize(factors.size());
    for (std::size_t table = 0; table < factors.size(); ++table) {
      const Factor& factor = factors[table];
      if (metric >= factor.values.size() || factor.values[metric].empty()) continue;
      std::int64_t low = std::numeric_limits<std::int64_t>::max();
      std::int64_t high = std::numeric_limits<std::int64_t>::min();
      for (std::size_t entry = 0; entry < factor.entries; ++entry) {
        if (!factor.refusals.empty() && factor.refusals[entry] != accepted) continue;
        low = std::min(low, factor.values[metric][entry]);
        high = std::max(high, factor.values[metric][entry]);
      }
      if (low > high) continue;
      range.minima[table] = low;
      range.lowest += low;
      range.span += static_cast<Wide>(Signed{high} - low);
    }
  }
  return ranges;
}

void CostTables::place_fields(const Plan& plan, std::span<const Range> ranges) {
  constexpr Signed least = std::numeric_limits<std::int64_t>::min();
  constexpr Signed most = std::numeric_limits<std::int64_t>::max();
  std::vector<unsigned> used;
  // At most every table refuses.
  if (!refusals_.empty()) {
    refusal_count_ = place_field(unsigned(std::bit_width(tables_.size())), used);
  }
  for (std::size_t metric = 0; metric < ranges.size(); ++metric) {
    const Range& range = ranges[metric];
    const bool fits = range.lowest >= least && range.lowest + Signed(range.span) <= most;
    if (!fits && plan.bounds.size() != ranges.size()) {
      throw SpaceError("metric '" + plan.metrics[metric] +
                       "': its totals are not proven to fit 64 bits");
    }
    // Sums modulo 2^64 are still right where bounds prove the total to fit.
    const unsigned bits = fits ? unsigned(std::bit_width(static_cast<std::uint64_t>(range.span)))
                               : std::numeric_limits<std::uint64_t>::digits;
    MetricField field = place_field(bits, used);
    field.offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(range.lowest));
    fields_.push_back(field);
  }
  words_per_entry_ = used.size();
}

// In the first word that has so many bits left.
MetricField CostTables::place_field(unsigned bits, std::vector<unsigned>& used) const {
  constexpr unsigned word_bits = std::numeric_limits<std::uint64_t>::digits;
  MetricField field;
  if (bits == 0) return field;
  auto word = std::ranges::find_if(used, [&](unsigned taken) { return taken + bits <= word_bits; });
  if (word == used.end()) word = used.insert(used.end(), 0);
  field.word = static_cast<std::uint32_t>(word - used.begin());
  field.shift = *word;
  field.mask = ~std::uint64_t{0} >> (word_bits - bits);
  *word += bits;
  return field;
}

void CostTables::fill_words(std::span<const Factor> factors, std::span<const Range> ranges) {
  // A metric without a single varying value reads words too: there is always one.
  words_per_entry_ = std::max<std::size_t>(words_per_entry_, 1);
  words_.resize(entry_count_ * words_per_entry_);
  for (std::size_t table = 0; table < factors.size(); ++table) {
    const Factor& factor = factors[table];
    for (std::size_t entry = 0; entry < factor.entries; ++entry) {
      std::uint64_t* const words =
          words_.data() + (tables_[table].first + entry) * words_per_entry_;
      if (!factor.refusals.empty() && factor.refusals[entry] != accepted) {
        words[refusal_count_.word] += std::uint64_t{1} << refusal_count_.shift;
        continue;
      }
      for (std::size_t metric = 0; metric < fields_.size(); ++metric) {
        if (metric >= factor.values.size() || factor.values[metric].empty()) continue;
        const std::uint64_t value = static_cast<std::uint64_t>(factor.values[metric][entry]) -
                                    static_cast<std::uint64_t>(ranges[metric].minima[table]);
        words[fields_[metric].word] += value << fields_[metric].shift;
      }
    }
  }
}

void CostTables::fill_refusals(std::span<const Factor> factors) {
  const bool any = std::ranges::any_of(factors, [](const Factor& factor) {
    return std::ranges::any_of(factor.refusals, std::identity{});
  });
  if (!any) return;
  refusals_.resize(entry_count_);
  for (std::size_t table = 0; table < factors.size(); ++table) {
    std::ranges::copy(factors[table].refusals, refusals_.begin() + tables_[table].first);
  }
}

void CostTables::fill_reals(std::span<const Factor> factors) {
  const std::size_t count = real_constants_.size();
  reals_.resize(entry_count_ * count);
  for (std::size_t table = 0; table < factors.size(); ++table) {
    const auto& reals = factors[table].reals;
    for (std::size_t metric = 0; metric < reals.size(); ++metric) {
      for (std::size_t entry = 0; entry < reals[metric].size(); ++entry) {
        reals_[(tables_[table].first + entry) * count + metric] = reals[metric][entry];
      }
    }
  }
}

}  // namespace netledger
