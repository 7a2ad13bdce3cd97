// PreparedSlice: the tables of a slice that turn a number into a network, and its networks drawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "query/ranked_table.h"
#include "query/slice_tables.h"
#include "space/codes.h"

namespace netledger {

template <class Count>
class PreparedSlice {
 public:
  using Algebra = Counting<Count>;

  // Multiplies what the slice has, in one of its orders; or takes the tables of an earlier one.
  PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice, const ProductOrder& order,
                Progress& progress);
  PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice, const ProductOrder& order,
                std::vector<Polynomial<Algebra>> tables);

  [[nodiscard]] const std::vector<std::size_t>& order() const noexcept { return order_; }
  [[nodiscard]] const SliceTables<Algebra>& slice() const noexcept { return *slice_; }
  [[nodiscard]] const ProductChain<Algebra>& chain() const noexcept { return chain_; }
  // By cost, without what the slice costs by itself.
  [[nodiscard]] const RankedTable<Count>& ranked() const noexcept { return *ranked_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return chain_.bytes() + ranked_->bytes(); }

  // Which network a row is to be: its number, counted by cost.
  struct Request {
    std::size_t row;
    Sum<Count> number;
  };
  // Writes the networks that are asked for.
  void write(std::span<const Request> requests, const CodeOutput& output) const;

 private:
  // The configurations of a part with few of them, listed.
  struct Listed {
    std::vector<VariableIndex> variables;
    // Where those of each place of the part's table begin.
    std::vector<std::size_t> begins;
    std::vector<std::uint16_t> codes;
  };
  static constexpr std::size_t most_listed = std::size_t{1} << 16U;

  // A request on its way: what is left of its cost and number.
  struct Pending {
    std::int64_t cost;
    Count asked;
    std::size_t row;
  };

  void finish();
  [[nodiscard]] std::vector<Pending> located(std::span<const Request> requests) const;
  template <class Code>
  void write_share(std::size_t place, const ProductChain<Algebra>::Part& share,
                   std::span<std::uint16_t> codes, Code* row) const;
  template <class Code>
  void write_shares(std::vector<Pending> pending, const CodeOutput& output) const;
  [[nodiscard]] std::unique_ptr<Listed> list(std::size_t part) const;

  std::shared_ptr<const SliceTables<Algebra>> slice_;
  std::vector<std::size_t> order_;
  ProductChain<Algebra> chain_;
  std::unique_ptr<RankedTable<Count>> ranked_;
  // In the order of the chain; nullptr where there are too many.
  std::vector<std::unique_ptr<Listed>> listed_;
};

}  // namespace netledger
