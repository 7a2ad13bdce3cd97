// What stands in the columns of a refused configuration.
#pragma once

#include <cstddef>
#include <limits>

#include "space/sweep.h"

namespace netledger {

// Writes -1, and NaN, where refusal(row) is not `accepted`, and the refusal itself.
template <class GetRefusal>
void refuse_rows(const CostColumns& costs, std::size_t rows, GetRefusal&& refusal) {
  for (std::size_t row = 0; row < rows; ++row) {
    const Refusal by = refusal(row);
    if (by == accepted) continue;
    for (std::int64_t* const column : costs.metrics) column[row] = -1;
    for (double* const column : costs.reals) {
      column[row] = std::numeric_limits<double>::quiet_NaN();
    }
    if (costs.refusals != nullptr) costs.refusals[row] = by;
  }
}

}  // namespace netledger
