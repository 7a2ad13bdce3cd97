// SliceTables: the parts of one slice as polynomials, and their products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "query/product_order.h"
#include "query/semirings.h"
#include "query/slices.h"

namespace netledger {

// Bytes that the tables inside the parts of a slice need at most, with values of so many bytes.
[[nodiscard]] double part_bytes(const Problem& problem, const Slices& slices, const Slice& slice,
                                std::size_t value_bytes);
// Throws SpaceError where they are more than `memory`.
void require_parts(const Problem& problem, const Slices& slices, const Slice& slice,
                   std::size_t value_bytes, std::size_t memory);

// In which order the parts of a slice are brought together.
struct PartOrders {
  explicit PartOrders(std::span<const Extent> parts)
      : order(order_product(parts)),
        small_order(order_product(parts, kept_place)),
        halves(split_product(parts)) {}

  // The fastest; where all products are kept and should be small; in two halves.
  ProductOrder order;
  ProductOrder small_order;

  // Where all products are kept: the fastest, if they take no more than so many places.
  [[nodiscard]] const ProductOrder& kept_order(double most_places) const noexcept {
    return order.places <= most_places ? order : small_order;
  }

  Halves halves;
};

template <class Algebra>
class SliceTables {
 public:
  using Value = Algebra::Value;
  using Table = Polynomial<Algebra>;
  using Chain = ProductChain<Algebra>;

  // Problem and slices outlive it. `sign`: see CostPolynomials.
  SliceTables(const Problem& problem, const Slices& slices, const Slice& slice,
              const RunOptions& options = {}, std::int64_t sign = 1);

  [[nodiscard]] const Slice& slice() const noexcept { return slice_; }
  [[nodiscard]] const std::vector<VariableIndex>& given() const noexcept { return slices_.given; }
  // Nothing is in the slice.
  [[nodiscard]] bool empty() const noexcept { return empty_; }
  // For each component of the tree its polynomial.
  [[nodiscard]] const std::vector<const Table*>& parts() const noexcept { return parts_; }
  // Of a slice that is not empty.
  [[nodiscard]] const PartOrders& orders() const noexcept { return *orders_; }
  [[nodiscard]] const ProductOrder& order() const noexcept { return orders_->order; }
  [[nodiscard]] const Halves& halves() const noexcept { return orders_->halves; }
  // The products of some parts; at least one part, or `one`.
  [[nodiscard]] Chain chain(std::span<const std::size_t> parts) const;

  // The variables of a part, ascending.
  [[nodiscard]] std::vector<VariableIndex> variables(std::size_t part) const;

  // Sets the codes of the configuration of a part that has this cost and is asked for.
  void find(std::size_t part, std::int64_t cost, Value asked,
            std::span<std::uint16_t> codes) const {
    find_codes(elimination_, slices_.tree.roots[part], cost, asked, codes);
  }
  // The same of some parts together, whose product has the cost;
  // `codes` has the slice's codes.
  void find(const Chain& chain, std::span<const std::size_t> parts, std::int64_t cost, Value asked,
            std::span<std::uint16_t> codes) const;

 private:
  Slice slice_;
  const Slices& slices_;
  Elimination<CostPolynomials<Algebra>> elimination_;
  std::vector<const Table*> parts_;
  bool empty_ = false;
  // Nullptr where the slice is empty.
  std::unique_ptr<const PartOrders> orders_;
  // The product of no parts.
  Table one_ = Table::one();
};

}  // namespace netledger
