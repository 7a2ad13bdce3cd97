// CostCounter: how many networks of a space cost what, counted in numbers of one width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "query/natural.h"
#include "query/slices.h"
#include "space/codes.h"

namespace netledger {

// What a long question may use, and who waits for it.
struct Effort {
  unsigned threads = 1;
  // Called now and then with the thousandths that are done; may throw, and be empty.
  std::function<void(std::uint64_t)> wait;
};

// How many networks have each cost.
struct CostCounts {
  // Where dense, count i is of the cost start + i * step, and there may be zeros; else of
  // values[i].
  bool dense = false;
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::vector<std::int64_t> values;
  // Of 64 bits, which `owner` keeps; or else of any size.
  std::span<const std::uint64_t> counts;
  std::shared_ptr<const void> owner;
  std::vector<Natural> large_counts;
};

// A table as it is stored: dense (costs is empty) or sparse. Coefficients are `limbs` words each.
struct StoredTable {
  std::int64_t first = 0;
  std::uint64_t step = 0;
  std::span<const std::int64_t> costs;
  std::span<const std::uint64_t> words;
  // Of sparse tables, whose costs and words do not stand by themselves.
  std::shared_ptr<const void> owner;
};

// The products of a slice's parts, and in which order they were made.
struct StoredSlice {
  std::vector<std::size_t> order;
  std::vector<StoredTable> tables;
};

// What the tables of a question need, and how long they take.
struct Predicted {
  double bytes = 0;
  double operations = 0;
};

// The lattice that costs lie on, and how many of them each part of the last slice takes at most.
struct Reach {
  std::uint64_t step = 0;
  std::uint64_t places = 0;
  std::vector<std::uint64_t> part_values;
};

class CostCounter {
 public:
  virtual ~CostCounter() = default;

  [[nodiscard]] virtual std::vector<Natural> cumulative(std::span<const std::int64_t> limits,
                                                        const Effort& effort) = 0;
  [[nodiscard]] virtual std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>> nearest(
      std::int64_t target, const Effort& effort) = 0;
  // Sets the codes of a network of this cost; false where there is none.
  [[nodiscard]] virtual bool find(std::int64_t cost, std::vector<std::uint16_t>& codes,
                                  const Effort& effort) = 0;
  [[nodiscard]] virtual CostCounts distribution(const Effort& effort) = 0;
  // Networks of costs from start + i * width to before start + (i + 1) * width.
  [[nodiscard]] virtual std::vector<Natural> bins(std::int64_t start, std::uint64_t width,
                                                  std::size_t count, const Effort& effort) = 0;
  // Networks drawn from those whose cost lies between, every one as likely. Returns false where
  // there are none.
  [[nodiscard]] virtual bool sample(std::uint64_t seed, std::int64_t low, std::int64_t high,
                                    const CodeOutput& output, const Effort& effort) = 0;
  // For each part (see `Slices::tree`) of each slice, how many networks within the limits each of
  // its configurations of some cost belongs to.
  using PartUse = std::function<void(std::size_t slice, std::size_t part,
                                     std::span<const std::pair<std::int64_t, Natural>> ways)>;
  virtual void uses(std::int64_t low, std::int64_t high, const PartUse& use,
                    const Effort& effort) = 0;

  virtual void prepare(const Effort& effort) = 0;
  [[nodiscard]] virtual bool prepared() const noexcept = 0;
  // Whether `cumulative` looks its answer up: after `prepare` or `distribution`.
  [[nodiscard]] virtual bool answers_at_once() const noexcept = 0;
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;
  // Words of a count.
  [[nodiscard]] virtual std::size_t limbs() const noexcept = 0;
  // Of every slice the products that `prepare` made.
  [[nodiscard]] virtual std::vector<StoredSlice> tables() const = 0;
  // Throws SpaceError where they are not those of this problem.
  virtual void restore(const std::vector<StoredSlice>& tables) = 0;

  [[nodiscard]] virtual Reach reach() = 0;
  [[nodiscard]] virtual Predicted predict_count() = 0;
  [[nodiscard]] virtual Predicted predict_distribution() = 0;
  [[nodiscard]] virtual Predicted predict_prepare() = 0;
};

// Counts of 64 * limbs bits, of one of the numbers 1, 2, 4 and 16. Problem and slices outlive it.
// Methods that would need more than `memory` bytes throw SpaceError before they begin. With one
// limb they throw CountsTooLarge where that does not suffice.
[[nodiscard]] std::unique_ptr<CostCounter> make_cost_counter(const Problem& problem,
                                                             const Slices& slices,
                                                             std::size_t limbs, std::size_t memory);

}  // namespace netledger
