// The arithmetic of contractions: everything that multiplies and sums comes down to dot products.
#pragma once

#include "ops/layer.h"

namespace netledger {

struct Arithmetic {
  Quantity macs = 0;
  Quantity flops = 0;
};

// Counts a part of a layer; the parts of a layer add up.
inline void add_arithmetic(Layer& layer, const Arithmetic& part) {
  layer.macs += part.macs;
  layer.flops += part.flops;
}

// Dot products of `length` terms, at least one: a product for each term, and an addition less.
[[nodiscard]] inline Arithmetic dot_products(const Quantity& outputs, const Quantity& length) {
  return {.macs = outputs * length, .flops = outputs * (2 * length - 1)};
}

// An affine map of `rows` vectors: a dot product for each output, and an addition for its bias.
[[nodiscard]] inline Arithmetic affine_map(const Quantity& rows, const Quantity& in_features,
                                           const Quantity& out_features, bool bias) {
  const Quantity outputs = rows * out_features;
  return {.macs = outputs * in_features, .flops = outputs * (2 * in_features - 1 + (bias ? 1 : 0))};
}

}  // namespace netledger
