// What an elimination adds and multiplies.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "query/elimination.h"
#include "query/extent.h"
#include "query/natural.h"
#include "query/product_chain.h"

namespace netledger {

// How many configurations there are.
struct Networks {
  using Message = Natural;
  using Product = Natural;

  [[nodiscard]] static Message one() { return {1}; }
  [[nodiscard]] static Message combine(std::span<const Way<Message>> ways) {
    Natural sum;
    for (const Way<Message>& way : ways) sum += *way.message;
    return sum;
  }
  [[nodiscard]] static Product product(const std::vector<const Message*>& messages) {
    Natural result(1);
    for (const Message* const message : messages) result = result * *message;
    return result;
  }
  // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): products are kept.
  [[nodiscard]] static const Message& message(const Product& product) noexcept { return product; }
  [[nodiscard]] static std::size_t weight(const Message& /*message*/) noexcept { return 1; }
};

// Between which limits the first metric lies.
struct Extents {
  using Message = Extent;
  using Product = Extent;

  [[nodiscard]] static Message one() { return Extent::of(0); }
  [[nodiscard]] static Message combine(std::span<const Way<Message>> ways) {
    Extent extent;
    for (const Way<Message>& way : ways) {
      if (!way.message->empty) extent.unite(*way.message + Extent::of(way.costs[0]));
    }
    return extent;
  }
  [[nodiscard]] static Product product(const std::vector<const Message*>& messages) {
    Extent extent = Extent::of(0);
    for (const Message* const message : messages) extent = extent + *message;
    return extent;
  }
  // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): products are kept.
  [[nodiscard]] static const Message& message(const Product& product) noexcept { return product; }
  [[nodiscard]] static std::size_t weight(const Message& /*message*/) noexcept { return 1; }
};

// The number of configurations, the sum of the first metric and of its square. Costs are counted
// from the least that each potential adds, so that nothing is negative.
struct Moments {
  struct Message {
    Natural count;
    Natural sum;
    Natural squares;
  };
  using Product = Message;

  [[nodiscard]] static Message one() { return {1, {}, {}}; }
  [[nodiscard]] static Message combine(std::span<const Way<Message>> ways);
  [[nodiscard]] static Product product(const std::vector<const Message*>& messages);
  [[nodiscard]] static Message both(const Message& left, const Message& right);
  // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): products are kept.
  [[nodiscard]] static const Message& message(const Product& product) noexcept { return product; }
  [[nodiscard]] static std::size_t weight(const Message& /*message*/) noexcept { return 1; }
};

// For every cost of the first metric how many configurations have it, or the least that one of them
// costs in the second.
template <class Algebra>
struct CostPolynomials {
  using Message = Polynomial<Algebra>;
  using Value = Algebra::Value;
  // With the tables to walk back.
  struct Product {
    std::unique_ptr<ProductChain<Algebra>> chain;
    // The places of the chain's parts among the children.
    std::vector<std::size_t> order;
    Message nothing;
  };

  // What costs of the second metric are multiplied with: -1 looks for the greatest.
  std::int64_t sign = 1;

  [[nodiscard]] static Message one() { return Message::one(); }
  [[nodiscard]] Value weight(const MetricCosts& costs) const {
    if constexpr (std::is_same_v<Algebra, Least>) return sign * costs[1];
    return Algebra::one();
  }
  [[nodiscard]] Message combine(std::span<const Way<Message>> ways) const;
  [[nodiscard]] Product product(std::vector<const Message*> messages) const;
  [[nodiscard]] static const Message& message(const Product& product) noexcept {
    return product.chain != nullptr ? product.chain->result() : product.nothing;
  }
  [[nodiscard]] static std::size_t weight(const Message& message) noexcept {
    return message.places();
  }
};

// Sets the codes of the configuration of a bucket's variables that has this cost: the one that is
// asked for, or one that costs least. The codes of the bucket's scope are set.
template <class Algebra>
void find_codes(const Elimination<CostPolynomials<Algebra>>& elimination, std::size_t number,
                std::int64_t cost, typename Algebra::Value asked, std::span<std::uint16_t> codes);

}  // namespace netledger
