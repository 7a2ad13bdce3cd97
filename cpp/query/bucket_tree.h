// BucketTree: in which order variables are eliminated, and what each elimination needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "query/problem.h"

namespace netledger {

// The elimination of one variable: the potentials and messages that depend on it are multiplied and
// summed over its codes. What comes out is a message, a table over the scope.
struct Bucket {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  VariableIndex variable = 0;
  // Ascending, without the variable: what its message depends on.
  std::vector<VariableIndex> scope;
  // Entries of the message.
  std::size_t entries = 1;
  // Of the problem. Each potential belongs to one bucket.
  std::vector<std::size_t> potentials;
  // The buckets whose messages are multiplied here.
  std::vector<std::size_t> children;
  // The bucket that multiplies this one's message; none where the scope is empty.
  std::size_t parent = none;
};

struct BucketTree {
  // Children come before their parents.
  std::vector<Bucket> buckets;
  // Buckets without a parent, one for each component.
  std::vector<std::size_t> roots;

  // Of the largest message.
  [[nodiscard]] std::size_t largest_entries() const noexcept;
};

// Eliminates all variables but `given`: those have their codes already, and appear in no scope.
// Greedy: next is the variable with the least work, near to the last one where there is a choice.
// Throws SpaceError where a table would have more than `most_entries`.
inline constexpr std::size_t most_message_entries = std::size_t{1} << 22U;
[[nodiscard]] BucketTree eliminate(const Problem& problem,
                                   std::span<const VariableIndex> given = {},
                                   std::size_t most_entries = most_message_entries);

}  // namespace netledger
