#include "query/semirings.h"

#include <stdexcept>

#include "query/product_order.h"

namespace netledger {

Moments::Message Moments::combine(std::span<const Way<Message>> ways) {
  Message all;
  for (const Way<Message>& way : ways) {
    const Natural cost(static_cast<std::uint64_t>(way.costs[0]));
    const Message alone{1, cost, cost * cost};
    const Message moved = both(*way.message, alone);
    all.count += moved.count;
    all.sum += moved.sum;
    all.squares += moved.squares;
  }
  return all;
}

Moments::Product Moments::product(const std::vector<const Message*>& messages) {
  Message all = one();
  for (const Message* const message : messages) all = both(all, *message);
  return all;
}

Moments::Message Moments::both(const Message& left, const Message& right) {
  const Natural crossed = left.sum * right.sum;
  return {left.count * right.count, left.sum * right.count + left.count * right.sum,
          left.squares * right.count + left.count * right.squares + crossed + crossed};
}

template <class Algebra>
CostPolynomials<Algebra>::Message CostPolynomials<Algebra>::combine(
    std::span<const Way<Message>> ways) const {
  std::vector<Shifted<Algebra>> summands;
  summands.reserve(ways.size());
  for (const Way<Message>& way : ways) {
    summands.push_back({way.message, way.costs[0], weight(way.costs)});
  }
  return sum<Algebra>(summands);
}

template <class Algebra>
CostPolynomials<Algebra>::Product CostPolynomials<Algebra>::product(
    std::vector<const Message*> messages) const {
  Product result;
  std::vector<Extent> extents;
  extents.reserve(messages.size());
  for (const Message* const message : messages) {
    if (message->empty()) return result;
    extents.push_back(message->extent());
  }
  result.order = order_product(extents).order;
  std::vector<const Message*> ordered;
  ordered.reserve(messages.size());
  for (const std::size_t place : result.order) ordered.push_back(messages[place]);
  Progress progress(0, 1, {});
  result.chain = std::make_unique<ProductChain<Algebra>>(std::move(ordered));
  result.chain->multiply(true, progress);
  return result;
}

template <class Algebra>
void find_codes(const Elimination<CostPolynomials<Algebra>>& elimination, std::size_t number,
                std::int64_t cost, typename Algebra::Value asked, std::span<std::uint16_t> codes) {
  const Bucket& bucket = elimination.tree().buckets[number];
  const CostPolynomials<Algebra>& tables = elimination.semiring();
  const BucketCosts costs(elimination.problem(), bucket);
  const auto one = Polynomial<Algebra>::one();
  const std::uint32_t size = elimination.problem().sizes()[bucket.variable];
  for (std::uint32_t code = 0; code < size; ++code) {
    codes[bucket.variable] = static_cast<std::uint16_t>(code);
    MetricCosts added;
    if (!costs.read(codes, added)) continue;
    const auto* const product = elimination.product(number, codes);
    const Polynomial<Algebra>& rest =
        product != nullptr        ? CostPolynomials<Algebra>::message(*product)
        : bucket.children.empty() ? one
                                  : elimination.message(bucket.children.front(), codes);
    const std::int64_t left = cost - added[0];
    const auto value = rest.at(left);
    if (Algebra::is_absent(value)) continue;
    if (!Choice<Algebra>::takes(asked, Algebra::multiply(value, tables.weight(added)))) continue;
    if constexpr (std::is_same_v<Algebra, Least>) asked = value;
    if (product != nullptr) {
      std::vector<typename ProductChain<Algebra>::Part> parts(product->order.size());
      product->chain->divide(left, asked, parts);
      for (std::size_t place = 0; place < parts.size(); ++place) {
        find_codes(elimination, bucket.children[product->order[place]], parts[place].cost,
                   parts[place].asked, codes);
      }
    } else if (!bucket.children.empty()) {
      find_codes(elimination, bucket.children.front(), left, asked, codes);
    }
    return;
  }
  throw std::logic_error("an elimination has no such configuration");
}

#define NETLEDGER_ALGEBRA(...)                                                              \
  template struct CostPolynomials<__VA_ARGS__>;                                             \
  template void find_codes(const Elimination<CostPolynomials<__VA_ARGS__>>& elimination,    \
                           std::size_t bucket, std::int64_t cost, __VA_ARGS__::Value asked, \
                           std::span<std::uint16_t> codes);
NETLEDGER_ALGEBRA(Counting<std::uint64_t>)
NETLEDGER_ALGEBRA(Counting<Wide>)
NETLEDGER_ALGEBRA(Counting<WideCount<4>>)
NETLEDGER_ALGEBRA(Counting<WideCount<16>>)
NETLEDGER_ALGEBRA(Least)

}  // namespace netledger
