// What an expectation is computed from, and the kernel that computes some rows at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace netledger {

// A number for each of the rows that are worked on together.
struct alignas(64) Lanes8 {
  static constexpr std::size_t count = 8;
  double at[count];
};

struct ExpectedVariable {
  std::string name;
  std::size_t size = 0;
  // Of its first code.
  std::size_t column = 0;
  // Whether something that is refused depends on it.
  bool restricted = false;
};

// A table of costs. It is summed over its variables one by one, from the last to the first that is
// not restricted; each sum is a table for itself.
struct ExpectedTerm {
  // Restricted ones first, ascending.
  std::vector<std::size_t> variables;
  // So many are restricted, and stay.
  std::size_t kept = 0;
  // Row-major: the last variable runs fastest.
  std::vector<double> table;
  // For each level, from none of the variables to all: the entries of a table over the first ones.
  std::vector<std::size_t> entries;
  // Levels from `kept` to the last but one: where the sums are in the workspace, and what the value
  // changes with each of them.
  std::vector<std::size_t> sums;
  std::vector<std::size_t> weights;
};

// Costs over restricted variables: what is left of the terms.
struct ExpectedScope {
  std::size_t entries = 1;
  // Of terms over these variables alone. Empty: none.
  std::vector<double> constants;
  // Terms that are added, by their sums at level `kept`.
  std::vector<std::size_t> terms;
  // In the workspace: the costs, and what the value changes with each of them.
  std::size_t costs = 0;
  std::size_t weights = 0;
};

// The entries of a table that belong to the combinations of a bucket.
struct ExpectedIndex {
  // A scope, or a bucket.
  std::size_t of = 0;
  std::vector<std::uint32_t> entries;
};

// The elimination of a restricted variable. A message holds, for each entry of its scope, the
// probability that the variables below it are accepted, and the expectation of their cost where
// they are: first all of the ones, then all of the others.
struct ExpectedBucket {
  std::size_t variable = 0;
  std::size_t entries = 1;
  // For each combination of the scope and the variable, which runs fastest.
  std::vector<std::uint8_t> accepted;
  std::vector<ExpectedIndex> scopes;
  std::vector<ExpectedIndex> children;
  // In the workspace: the message, and what the value changes with it.
  std::size_t message = 0;
  std::size_t weights = 0;
  bool is_root = false;
};

struct ExpectationParts {
  double constant = 0;
  // Whether some configuration is refused: the value is a quotient then.
  bool conditional = false;
  std::size_t columns = 0;
  std::vector<ExpectedVariable> variables;
  std::vector<ExpectedTerm> terms;
  std::vector<ExpectedScope> scopes;
  // Children come before their parents.
  std::vector<ExpectedBucket> buckets;

  // Where things are in a workspace; the probabilities are at 0.
  std::size_t gradients = 0;
  // Of each variable: the sum of its probabilities, and the derivative that all its codes share.
  std::size_t masses = 0;
  std::size_t shared = 0;
  // Room for a partial product of every variable, or of every child of a bucket.
  std::size_t products = 0;
  std::size_t size = 0;
};

// What became of the rows that were worked on, by lane.
struct ExpectedLanes {
  Lanes8 values;
  // Whether the probabilities can be used, and whether some network is accepted.
  bool are_valid[Lanes8::count];
  bool are_accepted[Lanes8::count];
};

// The probabilities are in the workspace; the gradients will be. With `check`, each variable's
// probabilities must be a distribution, and are scaled to a sum of 1.
void expect(const ExpectationParts& parts, Lanes8* workspace, bool check, bool gradient,
            ExpectedLanes& lanes);

// The probability of acceptance below which doubles do not tell it from 0.
inline constexpr double least_acceptance = 0x1p-960;

}  // namespace netledger
