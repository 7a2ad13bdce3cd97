// Metrics as 64-bit keys that order as they do, so that reductions compare integers only.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "space/plan.h"
#include "space/reductions.h"
#include "space/source.h"

namespace netledger {

// The key of a real number. NaN is above all others, and 0.0 is -0.0.
[[nodiscard]] inline std::int64_t real_key(double value) noexcept {
  const std::int64_t bits = std::bit_cast<std::int64_t>(value + 0.0);
  return bits < 0 ? bits ^ std::numeric_limits<std::int64_t>::max() : bits;
}

[[nodiscard]] inline double real_of_key(std::int64_t key) noexcept {
  return std::bit_cast<double>(key < 0 ? key ^ std::numeric_limits<std::int64_t>::max() : key);
}

[[nodiscard]] inline std::int64_t key_of(MetricId metric, const MetricValue& value) noexcept {
  return metric.real ? real_key(value.real) : value.integer;
}

[[nodiscard]] inline MetricValue value_of(MetricId metric, std::int64_t key) noexcept {
  return metric.real ? MetricValue{0, real_of_key(key)} : MetricValue{key, 0};
}

// Throws SpaceError where the plan has no such metric.
void check_metric(const Plan& plan, MetricId metric);
[[nodiscard]] const std::string& metric_name(const Plan& plan, MetricId metric);

// Some rows of a source, ready to be reduced.
struct KeyRows {
  static constexpr std::size_t most = 1024;

  std::uint64_t first = 0;
  std::size_t rows = 0;
  // Of each metric asked for.
  std::vector<const std::int64_t*> keys;
  // Which rows count; nullptr: all.
  const std::uint8_t* kept = nullptr;
  std::size_t refused = 0;
  std::size_t outside_budgets = 0;

  // Calls use(row) for those that count.
  template <class Use>
  void visit(Use&& use) const {
    if (kept == nullptr) {
      for (std::size_t row = 0; row < rows; ++row) use(row);
      return;
    }
    for (std::size_t row = 0; row < rows; ++row) {
      if (kept[row] != 0) use(row);
    }
  }
};

// Turns blocks of costs into keys, and decides which rows count.
class KeyReader {
 public:
  // Throws SpaceError where a metric does not exist, or a limit is not a number.
  KeyReader(const Plan& plan, std::span<const MetricId> metrics, std::span<const Budget> budgets);

  template <class Use>
  void read(const CostBlock& block, Use&& use) {
    for (std::size_t done = 0; done < block.rows; done += KeyRows::most) {
      load(block, done);
      use(rows_);
    }
  }

 private:
  struct Limits {
    MetricId metric;
    std::int64_t low = std::numeric_limits<std::int64_t>::min();
    std::int64_t high = std::numeric_limits<std::int64_t>::max();
  };
  using Keys = std::array<std::int64_t, KeyRows::most>;

  void load(const CostBlock& block, std::size_t first);
  // Where the keys stand: in the block itself, or computed into `buffer`.
  [[nodiscard]] const std::int64_t* keys(const CostBlock& block, std::size_t first, MetricId metric,
                                         Keys& buffer) const;
  void decide(const CostBlock& block, std::size_t first);

  std::vector<MetricId> metrics_;
  std::vector<Limits> limits_;
  std::vector<Keys> buffers_;
  Keys budget_buffer_{};
  std::array<std::uint8_t, KeyRows::most> kept_{};
  KeyRows rows_;
};

}  // namespace netledger
