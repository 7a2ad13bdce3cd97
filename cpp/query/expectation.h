// Expectation: the expected cost where every variable is chosen on its own, and its gradient.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "space/plan.h"
#include "space/reductions.h"
#include "space/run.h"

namespace netledger {

struct ExpectationParts;

// Rows of probabilities, one after the other. A row has a number for every code of every variable:
// those of the first variable, then those of the second and so on.
struct ProbabilityRows {
  const double* probabilities = nullptr;
  std::uint64_t rows = 0;
  // Whether each variable's probabilities must be a distribution: not negative, and with a sum
  // within `Expectation::tolerance` of 1. They are then scaled to a sum of 1.
  bool check = true;
  // One for each row.
  double* values = nullptr;
  // As the probabilities; may be nullptr.
  double* gradients = nullptr;
};

// With w(x) the product of the probabilities of a row of codes x: the sum of w(x) cost(x) over all
// rows; where the space refuses some, the sum over the others, divided by that of their w(x). Both
// are linear in the probabilities of each variable. The derivative by the probability of a code is,
// where nothing is refused, the expected cost of the networks that have the code.
class Expectation {
 public:
  static constexpr double tolerance = 1e-6;

  // Throws SpaceError where the cost is no sum of tables, or what is refused depends on too many
  // variables together.
  Expectation(const Plan& plan, MetricId metric);
  ~Expectation();
  Expectation(const Expectation&) = delete;
  Expectation& operator=(const Expectation&) = delete;

  // The codes of all variables.
  [[nodiscard]] std::size_t columns() const noexcept;

  // On any number of threads at once; a row's result does not depend on the others. Throws
  // SpaceError where probabilities are none, or no network that they allow is accepted.
  bool evaluate(const ProbabilityRows& rows, const RunOptions& options) const;

 private:
  class Workspace;
  class Lent;

  void work(const ProbabilityRows& rows, std::uint64_t first, std::uint64_t count,
            Workspace& workspace) const;
  [[noreturn]] void refuse_row(const ProbabilityRows& rows, std::uint64_t row) const;

  std::unique_ptr<const ExpectationParts> parts_;
  // Kept for the next evaluation.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> workspaces_;
};

}  // namespace netledger
