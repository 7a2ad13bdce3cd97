// Broadcasting: the common shape of tensors of different shapes, as in torch and numpy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "graph/shape.h"
#include "ops/layer.h"

namespace netledger {

// Whether two sizes have a common one: they are equal, or one of them is 1.
[[nodiscard]] inline Condition broadcasts(const Quantity& left, const Quantity& right) {
  if (left.same_as(right) || left.is(1) || right.is(1)) return true;
  return either(left == right, either(left == 1, right == 1));
}

// The common size of two sizes that broadcast.
[[nodiscard]] inline Quantity broadcast_size(const Quantity& left, const Quantity& right) {
  // A constant other than 1 leaves the other size no choice but 1 or the same.
  if (right.is(1)) return left;
  if (left.is(1)) return right;
  if (left.is_constant()) return left;
  if (right.is_constant()) return right;
  return select(left == 1, right, left);
}

// The common shape of two shapes, aligned at their last dimensions.
[[nodiscard]] inline Shape broadcast(Layer& layer, std::span<const Quantity> left,
                                     std::span<const Quantity> right) {
  const std::size_t rank = std::max(left.size(), right.size());
  const auto padded = [rank](std::span<const Quantity> sizes, std::size_t d) {
    const std::size_t missing = rank - sizes.size();
    return d < missing ? Quantity(1) : sizes[d - missing];
  };
  Shape common;
  for (std::size_t d = 0; d < rank; ++d) {
    const Quantity a = padded(left, d);
    const Quantity b = padded(right, d);
    layer.require(broadcasts(a, b), "sizes {} and {} do not broadcast", left, right);
    common.append(broadcast_size(a, b));
  }
  return common;
}

}  // namespace netledger
