// CostBins: how many networks lie in each of some bins of equal width.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "query/polynomial.h"
#include "query/ranked_table.h"

namespace netledger {

template <class Count>
class CostBins {
 public:
  // Bin i goes from start + i * width to before start + (i + 1) * width.
  CostBins(std::int64_t start, std::uint64_t width, std::size_t count)
      : start_(start), width_(width), sums_(count, Sum<Count>{0}) {}

  [[nodiscard]] std::vector<Natural> counts() const {
    std::vector<Natural> counts;
    counts.reserve(sums_.size());
    for (const Sum<Count>& sum : sums_) counts.push_back(natural_of(sum));
    return counts;
  }
  // Empty bins: those that costs from `low` to `high` reach.
  [[nodiscard]] CostBins between(std::int64_t low, std::int64_t high) const {
    const std::size_t begin = low < start_ ? 0 : bin_of(low);
    const std::size_t end = high < start_ ? begin : std::min(bin_of(high) + 1, sums_.size());
    CostBins part(start_, width_, end > begin ? end - begin : 0);
    part.first_bin_ = begin;
    return part;
  }
  void merge(const CostBins& part) {
    for (std::size_t bin = 0; bin < part.sums_.size(); ++bin) {
      sums_[part.first_bin_ - first_bin_ + bin] += part.sums_[bin];
    }
  }
  // Counts of costs from `first` on, a distance of `step` apart. Returns their sum, with those that
  // lie in no bin.
  Sum<Count> add(std::int64_t first, std::uint64_t step, std::span<const Count> counts) {
    Sum<Count> total{0};
    std::size_t place = 0;
    while (place < counts.size()) {
      const std::int64_t cost = first + static_cast<std::int64_t>(place * step);
      // The places up to the next edge.
      const std::uint64_t distance =
          static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(start_);
      const std::uint64_t reach =
          cost < start_ ? std::uint64_t{0} - distance - 1 : width_ - 1 - distance % width_;
      const auto end = static_cast<std::size_t>(
          std::min<std::uint64_t>(counts.size(), place + reach / step + 1));
      Sum<Count> sum{0};
      for (; place < end; ++place) sum += widened(counts[place]);
      total += sum;
      if (cost < start_) continue;
      const std::size_t bin = bin_of(cost);
      if (bin >= first_bin_ && bin - first_bin_ < sums_.size()) sums_[bin - first_bin_] += sum;
    }
    return total;
  }
  void add(const Polynomial<Counting<Count>>& table, std::int64_t offset) {
    if (table.dense()) {
      add(table.first() + offset, table.step(), table.coefficients());
      return;
    }
    for (const auto& term : table.sparse_terms()) {
      add(term.cost + offset, 1, std::span(&term.coefficient, 1));
    }
  }

 private:
  // Of all bins, also beyond the last.
  [[nodiscard]] std::size_t bin_of(std::int64_t cost) const noexcept {
    return static_cast<std::size_t>(
        (static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(start_)) / width_);
  }

  std::int64_t start_;
  std::uint64_t width_;
  std::size_t first_bin_ = 0;
  std::vector<Sum<Count>> sums_;
};

}  // namespace netledger
