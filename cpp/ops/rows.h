// A tensor seen as rows along one of its dimensions.
#pragma once

#include <cstddef>

#include "ops/layer.h"

namespace netledger {

struct Rows {
  std::size_t dimension;
  // Elements of one row.
  Quantity length;
  Quantity count;
};

// The rows of the first input. As in torch, a tensor without dimensions is one row of one element,
// along dimension 0 or -1.
[[nodiscard]] Rows rows_along(Layer& layer, const Quantity& dim);

// Refuses an empty row: the formulas for rows of n elements hold from n = 1.
void require_row(Layer& layer, const Quantity& length);

}  // namespace netledger
