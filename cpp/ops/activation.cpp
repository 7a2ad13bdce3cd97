// Activations that are not element-wise, or that have weights.
#include "ops/families.h"
#include "ops/layer.h"
#include "ops/rows.h"

namespace netledger {

namespace {

namespace along {
enum Slot { dim };
constexpr AttributeSpec attributes[] = {{"dim", AttributeKind::integer}};
constexpr AttributeSpec glu_attributes[] = {{"dim", AttributeKind::integer, Otherwise::value, -1}};
}  // namespace along

namespace prelu {
enum Slot { num_parameters };
constexpr AttributeSpec attributes[] = {
    {"num_parameters", AttributeKind::integer, Otherwise::value, 1},
};
}  // namespace prelu

void softmax(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(along::dim));
  require_row(layer, rows.length);
  layer.output(layer.input());
  const Coefficients& operations = layer.op().coefficients;
  layer.flops = rows.count * (operations.element * rows.length + operations.result);
}

// The first half times the sigmoid of the second.
void gated_linear_unit(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(along::dim));
  layer.require(rows.length % 2 == 0, "the size {} along dim {} must be even", rows.length,
                rows.dimension);
  Shape y = layer.input();
  y[rows.dimension] = rows.length / 2;
  layer.output(y);
  layer.flops = 2 * y.elements();
}

// A comparison and a product. One slope for all elements, or one per channel.
void parametric_relu(Layer& layer) {
  const Shape& x = layer.input();
  const Quantity slopes = layer.integer(prelu::num_parameters);
  layer.require(slopes > 0, "num_parameters must be positive, got {}", slopes);
  const Quantity channels = x.rank() > 1 ? x[1] : Quantity(1);
  layer.require(either(slopes == 1, slopes == channels),
                "num_parameters must be 1 or the number of channels {}, got {}", channels, slopes);
  layer.output(x);
  layer.parameter({slopes});
  layer.flops = 2 * x.elements();
}

constexpr Op op(std::string_view name, Rule rule, std::span<const AttributeSpec> attributes,
                Coefficients coefficients = {}) {
  return {.name = name,
          .family = "activation",
          .rule = rule,
          .attributes = attributes,
          .coefficients = coefficients};
}

constexpr Op ops[] = {
    // n exponentials, n - 1 additions, n divisions.
    op("softmax", softmax, along::attributes, {.element = 3, .result = -1}),
    // n exponentials, n - 1 additions, a logarithm, n subtractions.
    op("log_softmax", softmax, along::attributes, {.element = 3, .result = 0}),
    // As softmax, of n negated elements.
    op("softmin", softmax, along::attributes, {.element = 4, .result = -1}),
    op("glu", gated_linear_unit, along::glu_attributes),
    op("prelu", parametric_relu, prelu::attributes),
};

}  // namespace

std::span<const Op> activation_ops() { return ops; }

}  // namespace netledger
