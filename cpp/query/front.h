// Fronts: the configurations of a space that no other is better than in both of two metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "query/cost_counter.h"
#include "query/slices.h"

namespace netledger {

struct FrontPoint {
  // Of the first metric and of the second.
  std::int64_t cost;
  std::int64_t other;
  std::vector<std::uint16_t> codes;
};

// The exact front, by ascending first metric, one configuration for each point. Less is better
// where a metric is not maximised. Throws SpaceError where the fronts on the way need more than
// `memory` bytes.
[[nodiscard]] std::vector<FrontPoint> pareto_front(const Problem& problem, const Slices& slices,
                                                   bool maximise, bool maximise_other,
                                                   std::size_t memory, const Effort& effort);

}  // namespace netledger
