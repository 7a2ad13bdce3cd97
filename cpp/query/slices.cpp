#include "query/slices.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "query/semirings.h"

namespace netledger {

namespace {

// At most so many slices.
constexpr std::size_t most_slices = std::size_t{1} << 14U;
// A table inside an elimination may have so many places; where one would have more, its variables
// are fixed first.
constexpr double most_places = 1U << 20U;
// Slices that are looked at to find out.
constexpr std::size_t tried_slices = 4;

// The variables of buckets where large tables would be multiplied.
std::vector<VariableIndex> crowded(const Problem& problem, const Slices& sliced) {
  std::vector<VariableIndex> found;
  const std::size_t stride = sliced.slices.size() / tried_slices + 1;
  for (std::size_t index = 0; index < sliced.slices.size(); index += stride) {
    // The last one first: sizes rise with their codes.
    const Slice& slice = sliced.slices[sliced.slices.size() - 1 - index];
    const Elimination<Extents> elimination(problem, sliced.tree, {}, slice.codes);
    for (std::size_t bucket = 0; bucket < sliced.tree.buckets.size(); ++bucket) {
      const Bucket& of = sliced.tree.buckets[bucket];
      const double places =
          elimination.total_of_products(bucket, [](const Extent& extent) { return extent.terms; });
      if (of.children.size() < 2 || places <= most_places) continue;
      found.push_back(of.variable);
      found.insert(found.end(), of.scope.begin(), of.scope.end());
    }
  }
  return found;
}

}  // namespace

std::vector<Slice> slices_of(const Problem& problem, const std::vector<VariableIndex>& given,
                             std::size_t count) {
  std::vector<const Potential*> inside;
  for (const Potential& potential : problem.potentials()) {
    if (std::ranges::includes(given, potential.variables)) inside.push_back(&potential);
  }
  std::vector<Slice> slices;
  for (std::size_t entry = 0; entry < count; ++entry) {
    Slice slice{.codes = std::vector<std::uint16_t>(problem.sizes().size()), .costs = {}};
    problem.set_codes(given, entry, slice.codes);
    const bool is_there = std::ranges::all_of(inside, [&](const Potential* potential) {
      return BucketCosts::add(problem, *potential, slice.codes, slice.costs);
    });
    if (!is_there) continue;
    for (std::size_t metric = 0; metric < problem.constants().size(); ++metric) {
      slice.costs[metric] += problem.constants()[metric];
    }
    slices.push_back(std::move(slice));
  }
  return slices;
}

Slices slice(const Problem& problem) {
  Slices best;
  best.tree = eliminate(problem);
  best.slices = slices_of(problem, {}, 1);
  while (true) {
    std::vector<VariableIndex> given = crowded(problem, best);
    if (given.empty()) return best;
    given.insert(given.end(), best.given.begin(), best.given.end());
    std::ranges::sort(given);
    given.erase(std::ranges::unique(given).begin(), given.end());
    const auto count = problem.entries(given, most_slices);
    if (!count) return best;
    Slices next;
    next.tree = eliminate(problem, given);
    next.slices = slices_of(problem, given, *count);
    next.given = std::move(given);
    best = std::move(next);
  }
}

std::vector<std::size_t> buckets_below(const BucketTree& tree, std::size_t root) {
  std::vector<std::size_t> found{root};
  for (std::size_t place = 0; place < found.size(); ++place) {
    const auto& children = tree.buckets[found[place]].children;
    found.insert(found.end(), children.begin(), children.end());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace netledger
