// Reductions: what is asked of the costs of many configurations, without keeping them all. Refused
// configurations, and those outside a budget, are left out; they are only counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "space/plan.h"
#include "space/run.h"
#include "space/source.h"

namespace netledger {

__extension__ using Int128 = __int128;

// A metric of a plan: one of its integer metrics, or of its real ones.
struct MetricId {
  std::uint32_t index = 0;
  bool real = false;

  friend bool operator==(const MetricId&, const MetricId&) = default;
};

// A metric's value: `integer`, or `real` where the metric is.
struct MetricValue {
  std::int64_t integer = 0;
  double real = 0;
};

// Limits of a metric, inclusive.
struct Budget {
  MetricId metric;
  std::optional<MetricValue> low;
  std::optional<MetricValue> high;
};

// Positions are those in the source. Results do not depend on the number of threads. All throw
// SpaceError where a metric does not exist or arguments are not valid, and return nothing when the
// run was stopped.

// Every cost, in columns of source.rows() rows. Returns false when stopped.
bool columns(const Source& source, const CostColumns& costs, const RunOptions& options);

struct Histogram {
  // Values in [edge i, edge i + 1); from the last edge on they are above.
  std::vector<std::uint64_t> counts;
  std::uint64_t below = 0;
  std::uint64_t above = 0;
  std::uint64_t refused = 0;
  std::uint64_t outside_budgets = 0;
};
// `edges`: at least two, ascending.
[[nodiscard]] std::optional<Histogram> histogram(const Source& source, MetricId metric,
                                                 std::span<const MetricValue> edges,
                                                 std::span<const Budget> budgets,
                                                 const RunOptions& options);

struct Ranked {
  std::uint64_t position = 0;
  MetricValue value;
};
// The `count` smallest, or largest; of equal ones the first.
[[nodiscard]] std::optional<std::vector<Ranked>> top_k(const Source& source, MetricId metric,
                                                       std::size_t count, bool largest,
                                                       std::span<const Budget> budgets,
                                                       const RunOptions& options);

struct Objective {
  MetricId metric;
  bool maximize = false;
};
struct Selected {
  // Ascending.
  std::vector<std::uint64_t> positions;
  // Of each objective, or of each metric of the plan, integer ones first: its column.
  std::vector<std::vector<MetricValue>> values;
};
// Those that no other is at least as good as in every objective and better in one; of equal ones
// the first. Ordered by the first objective, best first.
[[nodiscard]] std::optional<Selected> pareto(const Source& source,
                                             std::span<const Objective> objectives,
                                             std::span<const Budget> budgets,
                                             const RunOptions& options);

// Those within the budgets: the first `limit` of them, with all their metrics.
[[nodiscard]] std::optional<Selected> filter(const Source& source, std::span<const Budget> budgets,
                                             std::optional<std::uint64_t> limit,
                                             const RunOptions& options);

struct Extremes {
  std::uint64_t count = 0;
  std::uint64_t refused = 0;
  std::uint64_t outside_budgets = 0;
  // Of each metric asked for; meaningless where count is 0. Positions are the first such.
  struct OfMetric {
    Ranked minimum;
    Ranked maximum;
    Int128 sum = 0;
    double real_sum = 0;
  };
  std::vector<OfMetric> metrics;
};
[[nodiscard]] std::optional<Extremes> extremes(const Source& source,
                                               std::span<const MetricId> metrics,
                                               std::span<const Budget> budgets,
                                               const RunOptions& options);

}  // namespace netledger
