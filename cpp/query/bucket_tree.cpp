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

// Variables and those that some table has together with them; a variable that is eliminated leaves
// its neighbours joined.
class Interactions {
 public:
  Interactions(const Problem& problem, std::span<const VariableIndex> given)
      : problem_(problem),
        neighbours_(problem.sizes().size()),
        open_(problem.sizes().size(), true) {
    for (const VariableIndex variable : given) open_[variable] = false;
    for (const Potential& potential : problem.potentials()) {
      for (const VariableIndex variable : potential.variables) {
        if (!open_[variable]) continue;
        for (const VariableIndex other : potential.variables) {
          if (other != variable && open_[other]) neighbours_[variable].insert(other);
        }
      }
    }
    weights_.resize(open_.size());
    for (VariableIndex variable = 0; variable < open_.size(); ++variable) weigh(variable);
  }

  // The open variable whose elimination is the smallest; of equal ones a neighbour of `last`, then
  // the last.
  [[nodiscard]] std::optional<VariableIndex> next(std::optional<VariableIndex> last) const {
    std::optional<VariableIndex> best;
    bool best_is_near = false;
    for (VariableIndex variable = 0; variable < open_.size(); ++variable) {
      if (!open_[variable]) continue;
      const bool near = last && former_.contains(variable);
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
    for (const VariableIndex neighbour : scope) {
      std::set<VariableIndex>& others = neighbours_[neighbour];
      others.erase(variable);
      for (const VariableIndex other : scope) {
        if (other != neighbour) others.insert(other);
      }
    }
    for (const VariableIndex neighbour : scope) weigh(neighbour);
    former_ = scope;
    return {scope.begin(), scope.end()};
  }

 private:
  void weigh(VariableIndex variable) {
    std::size_t weight = problem_.sizes()[variable];
    for (const VariableIndex neighbour : neighbours_[variable]) {
      if (__builtin_mul_overflow(weight, problem_.sizes()[neighbour], &weight)) weight = unbounded;
    }
    weights_[variable] = weight;
  }

  const Problem& problem_;
  std::vector<std::set<VariableIndex>> neighbours_;
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
  std::optional<VariableIndex> last;
  while (const std::optional<VariableIndex> variable = interactions.next(last)) {
    bucket_of[*variable] = tree.buckets.size();
    Bucket& bucket = tree.buckets.emplace_back();
    bucket.variable = *variable;
    bucket.scope = interactions.eliminate(*variable);
    const auto entries = problem.entries(bucket.scope, most_entries);
    if (!entries) {
      throw SpaceError("too many variables of the space depend on one another: an exact answer "
                       "needs a table over " +
                       std::to_string(bucket.scope.size()) + " of them, of more than " +
                       std::to_string(most_entries) + " entries");
    }
    bucket.entries = *entries;
    last = *variable;
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
