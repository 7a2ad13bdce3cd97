// How many networks within limits each configuration of a part belongs to: the derivative of their
// number by the number of the part's configurations, carried back through the products.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "query/halves.h"

namespace netledger {

template <class Count>
struct PartUse {
  std::size_t part;
  // For each cost of the part, ascending.
  std::vector<std::pair<std::int64_t, Sum<Count>>> ways;
};

// Costs are those of the halves, which are kept.
template <class Count>
[[nodiscard]] std::vector<PartUse<Count>> part_uses(const SliceTables<Counting<Count>>& slice,
                                                    const HalfTables<Counting<Count>>& halves,
                                                    std::int64_t low, std::int64_t high,
                                                    Progress& progress);

}  // namespace netledger
