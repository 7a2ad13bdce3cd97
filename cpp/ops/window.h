// Windows that adaptive pooling lays over a dimension.
#pragma once

#include "quantity/quantity.h"

namespace netledger {

// Sum of the sizes of the windows that adaptive pooling cuts a dimension into. Window i reaches
// from floor(i * size / windows) to ceil((i + 1) * size / windows), end left out, so neighbours
// share one element wherever the boundary between them is not a whole number.
[[nodiscard]] inline Quantity adaptive_window_total(const Quantity& size, const Quantity& windows) {
  return size + windows - greatest_common_divisor(size, windows);
}

}  // namespace netledger
