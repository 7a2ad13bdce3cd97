#include "query/slice_tables.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "query/wording.h"
#include "space/error.h"

namespace netledger {

double part_bytes(const Problem& problem, const Slices& slices, const Slice& slice,
                  std::size_t value_bytes) {
  const Elimination<Extents> elimination(problem, slices.tree, {}, slice.codes);
  double places = 0;
  for (std::size_t bucket = 0; bucket < slices.tree.buckets.size(); ++bucket) {
    places += elimination.total_of_messages(bucket, stored_places);
    places += elimination.total_of_products(bucket, stored_places);
  }
  return places * static_cast<double>(value_bytes);
}

void require_parts(const Problem& problem, const Slices& slices, const Slice& slice,
                   std::size_t value_bytes, std::size_t memory) {
  const double bytes = part_bytes(problem, slices, slice, value_bytes);
  if (bytes <= static_cast<double>(memory)) return;
  throw SpaceError("the variables that depend on one another need tables of up to " +
                   grouped_number(bytes) + " bytes, but memory allows " +
                   grouped_number(static_cast<double>(memory)) +
                   ": raise memory, or ask about fewer configurations (where)");
}

template <class Algebra>
SliceTables<Algebra>::SliceTables(const Problem& problem, const Slices& slices, const Slice& slice,
                                  const RunOptions& options, std::int64_t sign)
    : slice_(slice),
      slices_(slices),
      elimination_(problem, slices.tree, CostPolynomials<Algebra>{.sign = sign}, slice.codes,
                   options) {
  std::vector<Extent> extents;
  for (const std::size_t root : slices.tree.roots) {
    parts_.push_back(&elimination_.root(root));
    extents.push_back(parts_.back()->extent());
    empty_ = empty_ || parts_.back()->empty();
  }
  if (!empty_) orders_ = std::make_unique<const PartOrders>(extents);
}

template <class Algebra>
SliceTables<Algebra>::Chain SliceTables<Algebra>::chain(std::span<const std::size_t> parts) const {
  std::vector<const Table*> tables;
  tables.reserve(parts.size());
  for (const std::size_t part : parts) tables.push_back(parts_[part]);
  if (tables.empty()) tables.push_back(&one_);
  return Chain(std::move(tables));
}

template <class Algebra>
std::vector<VariableIndex> SliceTables<Algebra>::variables(std::size_t part) const {
  std::vector<VariableIndex> found;
  for (const std::size_t bucket : buckets_below(slices_.tree, slices_.tree.roots[part])) {
    found.push_back(slices_.tree.buckets[bucket].variable);
  }
  std::ranges::sort(found);
  return found;
}

template <class Algebra>
void SliceTables<Algebra>::find(const Chain& chain, std::span<const std::size_t> parts,
                                std::int64_t cost, Value asked,
                                std::span<std::uint16_t> codes) const {
  if (parts.empty()) return;
  std::vector<typename Chain::Part> divided(parts.size());
  chain.divide(cost, asked, divided);
  for (std::size_t place = 0; place < parts.size(); ++place) {
    find(parts[place], divided[place].cost, divided[place].asked, codes);
  }
}

template class SliceTables<Counting<std::uint64_t>>;
template class SliceTables<Counting<Wide>>;
template class SliceTables<Counting<WideCount<4>>>;
template class SliceTables<Counting<WideCount<16>>>;
template class SliceTables<Least>;

}  // namespace netledger
