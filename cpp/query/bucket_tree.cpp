#include "query/bucket_tree.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "space/error.h"

namespace netledger {

namespace {

constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

// The tables that are left, by the variables that are not eliminated yet.
class Interactions {
 public:
  Interactions(const Problem& problem, std::span<const VariableIndex> given)
      : problem_(problem),
        neighbours_(problem.sizes().size()),
        messages_of_(problem.sizes().size()),
        open_(problem.sizes().size(), true),
        weights_(problem.sizes().size()) {
    for (const VariableIndex variable : given) open_[variable] = false;
    for (const Potential& potential : problem.potentials()) {
      std::vector<VariableIndex> variables;
      std::ranges::copy_if(potential.variables, std::back_inserter(variables),
                           [&](VariableIndex variable) { return open_[variable]; });
      join(variables);
    }
    for (VariableIndex variable = 0; variable < open_.size(); ++variable) weigh(variable);
  }

  // The open variable whose elimination is the least work; of equal ones a neighbour of the former
  // one, so that chains are gone through from one end; then the last.
  [[nodiscard]] std::optional<VariableIndex> next() const {
    std::optional<VariableIndex> best;
    bool best_is_near = false;
    for (VariableIndex variable = 0; variable < open_.size(); ++variable) {
      if (!open_[variable]) continue;
      const bool near = former_.contains(variable);
      const bool better = !best || weights_[variable] < weights_[*best] ||
                          (weights_[variable] == weights_[*best] && near >= best_is_near);
      if (better) {
        best = variable;
        best_is_near = near;
      }
    }
    return best;
  }

  // Eliminates the variable; what its message depends on.
  std::vector<VariableIndex> eliminate(VariableIndex variable) {
    const std::set<VariableIndex> scope = std::move(neighbours_[variable]);
    open_[variable] = false;
    const std::set<VariableIndex> gone = std::move(messages_of_[variable]);
    for (const VariableIndex neighbour : scope) {
      neighbours_[neighbour].erase(variable);
      for (const VariableIndex message : gone) messages_of_[neighbour].erase(message);
      messages_of_[neighbour].insert(variable);
    }
    join({scope.begin(), scope.end()});
    for (const VariableIndex neighbour : scope) weigh(neighbour);
    former_ = scope;
    return {scope.begin(), scope.end()};
  }

 private:
  void join(const std::vector<VariableIndex>& variables) {
    for (const VariableIndex variable : variables) {
      for (const VariableIndex other : variables) {
        if (other != variable) neighbours_[variable].insert(other);
      }
    }
  }
  // The entries to be gone through, times the messages to be multiplied for each.
  void weigh(VariableIndex variable) {
    std::size_t weight = problem_.sizes()[variable];
    const auto multiply = [&weight](std::size_t by) {
      if (__builtin_mul_overflow(weight, by, &weight)) weight = unbounded;
    };
    for (const VariableIndex neighbour : neighbours_[variable]) {
      multiply(problem_.sizes()[neighbour]);
    }
    multiply(std::max<std::size_t>(messages_of_[variable].size(), 1));
    weights_[variable] = weight;
  }

  const Problem& problem_;
  std::vector<std::set<VariableIndex>> neighbours_;
  // By the variables whose elimination sent them.
  std::vector<std::set<VariableIndex>> messages_of_;
  std::vector<bool> open_;
  std::vector<std::size_t> weights_;
  // The scope of the variable that was eliminated last.
  std::set<VariableIndex> former_;
};

}  // namespace

std::size_t BucketTree::largest_entries() const noexcept {
  std::size_t largest = 1;
  for (const Bucket& bucket : buckets) largest = std::max(largest, bucket.entries);
  return largest;
}

BucketTree eliminate(const Problem& problem, std::span<const VariableIndex> given,
                     std::size_t most_entries) {
  BucketTree tree;
  Interactions interactions(problem, given);
  std::vector<std::size_t> bucket_of(problem.sizes().size(), Bucket::none);
  while (const std::optional<VariableIndex> variable = interactions.next()) {
    bucket_of[*variable] = tree.buckets.size();
    Bucket& bucket = tree.buckets.emplace_back();
    bucket.variable = *variable;
    bucket.scope = interactions.eliminate(*variable);
    const auto entries = problem.entries(bucket.scope, most_entries);
    if (!entries) {
      throw SpaceError(
          "too many variables of the space depend on one another: an exact answer "
          "needs a table over " +
          std::to_string(bucket.scope.size()) + " of them, of more than " +
          std::to_string(most_entries) + " entries");
    }
    bucket.entries = *entries;
  }
  const auto first_of = [&](std::span<const VariableIndex> variables) {
    std::size_t first = Bucket::none;
    for (const VariableIndex variable : variables) first = std::min(first, bucket_of[variable]);
    return first;
  };
  for (std::size_t index = 0; index < problem.potentials().size(); ++index) {
    const std::size_t first = first_of(problem.potentials()[index].variables);
    if (first != Bucket::none) tree.buckets[first].potentials.push_back(index);
  }
  for (std::size_t index = 0; index < tree.buckets.size(); ++index) {
    Bucket& bucket = tree.buckets[index];
    bucket.parent = first_of(bucket.scope);
    if (bucket.parent == Bucket::none) {
      tree.roots.push_back(index);
    } else {
      tree.buckets[bucket.parent].children.push_back(index);
    }
  }
  return tree;
}

}  // namespace netledger
