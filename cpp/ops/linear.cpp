// Linear maps and products of tensors.
#include "ops/broadcast.h"
#include "ops/contraction.h"
#include "ops/einsum.h"
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

namespace map {
enum Slot { out_features, bias };
constexpr AttributeSpec attributes[] = {
    {"out_features", AttributeKind::integer},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
};
}  // namespace map

namespace summation {
enum Slot { equation };
constexpr AttributeSpec attributes[] = {
    {"equation", AttributeKind::text},
};
}  // namespace summation

// The number of output features, checked.
Quantity out_features_of(Layer& layer) {
  const Quantity out_features = layer.integer(map::out_features);
  layer.require(out_features >= 0, "out_features must not be negative, got {}", out_features);
  return out_features;
}

void linear(Layer& layer) {
  const Shape& x = layer.input();
  layer.require(x.rank() >= 1, "the input must have at least 1 dimension, (*, in_features)");
  const Quantity in_features = x.last();
  layer.require(in_features > 0, "in_features must be positive, got {}", in_features);
  const Quantity out_features = out_features_of(layer);

  Shape y(x.sizes(0, x.rank() - 1));
  const Quantity rows = y.elements();
  y.append(out_features);
  layer.output(y);
  layer.parameter({out_features, in_features});
  const bool bias = layer.flag(map::bias);
  if (bias) layer.parameter({out_features});
  add_arithmetic(layer, affine_map(rows, in_features, out_features, bias));
}

void bilinear(Layer& layer) {
  const Shape& left = layer.input(0);
  const Shape& right = layer.input(1);
  layer.require(left.rank() == right.rank() && left.rank() >= 1,
                "both inputs must have as many dimensions, at least 1, got {} and {}", left.rank(),
                right.rank());
  Shape y;
  for (std::size_t dimension = 0; dimension + 1 < left.rank(); ++dimension) {
    layer.require(left[dimension] == right[dimension],
                  "the inputs must agree in every size but the last, got {} and {}", left, right);
    y.append(left[dimension]);
  }
  const Quantity in1_features = left.last();
  const Quantity in2_features = right.last();
  layer.require(in1_features > 0, "in1_features must be positive, got {}", in1_features);
  layer.require(in2_features > 0, "in2_features must be positive, got {}", in2_features);
  const Quantity out_features = out_features_of(layer);
  y.append(out_features);
  layer.output(y);
  layer.parameter({out_features, in1_features, in2_features});
  const bool bias = layer.flag(map::bias);
  if (bias) layer.parameter({out_features});

  // An output is x1' W x2: x1' W first, then its dot product with x2.
  const Quantity outputs = y.elements();
  add_arithmetic(layer, dot_products(outputs * in2_features, in1_features));
  add_arithmetic(layer, dot_products(outputs, in2_features));
  layer.flops += bias ? outputs : 0;
}

void matmul(Layer& layer) {
  const Shape& left = layer.input(0);
  const Shape& right = layer.input(1);
  layer.require(left.rank() >= 1 && right.rank() >= 1,
                "both inputs must have at least 1 dimension, got {} and {}", left.rank(),
                right.rank());
  const bool has_rows = left.rank() > 1;
  const bool has_columns = right.rank() > 1;
  const Quantity length = left.last();
  const Quantity right_length = has_columns ? right.last(1) : right.last();
  layer.require(length == right_length,
                "the first input is summed over {} elements but the second over {}", length,
                right_length);
  layer.require(length > 0, "the summed size must be positive, got {}", length);

  const auto batch = [](const Shape& shape) {
    return shape.sizes(0, shape.rank() > 2 ? shape.rank() - 2 : 0);
  };
  Shape y = broadcast(layer, batch(left), batch(right));
  if (has_rows) y.append(left.last(1));
  if (has_columns) y.append(right.last());
  layer.output(y);
  add_arithmetic(layer, dot_products(y.elements(), length));
}

void einsum(Layer& layer) {
  contract_operands(layer, layer.attributes().text(summation::equation));
}

constexpr Op ops[] = {
    {.name = "linear",
     .family = "linear",
     .rule = linear,
     .attributes = map::attributes,
     .contraction = true},
    {.name = "bilinear",
     .family = "linear",
     .rule = bilinear,
     .attributes = map::attributes,
     .minimum_inputs = 2,
     .maximum_inputs = 2,
     .contraction = true},
    {.name = "matmul",
     .family = "linear",
     .rule = matmul,
     .minimum_inputs = 2,
     .maximum_inputs = 2,
     .contraction = true},
    {.name = "einsum",
     .family = "linear",
     .rule = einsum,
     .attributes = summation::attributes,
     .maximum_inputs = any_number,
     .contraction = true},
};

}  // namespace

std::span<const Op> linear_ops() { return ops; }

}  // namespace netledger
