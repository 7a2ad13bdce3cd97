// Slices: some variables are fixed first, where the others then fall apart into parts with small
// tables: the resolution of a network, the width of all its layers.
#pragma once

#include <cstdint>
#include <vector>

#include "query/bucket_tree.h"
#include "query/elimination.h"
#include "query/problem.h"

namespace netledger {

// The configurations in which the given variables have some codes.
struct Slice {
  // By variable; 0 of those that are not given.
  std::vector<std::uint16_t> codes;
  // What all of them cost.
  MetricCosts costs;
};

struct Slices {
  std::vector<VariableIndex> given;
  // Of the other variables.
  BucketTree tree;
  // Those that have a configuration, in the order of their codes.
  std::vector<Slice> slices;
};

// Of the combinations of these variables, which are so many, those that are there.
[[nodiscard]] std::vector<Slice> slices_of(const Problem& problem,
                                           const std::vector<VariableIndex>& given,
                                           std::size_t count);

// Throws SpaceError where too many variables depend on one another.
[[nodiscard]] Slices slice(const Problem& problem);

// The buckets of one component of a tree: its root, and what is below.
[[nodiscard]] std::vector<std::size_t> buckets_below(const BucketTree& tree, std::size_t root);

}  // namespace netledger
