// RankedTable: how many networks cost at most so much, and the network of a given number, for a
// polynomial of counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "query/polynomial.h"

namespace netledger {

// Wide enough for the number of pairs of networks counted in these.
template <class Count>
struct SumOf {
  using Type = Count;
};
template <>
struct SumOf<std::uint64_t> {
  using Type = Wide;
};
template <>
struct SumOf<Wide> {
  using Type = WideCount<4>;
};
template <class Count>
using Sum = SumOf<Count>::Type;

// A count as a sum of them.
template <class Count>
[[nodiscard]] constexpr Sum<Count> widened(const Count& count) {
  if constexpr (std::is_same_v<Count, Wide>) {
    Sum<Count> sum(static_cast<std::uint64_t>(count));
    sum.limbs[1] = static_cast<std::uint64_t>(count >> 64U);
    return sum;
  } else {
    return Sum<Count>(count);
  }
}

template <class Count>
class RankedTable {
 public:
  using Table = Polynomial<Counting<Count>>;

  // The table outlives it.
  explicit RankedTable(const Table& table) : table_(&table) {
    sums_.reserve(table.places() / stride + 1);
    for (std::size_t place = 0; place < table.places(); ++place) {
      if (place % stride == 0) sums_.push_back(total_);
      total_ += widened(table.coefficient(place));
    }
  }

  [[nodiscard]] const Table& table() const noexcept { return *table_; }
  [[nodiscard]] const Sum<Count>& total() const noexcept { return total_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return sums_.size() * sizeof(Sum<Count>); }
  // Networks of at most this cost.
  [[nodiscard]] Sum<Count> up_to(std::int64_t limit) const noexcept {
    const std::size_t end = table_->places_up_to(limit);
    if (end == 0) return Sum<Count>{0};
    const std::size_t block = (end - 1) / stride;
    Sum<Count> sum = sums_[block];
    for (std::size_t place = block * stride; place < end; ++place) {
      sum += widened(table_->coefficient(place));
    }
    return sum;
  }
  // The cost of the network of this number, counted by cost, and its number among those of equal
  // cost.
  [[nodiscard]] std::pair<std::int64_t, Count> find(Sum<Count> number) const noexcept {
    const auto block = std::prev(std::ranges::upper_bound(sums_, number));
    number -= *block;
    std::size_t place = static_cast<std::size_t>(block - sums_.begin()) * stride;
    while (true) {
      const Sum<Count> here = widened(table_->coefficient(place));
      if (number < here) break;
      number -= here;
      ++place;
    }
    return {table_->cost(place), narrowed(number)};
  }

 private:
  // Places between sums that are kept.
  static constexpr std::size_t stride = 64;

  [[nodiscard]] static Count narrowed(const Sum<Count>& number) noexcept {
    if constexpr (std::is_same_v<Count, Wide>) {
      return Wide{number.limbs[1]} << 64U | number.limbs[0];
    } else {
      return static_cast<Count>(number);
    }
  }

  const Table* table_;
  std::vector<Sum<Count>> sums_;
  Sum<Count> total_{0};
};

}  // namespace netledger
