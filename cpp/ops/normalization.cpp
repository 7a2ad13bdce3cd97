// Normalizations: batch, layer, group, instance, root mean square, local response.
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

// batch_norm and instance_norm take the same attributes, with other defaults.
namespace channels {
enum Slot { affine, track_running_stats };
constexpr AttributeSpec batch_attributes[] = {
    {"affine", AttributeKind::flag, Otherwise::value, 1},
    {"track_running_stats", AttributeKind::flag, Otherwise::value, 1},
};
constexpr AttributeSpec instance_attributes[] = {
    {"affine", AttributeKind::flag, Otherwise::value, 0},
    {"track_running_stats", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace channels

namespace group {
enum Slot { num_groups, affine };
constexpr AttributeSpec attributes[] = {
    {"num_groups", AttributeKind::integer},
    {"affine", AttributeKind::flag, Otherwise::value, 1},
};
}  // namespace group

namespace trailing {
enum Slot { normalized_shape, elementwise_affine, bias };
constexpr AttributeSpec attributes[] = {
    {"normalized_shape", AttributeKind::integers},
    {"elementwise_affine", AttributeKind::flag, Otherwise::value, 1},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
};
}  // namespace trailing

namespace response {
enum Slot { size };
constexpr AttributeSpec attributes[] = {{"size", AttributeKind::integer}};
}  // namespace response

void require_channels(Layer& layer) {
  layer.require(layer.input().rank() >= 2,
                "the input must have at least 2 dimensions, (N, C, *), got {}",
                layer.input().rank());
  layer.require(layer.input()[1] > 0, "the number of channels must be positive, got {}",
                layer.input()[1]);
}

// In the order of torch's state_dict: the counter num_batches_tracked, which inference does not
// read, comes last.
void own_weights(Layer& layer, const Quantity& channel_count, bool affine, bool running) {
  if (affine) {
    layer.parameter({channel_count});
    layer.parameter({channel_count});
  }
  if (running) {
    layer.buffer({channel_count});
    layer.buffer({channel_count});
    layer.unread_buffer(Shape());
  }
}

// Rows of n elements are centered and divided by their standard deviation: n operations for the
// mean, n subtractions, 2n for the variance, 2 for epsilon and the root, n divisions. Then each
// element is scaled and shifted by the weights there are.
Quantity standardized(const Quantity& rows, const Quantity& n, int weights) {
  return rows * ((5 + weights) * n + 2);
}

// With running statistics, inference is one multiplication and one addition per element, whose
// coefficients do not depend on the input.
Quantity scaled_and_shifted(const Shape& x) { return 2 * x.elements(); }

void batch_norm(Layer& layer) {
  using namespace channels;
  const Shape& x = layer.input();
  require_channels(layer);
  const bool running = layer.flag(track_running_stats);
  layer.output(x);
  own_weights(layer, x[1], layer.flag(affine), running);
  if (running) {
    layer.flops = scaled_and_shifted(x);
    return;
  }
  const Quantity n = x[0] * product(x.sizes(2, x.rank()));
  layer.require(n > 1, "the statistics of a channel need more than one value, got {}", n);
  layer.flops = standardized(x[1], n, layer.flag(affine) ? 2 : 0);
}

void instance_norm(Layer& layer) {
  using namespace channels;
  const Shape& x = layer.input();
  require_channels(layer);
  const bool running = layer.flag(track_running_stats);
  layer.output(x);
  own_weights(layer, x[1], layer.flag(affine), running);
  if (running) {
    layer.flops = scaled_and_shifted(x);
    return;
  }
  const Quantity n = product(x.sizes(2, x.rank()));
  layer.require(n > 1, "the statistics of a channel need more than one value, got {}", n);
  layer.flops = standardized(x[0] * x[1], n, layer.flag(affine) ? 2 : 0);
}

void group_norm(Layer& layer) {
  using namespace group;
  const Shape& x = layer.input();
  require_channels(layer);
  const Quantity groups = layer.integer(num_groups);
  layer.require(groups > 0, "num_groups must be positive, got {}", groups);
  layer.require(x[1] % groups == 0, "the {} channels are not divisible by num_groups {}", x[1],
                groups);
  const Quantity n = x[1] / groups * product(x.sizes(2, x.rank()));
  layer.require(n > 0, "the statistics of a group need a value, got {}", n);
  layer.require(negation(x[0] * n == 1),
                "the statistics of a group need more than one value in the batch, got 1");
  layer.output(x);
  own_weights(layer, x[1], layer.flag(affine), false);
  layer.flops = standardized(x[0] * groups, n, layer.flag(affine) ? 2 : 0);
}

// The rows that layer_norm and rms_norm normalize: all elements of the last dimensions.
struct TrailingRows {
  Shape shape;
  Quantity length;
  Quantity count;
};

TrailingRows trailing_rows(Layer& layer) {
  using namespace trailing;
  const Shape& x = layer.input();
  const Shape shape(layer.integers(normalized_shape));
  layer.require(shape.rank() > 0, "normalized_shape must not be empty");
  layer.require(shape.rank() <= x.rank(),
                "normalized_shape {} has more dimensions than the input, {}", shape, x.rank());
  const std::size_t first = x.rank() - shape.rank();
  for (std::size_t d = 0; d < shape.rank(); ++d) {
    layer.require(x[first + d] == shape[d],
                  "the input must end in normalized_shape {}, got {} in dimension {}", shape,
                  x[first + d], first + d);
  }
  const Quantity length = shape.elements();
  layer.require(length > 0, "normalized_shape {} holds no element", shape);
  return {.shape = shape, .length = length, .count = product(x.sizes(0, first))};
}

void layer_norm(Layer& layer) {
  using namespace trailing;
  const TrailingRows rows = trailing_rows(layer);
  const bool weight = layer.flag(elementwise_affine);
  const bool shift = weight && layer.flag(bias);
  layer.output(layer.input());
  if (weight) layer.parameter(rows.shape);
  if (shift) layer.parameter(rows.shape);
  layer.flops = standardized(rows.count, rows.length, (weight ? 1 : 0) + (shift ? 1 : 0));
}

// Nothing is centered: per row of n, 2n operations for the mean of the squares, 2 for epsilon and
// the root, n divisions.
void rms_norm(Layer& layer) {
  using namespace trailing;
  const TrailingRows rows = trailing_rows(layer);
  const bool weight = layer.flag(elementwise_affine);
  layer.output(layer.input());
  if (weight) layer.parameter(rows.shape);
  layer.flops = rows.count * ((weight ? 4 : 3) * rows.length + 2);
}

// x / (k + alpha * mean of the squares of `size` channels)^beta.
void local_response_norm(Layer& layer) {
  const Shape& x = layer.input();
  const Quantity size = layer.integer(response::size);
  layer.require(x.rank() >= 3, "the input must have at least 3 dimensions, (N, C, *), got {}",
                x.rank());
  layer.require(size > 0, "size must be positive, got {}", size);
  layer.output(x);
  layer.flops = x.elements() * (size + 5);
}

constexpr Op op(std::string_view name, Rule rule, std::span<const AttributeSpec> attributes) {
  return {.name = name, .family = "normalization", .rule = rule, .attributes = attributes};
}

constexpr Op ops[] = {
    op("batch_norm", batch_norm, channels::batch_attributes),
    op("layer_norm", layer_norm, trailing::attributes),
    op("group_norm", group_norm, group::attributes),
    op("instance_norm", instance_norm, channels::instance_attributes),
    op("rms_norm", rms_norm, std::span(trailing::attributes).first(trailing::bias)),
    op("local_response_norm", local_response_norm, response::attributes),
};

}  // namespace

std::span<const Op> normalization_ops() { return ops; }

}  // namespace netledger
