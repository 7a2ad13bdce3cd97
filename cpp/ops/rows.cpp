#include "ops/rows.h"

#include <algorithm>

namespace netledger {

Rows rows_along(Layer& layer, const Quantity& dim) {
  const Shape& x = layer.input();
  Rows rows{.dimension = layer.dimension(dim, std::max<std::size_t>(x.rank(), 1)),
            .length = 1,
            .count = 1};
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (d == rows.dimension) {
      rows.length = x[d];
    } else {
      rows.count *= x[d];
    }
  }
  return rows;
}

void require_row(Layer& layer, const Quantity& length) {
  layer.require(length > 0,
                "there must be at least one element along the reduced dimensions, got {}", length);
}

}  // namespace netledger
