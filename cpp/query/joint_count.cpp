#include "query/joint_count.h"

#include <algorithm>
#include <string>
#include <vector>

#include "query/elimination.h"
#include "space/error.h"

namespace netledger {

namespace {

// How many configurations have a pair of costs.
struct Pair {
  std::int64_t cost;
  std::int64_t other;
  Wide count;

  [[nodiscard]] bool operator<(const Pair& right) const noexcept {
    return cost != right.cost ? cost < right.cost : other < right.other;
  }
};

// Costs are not negative: what is beyond the upper limits already stays there.
struct Pairs {
  using Message = std::vector<Pair>;
  using Product = Message;

  std::int64_t most;
  std::int64_t other_most;
  std::size_t memory;

  [[nodiscard]] static Message one() { return {{0, 0, 1}}; }
  // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): products are kept.
  [[nodiscard]] static const Message& message(const Product& product) noexcept { return product; }
  [[nodiscard]] static std::size_t weight(const Message& message) noexcept {
    return message.size();
  }
  void require(std::size_t pairs) const {
    // They are gathered from a list that grows.
    if (pairs <= memory / (4 * sizeof(Pair))) return;
    throw SpaceError(
        "counting by two metrics at once lists the pairs of costs that occur, which "
        "takes more than " +
        std::to_string(memory) +
        " bytes here: raise memory, ask about fewer configurations (where), or count "
        "by one metric and draw: sample(..., both budgets) states how many of the "
        "networks in the first band lie in the second");
  }
  void add(const Message& message, const MetricCosts& costs, Wide count, Message& to) const {
    require(to.size() + message.size());
    for (const Pair& pair : message) {
      const Pair moved{pair.cost + costs[0], pair.other + costs[1], pair.count * count};
      if (moved.cost <= most && moved.other <= other_most) to.push_back(moved);
    }
  }
  [[nodiscard]] static Message gathered(Message pairs) {
    std::ranges::sort(pairs, std::less<>());
    std::size_t kept = 0;
    for (std::size_t index = 0; index < pairs.size(); ++index) {
      if (kept > 0 && !(pairs[kept - 1] < pairs[index])) {
        pairs[kept - 1].count += pairs[index].count;
      } else {
        pairs[kept++] = pairs[index];
      }
    }
    pairs.resize(kept);
    return pairs;
  }
  [[nodiscard]] Message combine(std::span<const Way<Message>> ways) const {
    Message all;
    for (const Way<Message>& way : ways) add(*way.message, way.costs, 1, all);
    return gathered(std::move(all));
  }
  [[nodiscard]] Message product(const std::vector<const Message*>& messages) const {
    Message all = one();
    for (const Message* const message : messages) {
      Message next;
      for (const Pair& pair : *message) add(all, {pair.cost, pair.other}, pair.count, next);
      all = gathered(std::move(next));
    }
    return all;
  }
};

}  // namespace

Natural joint_count(const Problem& problem, const Slices& slices,
                    const std::pair<std::int64_t, std::int64_t>& limits,
                    const std::pair<std::int64_t, std::int64_t>& other_limits, std::size_t memory) {
  Natural total;
  for (const Slice& slice : slices.slices) {
    const Pairs pairs{.most = limits.second - slice.costs[0],
                      .other_most = other_limits.second - slice.costs[1],
                      .memory = memory};
    const Elimination<Pairs> elimination(problem, slices.tree, pairs, slice.codes);
    std::vector<const Pairs::Message*> roots;
    roots.reserve(slices.tree.roots.size());
    for (const std::size_t root : slices.tree.roots) roots.push_back(&elimination.root(root));
    // Few before many.
    std::ranges::stable_sort(roots, {}, [](const auto* root) { return root->size(); });
    const auto within = [](std::int64_t cost, const std::pair<std::int64_t, std::int64_t>& of) {
      return cost >= of.first && cost <= of.second;
    };
    for (const Pair& pair : pairs.product(roots)) {
      if (within(pair.cost + slice.costs[0], limits) &&
          within(pair.other + slice.costs[1], other_limits)) {
        total += Natural::of_wide(pair.count);
      }
    }
  }
  return total;
}

}  // namespace netledger
