// Elimination: variables are summed out one after the other, in whatever there is to add and to
// multiply (a semiring): numbers of networks, extents of costs, polynomials, fronts.
//
// A semiring has a type Message, and
//   Message one() const                                  nothing chosen yet
//   Message combine(std::span<const Way<Message>>) const    any one of these ways
//   Product product(std::vector<const Message*>) const      all of them together
//   static const Message& message(const Product&)
//   static std::size_t weight(const Message&)             operations that adding it takes, roughly
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "query/bucket_tree.h"
#include "query/problem.h"
#include "space/run.h"

namespace netledger {

// For each metric of a problem; at most two.
using MetricCosts = std::array<std::int64_t, 2>;

template <class Message>
struct Way {
  const Message* message;
  MetricCosts costs;
};

// What the potentials of a bucket say of codes: whether they are there, and what they add.
class BucketCosts {
 public:
  BucketCosts(const Problem& problem, const Bucket& bucket) : problem_(problem), bucket_(bucket) {}

  // False where no configuration has these codes.
  [[nodiscard]] bool read(std::span<const std::uint16_t> codes, MetricCosts& costs) const noexcept {
    costs = {};
    for (const std::size_t index : bucket_.potentials) {
      if (!add(problem_, problem_.potentials()[index], codes, costs)) return false;
    }
    return true;
  }
  static bool add(const Problem& problem, const Potential& potential,
                  std::span<const std::uint16_t> codes, MetricCosts& costs) noexcept {
    const std::size_t entry = problem.entry(potential.variables, codes);
    if (!potential.allowed.empty() && potential.allowed[entry] == 0) return false;
    for (std::size_t metric = 0; metric < potential.costs.size(); ++metric) {
      if (!potential.costs[metric].empty()) costs[metric] += potential.costs[metric][entry];
    }
    return true;
  }

 private:
  const Problem& problem_;
  const Bucket& bucket_;
};

template <class Semiring>
class Elimination {
 public:
  using Message = Semiring::Message;
  using Product = Semiring::Product;

  // `codes` has the codes of the given variables. Problem and tree outlive it. Threads share what
  // is heavy; `options.wait` is called as by run_chunks.
  Elimination(const Problem& problem, const BucketTree& tree, Semiring semiring,
              std::vector<std::uint16_t> codes, const RunOptions& options = {})
      : problem_(problem),
        tree_(tree),
        semiring_(std::move(semiring)),
        codes_(std::move(codes)),
        messages_(tree.buckets.size()),
        products_(tree.buckets.size()) {
    for (std::size_t bucket = 0; bucket < tree.buckets.size(); ++bucket) run(bucket, options);
  }

  [[nodiscard]] const Problem& problem() const noexcept { return problem_; }
  [[nodiscard]] const BucketTree& tree() const noexcept { return tree_; }
  [[nodiscard]] const Semiring& semiring() const noexcept { return semiring_; }
  // The given codes, and room for the others.
  [[nodiscard]] const std::vector<std::uint16_t>& codes() const noexcept { return codes_; }
  // Of a bucket, given the codes of its scope.
  [[nodiscard]] const Message& message(std::size_t bucket,
                                       std::span<const std::uint16_t> codes) const noexcept {
    return messages_[bucket][problem_.entry(tree_.buckets[bucket].scope, codes)];
  }
  // Of a root.
  [[nodiscard]] const Message& root(std::size_t bucket) const noexcept {
    return messages_[bucket].front();
  }
  // What the children of a bucket give together, for the codes of its variable and scope; nullptr
  // where it has fewer than two.
  [[nodiscard]] const Product* product(std::size_t bucket,
                                       std::span<const std::uint16_t> codes) const noexcept {
    if (products_[bucket].empty()) return nullptr;
    const Bucket& of = tree_.buckets[bucket];
    return &products_[bucket][problem_.entry(of.scope, codes) * problem_.sizes()[of.variable] +
                              codes[of.variable]];
  }

  // Sums up use(message) over the messages of a bucket, or over its products.
  template <class Use>
  [[nodiscard]] double total_of_messages(std::size_t bucket, const Use& use) const {
    double total = 0;
    for (const Message& message : messages_[bucket]) total += use(message);
    return total;
  }
  template <class Use>
  [[nodiscard]] double total_of_products(std::size_t bucket, const Use& use) const {
    double total = 0;
    for (const Product& product : products_[bucket]) total += use(product);
    return total;
  }

 private:
  void run(std::size_t index, const RunOptions& options) {
    const Bucket& bucket = tree_.buckets[index];
    const std::uint32_t size = problem_.sizes()[bucket.variable];
    messages_[index].resize(bucket.entries);
    if (bucket.children.size() > 1) products_[index].resize(bucket.entries * size);
    constexpr std::size_t heavy = 20000;
    std::size_t weight = 0;
    for (const std::size_t child : bucket.children) {
      for (const Message& message : messages_[child]) {
        weight = std::max(weight, Semiring::weight(message));
      }
    }
    const std::size_t chunk = weight * size > heavy ? 1 : bucket.entries;
    run_chunks(bucket.entries, chunk, options, [&](unsigned /*thread*/) -> ChunkWorker {
      return [&](std::uint64_t first, std::uint64_t count) {
        fill(index, first, first + count);
        return true;
      };
    });
  }

  // The messages of some entries.
  void fill(std::size_t index, std::size_t begin, std::size_t end) {
    const Bucket& bucket = tree_.buckets[index];
    const std::uint32_t size = problem_.sizes()[bucket.variable];
    const BucketCosts costs(problem_, bucket);
    const Message one = semiring_.one();
    const bool multiplies = bucket.children.size() > 1;
    std::vector<std::uint16_t> codes = codes_;
    std::vector<Way<Message>> ways;
    for (std::size_t entry = begin; entry < end; ++entry) {
      problem_.set_codes(bucket.scope, entry, codes);
      ways.clear();
      for (std::uint32_t code = 0; code < size; ++code) {
        codes[bucket.variable] = static_cast<std::uint16_t>(code);
        MetricCosts added;
        if (!costs.read(codes, added)) continue;
        const Message* message = &one;
        if (multiplies) {
          Product& product = products_[index][entry * size + code];
          product = product_of(bucket, codes);
          message = &Semiring::message(product);
        } else if (!bucket.children.empty()) {
          message = &this->message(bucket.children.front(), codes);
        }
        ways.push_back({message, added});
      }
      messages_[index][entry] = semiring_.combine(ways);
    }
  }

  [[nodiscard]] Product product_of(const Bucket& bucket,
                                   std::span<const std::uint16_t> codes) const {
    std::vector<const Message*> messages;
    messages.reserve(bucket.children.size());
    for (const std::size_t child : bucket.children) messages.push_back(&message(child, codes));
    return semiring_.product(std::move(messages));
  }

  const Problem& problem_;
  const BucketTree& tree_;
  Semiring semiring_;
  std::vector<std::uint16_t> codes_;
  // By bucket and entry of its scope.
  std::vector<std::vector<Message>> messages_;
  // By bucket, entry and code, of buckets with several children.
  std::vector<std::vector<Product>> products_;
};

}  // namespace netledger
