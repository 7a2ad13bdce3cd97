// HalfTables: two products that stand for all configurations of a slice. A question about their sum
// is answered by a pass over one of them, without the large table of all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "query/ranked_table.h"
#include "query/slice_tables.h"

namespace netledger {

template <class Algebra>
class HalfTables {
 public:
  using Value = Algebra::Value;
  using Table = Polynomial<Algebra>;

  // `keep`: so that configurations can be found. The slice outlives it.
  HalfTables(const SliceTables<Algebra>& slice, bool keep, Progress& progress);

  [[nodiscard]] const Table& left() const noexcept { return left_.result(); }
  [[nodiscard]] const Table& right() const noexcept { return right_.result(); }
  [[nodiscard]] const ProductChain<Algebra>& left_chain() const noexcept { return left_; }
  [[nodiscard]] const ProductChain<Algebra>& right_chain() const noexcept { return right_; }

  // The greatest cost that occurs and is at most the target, and the least that is at least.
  [[nodiscard]] std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>> nearest(
      std::int64_t target) const;
  // Sets the codes of a configuration of this cost; false where there is none. Of those that costs
  // least in the second metric one is found.
  bool find(std::int64_t cost, std::span<std::uint16_t> codes) const;

 private:
  const SliceTables<Algebra>& slice_;
  ProductChain<Algebra> left_;
  ProductChain<Algebra> right_;
};

// Networks of at most this cost, for each limit. Costs are those of the halves.
template <class Count>
[[nodiscard]] std::vector<Sum<Count>> count_up_to(const HalfTables<Counting<Count>>& halves,
                                                  std::span<const std::int64_t> limits,
                                                  Progress& progress);

// The cost from `low` to `high` with the least coefficient, and that.
[[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> least_between(
    const HalfTables<Least>& halves, std::int64_t low, std::int64_t high);

}  // namespace netledger
