#include "query/query.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "query/halves.h"
#include "query/joint_count.h"
#include "query/semirings.h"
#include "query/wording.h"
#include "space/error.h"

namespace netledger {

namespace {

// Counts of more bits than the widest type has are refused.
constexpr std::size_t most_bits = 1024;

Natural size_of(const Problem& problem, const Slices& slices) {
  Natural size;
  for (const Slice& slice : slices.slices) {
    const Elimination<Networks> elimination(problem, slices.tree, {}, slice.codes);
    Natural product(1);
    for (const std::size_t root : slices.tree.roots) product = product * elimination.root(root);
    size += product;
  }
  return size;
}

Natural size_of(const Problem& problem) {
  Slices whole;
  whole.tree = eliminate(problem);
  whole.slices = slices_of(problem, {}, 1);
  return size_of(problem, whole);
}

// Sets the codes of the configuration whose cost is the lower, or upper, end of a bucket's extent.
void find_end(const Elimination<Extents>& elimination, std::size_t index, bool largest,
              std::span<std::uint16_t> codes) {
  const Bucket& bucket = elimination.tree().buckets[index];
  const BucketCosts costs(elimination.problem(), bucket);
  const auto end = [largest](const Extent& extent) { return largest ? extent.high : extent.low; };
  const std::int64_t wanted = end(elimination.message(index, codes));
  for (std::uint32_t code = 0; code < elimination.problem().sizes()[bucket.variable]; ++code) {
    codes[bucket.variable] = static_cast<std::uint16_t>(code);
    MetricCosts added;
    if (!costs.read(codes, added)) continue;
    std::int64_t reached = added[0];
    bool is_there = true;
    for (const std::size_t child : bucket.children) {
      const Extent& extent = elimination.message(child, codes);
      is_there = is_there && !extent.empty;
      reached += end(extent);
    }
    if (!is_there || reached != wanted) continue;
    for (const std::size_t child : bucket.children) find_end(elimination, child, largest, codes);
    return;
  }
  throw std::logic_error("an extent has no such configuration");
}

// What potentials add of both metrics to some codes.
MetricCosts costs_of(const Problem& problem, std::span<const std::uint16_t> codes) {
  MetricCosts costs{};
  for (std::size_t metric = 0; metric < problem.constants().size(); ++metric) {
    costs[metric] = problem.constants()[metric];
  }
  for (const Potential& potential : problem.potentials()) {
    BucketCosts::add(problem, potential, codes, costs);
  }
  return costs;
}

// The polynomial of a part of a slice, by itself: of the variables listed.
template <class Count>
Polynomial<Counting<Count>> table_of(const Problem& problem, const Slice& slice,
                                     std::span<const VariableIndex> variables) {
  std::vector<VariableIndex> given;
  for (VariableIndex variable = 0; variable < problem.sizes().size(); ++variable) {
    if (!std::ranges::binary_search(variables, variable)) given.push_back(variable);
  }
  const BucketTree tree = eliminate(problem, given);
  const Elimination<CostPolynomials<Counting<Count>>> elimination(problem, tree, {}, slice.codes);
  auto all = Polynomial<Counting<Count>>::one();
  for (const std::size_t root : tree.roots) all = product(all, elimination.root(root));
  return all;
}

// The sum over the costs of a table of its counts, each as often as `ways` says.
template <class Count>
Natural weighted(const Polynomial<Counting<Count>>& table,
                 std::span<const std::pair<std::int64_t, Natural>> ways) {
  Natural sum;
  for (const auto& [cost, times] : ways) sum += natural_of(table.at(cost)) * times;
  return sum;
}

// What configurations of a part are used for, all together. The counts of a part are at most those
// of the space.
Natural uses_of(std::size_t bits, const Problem& problem, const Slice& slice,
                std::span<const VariableIndex> part,
                std::span<const std::pair<std::int64_t, Natural>> ways) {
  if (bits <= 128) return weighted(table_of<Wide>(problem, slice, part), ways);
  return weighted(table_of<WideCount<16>>(problem, slice, part), ways);
}

}  // namespace

Query::Query(const Plan& plan, Question question, std::size_t memory)
    : plan_(plan),
      question_(std::move(question)),
      memory_(memory),
      problem_(plan, question_),
      slices_(slice(problem_)),
      size_(size_of(problem_, slices_)) {
  if (size_.bits() > 256) {
    limbs_ = 16;
  } else if (size_.bits() > 128) {
    limbs_ = 4;
  } else if (size_.bits() > 64) {
    // Counts of 64 bits mostly suffice all the same: only those of equal cost are added. The parts
    // must fit by themselves.
    for (const Slice& slice : slices_.slices) {
      const Elimination<Networks> elimination(problem_, slices_.tree, {}, slice.codes);
      for (const std::size_t root : slices_.tree.roots) {
        if (elimination.root(root).bits() > 64) limbs_ = 2;
      }
    }
  }
}

CostCounter& Query::counter() {
  if (size_.bits() > most_bits) {
    throw SpaceError(
        "the space has more than 2^1024 configurations: they are counted, but not by "
        "cost");
  }
  if (counter_ == nullptr) counter_ = make_cost_counter(problem_, slices_, limbs_, memory_);
  return *counter_;
}

void Query::widen() {
  limbs_ = 2;
  counter_ = nullptr;
}

void Query::restore(std::size_t limbs, const std::vector<StoredSlice>& tables) {
  if (limbs == 2 && limbs_ == 1) widen();
  if (limbs != limbs_) throw SpaceError("the tables are not those of this space and metric");
  counter().restore(tables);
}

void Query::require_metrics(std::size_t count) const {
  if (problem_.names().size() >= count) return;
  throw SpaceError("this is asked of " + std::to_string(count) +
                   (count == 1 ? " metric" : " metrics") + ", but the query has " +
                   std::to_string(problem_.names().size()));
}

std::uint64_t Query::fingerprint() const {
  std::uint64_t hash = 0;
  const auto add = [&hash](std::uint64_t word) { hash = mix(hash ^ (word + golden_ratio)); };
  add(question_.law == Law::genes ? 1 : 0);
  for (const std::uint32_t size : problem_.sizes()) add(size);
  for (const std::int64_t constant : problem_.constants()) {
    add(static_cast<std::uint64_t>(constant));
  }
  for (const Potential& potential : problem_.potentials()) {
    add(potential.variables.size());
    for (const VariableIndex variable : potential.variables) add(variable);
    add(potential.allowed.size());
    for (const std::uint8_t allowed : potential.allowed) add(allowed);
    for (const auto& costs : potential.costs) {
      add(costs.size());
      for (const std::int64_t cost : costs) add(static_cast<std::uint64_t>(cost));
    }
  }
  return hash;
}

std::optional<Located> Query::extreme(bool largest) const {
  require_metrics(1);
  std::optional<Located> best;
  for (const Slice& slice : slices_.slices) {
    const Elimination<Extents> elimination(problem_, slices_.tree, {}, slice.codes);
    std::int64_t cost = slice.costs[0];
    bool is_there = true;
    for (const std::size_t root : slices_.tree.roots) {
      const Extent& extent = elimination.root(root);
      is_there = is_there && !extent.empty;
      cost += largest ? extent.high : extent.low;
    }
    if (!is_there || (best && (largest ? cost <= best->cost : cost >= best->cost))) continue;
    best = Located{.cost = cost, .other = 0, .codes = slice.codes};
    for (const std::size_t root : slices_.tree.roots) {
      find_end(elimination, root, largest, best->codes);
    }
  }
  if (best) best->other = costs_of(problem_, best->codes)[1];
  return best;
}

std::optional<Located> Query::best(bool largest, std::int64_t low, std::int64_t high,
                                   const Effort& effort) const {
  require_metrics(2);
  const std::int64_t sign = largest ? -1 : 1;
  std::optional<Located> best;
  double operations = 0;
  std::vector<std::unique_ptr<SliceTables<Least>>> all;
  Progress parts_progress(0, effort.threads, effort.wait);
  const RunOptions options = parts_progress.options(0, 0);
  for (const Slice& slice : slices_.slices) {
    require_parts(problem_, slices_, slice, sizeof(std::int64_t), memory_);
    all.push_back(std::make_unique<SliceTables<Least>>(problem_, slices_, slice, options, sign));
    if (all.back()->empty()) continue;
    const Halves& halves = all.back()->halves();
    operations += halves.operations;
    const double bytes = halves.places * sizeof(std::int64_t);
    if (bytes > static_cast<double>(memory_)) {
      throw SpaceError("the best of '" + problem_.names()[1] + "' within limits of '" +
                       problem_.names()[0] + "' needs tables of about " + grouped_number(bytes) +
                       " bytes, but memory allows " + grouped_number(static_cast<double>(memory_)) +
                       ": raise memory, or ask about fewer configurations (where)");
    }
  }
  Progress progress(operations, effort.threads, effort.wait);
  for (const auto& tables : all) {
    if (tables->empty()) continue;
    const Slice& slice = tables->slice();
    const HalfTables<Least> halves(*tables, true, progress);
    const auto found = least_between(halves, low - slice.costs[0], high - slice.costs[0]);
    if (!found) continue;
    const std::int64_t other = sign * found->second + slice.costs[1];
    if (best && (largest ? other <= best->other : other >= best->other)) continue;
    best = Located{.cost = found->first + slice.costs[0], .other = other, .codes = slice.codes};
    if (!halves.find(found->first, best->codes)) throw std::logic_error("a cost is not there");
  }
  return best;
}

Natural Query::joint(const std::pair<std::int64_t, std::int64_t>& limits,
                     const std::pair<std::int64_t, std::int64_t>& other_limits) const {
  require_metrics(2);
  if (size_.bits() > 128) {
    throw SpaceError(
        "a space of more than 2^128 configurations is not counted by two metrics at "
        "once");
  }
  return joint_count(problem_, slices_, limits, other_limits, memory_);
}

std::vector<FrontPoint> Query::pareto(bool maximise, bool maximise_other,
                                      const Effort& effort) const {
  require_metrics(2);
  return pareto_front(problem_, slices_, maximise, maximise_other, memory_, effort);
}

std::vector<Query::Sums> Query::moments() const {
  require_metrics(1);
  std::vector<Sums> all;
  for (const Slice& slice : slices_.slices) {
    const Elimination<Moments> elimination(problem_, slices_.tree, {}, slice.codes);
    Moments::Message product = Moments::one();
    for (const std::size_t root : slices_.tree.roots) {
      product = Moments::both(product, elimination.root(root));
    }
    all.push_back({slice.costs[0], product.count, product.sum, product.squares});
  }
  return all;
}

// -- marginals
// -----------------------------------------------------------------------------------

Natural Query::count_where(const Restriction& restriction, std::int64_t low, std::int64_t high,
                           const Effort& effort) const {
  Question question = question_;
  question.restrictions.push_back(restriction);
  Query query(plan_, std::move(question), memory_);
  if (query.size().is_zero()) return {};
  const std::array<std::int64_t, 2> limits{low - 1, high};
  return query.with_counter([&](CostCounter& counts) {
    const auto found = counts.cumulative(limits, effort);
    return found[1] - found[0];
  });
}

std::vector<std::vector<Natural>> Query::marginals(std::int64_t low, std::int64_t high,
                                                   const Effort& effort) {
  std::vector<std::vector<Natural>> found;
  for (const std::uint32_t size : problem_.sizes()) found.emplace_back(size + 1);
  if (low > high || size_.is_zero()) return found;
  bool limited = false;
  if (!problem_.names().empty()) {
    const auto least = extreme(false);
    const auto most = extreme(true);
    limited = (least && low > least->cost) || (most && high < most->cost);
  }
  const auto only = [](VariableIndex variable, std::uint32_t code) {
    return Restriction{.variable = variable, .codes = {code}, .inactive = false};
  };
  Natural total = size_;
  if (!limited) {
    for (VariableIndex variable = 0; variable < found.size(); ++variable) {
      for (std::uint32_t code = 0; code < problem_.sizes()[variable]; ++code) {
        found[variable][code] = size_of(problem_.restricted(plan_, only(variable, code)));
      }
    }
  } else {
    total = with_counter([&](CostCounter& counts) {
      const std::array<std::int64_t, 2> limits{low - 1, high};
      const auto counted = counts.cumulative(limits, effort);
      return counted[1] - counted[0];
    });
    count_parts(low, high, effort, found);
  }
  for (auto& counts : found) {
    Natural inactive = total;
    for (const Natural& count : counts) inactive -= count;
    counts.back() = inactive;
  }
  return found;
}

// Of each part the configurations that have a code are listed by cost, and each counts for the
// networks that it belongs to.
void Query::count_parts(std::int64_t low, std::int64_t high, const Effort& effort,
                        std::vector<std::vector<Natural>>& found) {
  const auto all_within = [&](VariableIndex variable, std::span<const VariableIndex> part) {
    return std::ranges::all_of(plan_.activities[variable].variables, [&](VariableIndex other) {
      return std::ranges::binary_search(part, other) ||
             std::ranges::binary_search(slices_.given, other);
    });
  };
  const auto restriction = [](VariableIndex variable, std::uint32_t code) {
    return Restriction{.variable = variable, .codes = {code}, .inactive = false};
  };
  std::vector<std::vector<VariableIndex>> parts;
  std::vector<bool> alone(problem_.sizes().size(), true);
  for (const std::size_t root : slices_.tree.roots) {
    std::vector<VariableIndex>& part = parts.emplace_back();
    for (const std::size_t bucket : buckets_below(slices_.tree, root)) {
      part.push_back(slices_.tree.buckets[bucket].variable);
    }
    std::ranges::sort(part);
    for (const VariableIndex variable : part) alone[variable] = !all_within(variable, part);
  }
  // Restricted problems are made once for all slices.
  std::vector<std::vector<Problem>> restricted(problem_.sizes().size());
  with_counter([&](CostCounter& counts) {
    for (auto& of_variable : found) std::ranges::fill(of_variable, Natural());
    counts.uses(
        low, high,
        [&](std::size_t slice, std::size_t part, const auto& ways) {
          for (const VariableIndex variable : parts[part]) {
            if (alone[variable]) continue;
            auto& problems = restricted[variable];
            for (std::uint32_t code = 0; code < problem_.sizes()[variable]; ++code) {
              if (problems.size() == code) {
                problems.push_back(problem_.restricted(plan_, restriction(variable, code)));
              }
              found[variable][code] +=
                  uses_of(size_.bits(), problems[code], slices_.slices[slice], parts[part], ways);
            }
          }
        },
        effort);
    return 0;
  });
  for (VariableIndex variable = 0; variable < alone.size(); ++variable) {
    if (!alone[variable]) continue;
    for (std::uint32_t code = 0; code < problem_.sizes()[variable]; ++code) {
      found[variable][code] = count_where(restriction(variable, code), low, high, effort);
    }
  }
}

}  // namespace netledger
