// Query: exact answers about all configurations of a space at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "query/cost_counter.h"
#include "query/front.h"
#include "query/natural.h"
#include "query/product_chain.h"
#include "query/slices.h"

namespace netledger {

// A configuration and what it costs.
struct Located {
  std::int64_t cost = 0;
  std::int64_t other = 0;
  std::vector<std::uint16_t> codes;
};

class Query {
 public:
  // The plan outlives it. Tables may take `memory` bytes. Throws SpaceError where there is no exact
  // answer: see Problem.
  Query(const Plan& plan, Question question, std::size_t memory);

  [[nodiscard]] const Problem& problem() const noexcept { return problem_; }
  [[nodiscard]] const Slices& slices() const noexcept { return slices_; }
  // Of all configurations.
  [[nodiscard]] const Natural& size() const noexcept { return size_; }
  // Equal for equal problems.
  [[nodiscard]] std::uint64_t fingerprint() const;

  // Throws SpaceError where the question has fewer metrics.
  void require_metrics(std::size_t count) const;

  // A configuration of the least cost, or the greatest; nothing where there is none.
  [[nodiscard]] std::optional<Located> extreme(bool largest) const;
  // The one whose other cost is the least, or the greatest, of those whose cost lies between.
  [[nodiscard]] std::optional<Located> best(bool largest, std::int64_t low, std::int64_t high,
                                            const Effort& effort) const;
  // How many lie within limits of both metrics.
  [[nodiscard]] Natural joint(const std::pair<std::int64_t, std::int64_t>& limits,
                              const std::pair<std::int64_t, std::int64_t>& other_limits) const;
  [[nodiscard]] std::vector<FrontPoint> pareto(bool maximise, bool maximise_other,
                                               const Effort& effort) const;
  // The number of configurations, and the sums of `cost - base` and of its square.
  struct Sums {
    std::int64_t base;
    Natural count;
    Natural sum;
    Natural squares;
  };
  [[nodiscard]] std::vector<Sums> moments() const;
  // Of each variable how many configurations within limits have each of its codes while it is
  // active, and last in how many it is not.
  [[nodiscard]] std::vector<std::vector<Natural>> marginals(std::int64_t low, std::int64_t high,
                                                            const Effort& effort);

  // What is counted, with `use`; again with wider counts where they do not suffice.
  template <class Use>
  auto with_counter(const Use& use) {
    try {
      return use(counter());
    } catch (const CountsTooLarge&) {
      widen();
      return use(counter());
    }
  }
  [[nodiscard]] CostCounter& counter();
  // Takes the tables of an earlier query of the same fingerprint, with counts of so many words.
  // Throws SpaceError where they do not fit.
  void restore(std::size_t limbs, const std::vector<StoredSlice>& tables);

 private:
  void widen();
  void count_parts(std::int64_t low, std::int64_t high, const Effort& effort,
                   std::vector<std::vector<Natural>>& found);
  [[nodiscard]] Natural count_where(const Restriction& restriction, std::int64_t low,
                                    std::int64_t high, const Effort& effort) const;

  const Plan& plan_;
  Question question_;
  std::size_t memory_;
  Problem problem_;
  Slices slices_;
  Natural size_;
  std::size_t limbs_ = 1;
  std::unique_ptr<CostCounter> counter_;
};

}  // namespace netledger
