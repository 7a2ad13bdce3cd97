// Convolutions and transposed convolutions in one, two and three spatial dimensions.
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

constexpr std::string_view padding_words[] = {"same", "valid"};
constexpr std::string_view padding_modes[] = {"zeros", "reflect", "replicate", "circular"};

namespace conv {
enum Slot { out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode };
constexpr AttributeSpec attributes[] = {
    {"out_channels", AttributeKind::integer},
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::value, 1},
    {"padding", AttributeKind::integers, Otherwise::value, 0, padding_words},
    {"dilation", AttributeKind::integers, Otherwise::value, 1},
    {"groups", AttributeKind::integer, Otherwise::value, 1},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"padding_mode", AttributeKind::choice, Otherwise::value, 0, padding_modes},
};
}  // namespace conv

namespace conv_transpose {
enum Slot {
  out_channels,
  kernel_size,
  stride,
  padding,
  output_padding,
  groups,
  bias,
  dilation,
};
constexpr AttributeSpec attributes[] = {
    {"out_channels", AttributeKind::integer},
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::value, 1},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"output_padding", AttributeKind::integers, Otherwise::value, 0},
    {"groups", AttributeKind::integer, Otherwise::value, 1},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"dilation", AttributeKind::integers, Otherwise::value, 1},
};
}  // namespace conv_transpose

// The dimension of the channels of (N, C, *) or of an unbatched (C, *).
std::size_t channel_dimension(Layer& layer) {
  const std::size_t rank = layer.input().rank();
  const std::size_t spatial = layer.spatial();
  layer.require(rank == spatial + 1 || rank == spatial + 2,
                "the input must have {} or {} dimensions, (N, C, *) or (C, *), got {}", spatial + 2,
                spatial + 1, rank);
  return rank - spatial - 1;
}

void require_channels(Layer& layer, const Quantity& in_channels, const Quantity& out_channels,
                      const Quantity& groups) {
  layer.require(in_channels > 0, "in_channels must be positive, got {}", in_channels);
  layer.require(out_channels > 0, "out_channels must be positive, got {}", out_channels);
  layer.require(groups > 0, "groups must be positive, got {}", groups);
  layer.require(in_channels % groups == 0, "in_channels {} is not divisible by groups {}",
                in_channels, groups);
  layer.require(out_channels % groups == 0, "out_channels {} is not divisible by groups {}",
                out_channels, groups);
}

void require_window(Layer& layer, const Quantity& kernel, const Quantity& stride,
                    const Quantity& dilation) {
  layer.require(kernel > 0, "kernel_size must be positive, got {}", kernel);
  layer.require(stride > 0, "stride must be positive, got {}", stride);
  layer.require(dilation > 0, "dilation must be positive, got {}", dilation);
}

struct Padding {
  Quantity before;
  Quantity after;
};

// Padding of one spatial dimension: `padding` is a word, one number, one per dimension, or a
// (before, after) pair per dimension.
Padding padding_of(Layer& layer, std::size_t dimension, const Quantity& kernel,
                   const Quantity& stride, const Quantity& dilation) {
  if (layer.attributes().is_word(conv::padding)) {
    if (layer.word(conv::padding) == "valid") return {0, 0};
    layer.require(stride == 1, "padding='same' needs stride 1, got {}", stride);
    const Quantity total = dilation * (kernel - 1);
    return {total / 2, total - total / 2};
  }
  const std::span<const Quantity> given = layer.integers(conv::padding);
  const std::size_t spatial = layer.spatial();
  layer.require(given.size() == 1 || given.size() == spatial || given.size() == 2 * spatial,
                "padding must have 1, {} or {} entries, got {}", spatial, 2 * spatial, given);
  Padding padding{given[0], given[0]};
  if (given.size() == 2 * spatial) {
    padding = {given[2 * dimension], given[2 * dimension + 1]};
  } else if (given.size() == spatial) {
    padding = {given[dimension], given[dimension]};
  }
  layer.require(padding.before >= 0, "padding must not be negative, got {}", padding.before);
  layer.require(padding.after >= 0, "padding must not be negative, got {}", padding.after);
  return padding;
}

void convolution(Layer& layer) {
  const Shape& x = layer.input();
  const std::size_t channel = channel_dimension(layer);
  const Quantity in_channels = x[channel];
  const Quantity out_channels = layer.integer(conv::out_channels);
  const Quantity groups = layer.integer(conv::groups);
  require_channels(layer, in_channels, out_channels, groups);

  const Spatial kernel = layer.per_dimension(conv::kernel_size);
  const Spatial stride = layer.per_dimension(conv::stride);
  const Spatial dilation = layer.per_dimension(conv::dilation);

  Shape y(x.sizes(0, channel));
  y.append(out_channels);
  Shape weight{out_channels, in_channels / groups};
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    require_window(layer, kernel[d], stride[d], dilation[d]);
    const Padding padding = padding_of(layer, d, kernel[d], stride[d], dilation[d]);
    const Quantity padded = x[channel + 1 + d] + padding.before + padding.after;
    const Quantity reach = dilation[d] * (kernel[d] - 1) + 1;
    layer.require(reach <= padded,
                  "the kernel reaches over {} elements but the padded input has only {}", reach,
                  padded);
    y.append((padded - reach) / stride[d] + 1);
    weight.append(kernel[d]);
  }
  layer.output(y);
  layer.parameter(weight);
  const bool bias = layer.flag(conv::bias);
  if (bias) layer.parameter({out_channels});

  const Quantity outputs = y.elements();
  const Quantity products = in_channels / groups * product(weight.sizes(2, weight.rank()));
  layer.macs = outputs * products;
  layer.flops = outputs * (2 * products - 1 + (bias ? 1 : 0));
}

void transposed_convolution(Layer& layer) {
  using namespace conv_transpose;
  const Shape& x = layer.input();
  const std::size_t channel = channel_dimension(layer);
  const Quantity in_channels = x[channel];
  const Quantity channels = layer.integer(out_channels);
  require_channels(layer, in_channels, channels, layer.integer(groups));

  const Spatial kernel = layer.per_dimension(kernel_size);
  const Spatial strides = layer.per_dimension(stride);
  const Spatial paddings = layer.per_dimension(padding);
  const Spatial output_paddings = layer.per_dimension(output_padding);
  const Spatial dilations = layer.per_dimension(dilation);

  Shape y(x.sizes(0, channel));
  y.append(channels);
  Shape weight{in_channels, channels / layer.integer(groups)};
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    require_window(layer, kernel[d], strides[d], dilations[d]);
    layer.require(paddings[d] >= 0, "padding must not be negative, got {}", paddings[d]);
    layer.require(output_paddings[d] >= 0, "output_padding must not be negative, got {}",
                  output_paddings[d]);
    layer.require(output_paddings[d] < maximum(strides[d], dilations[d]),
                  "output_padding {} must be smaller than stride {} or dilation {}",
                  output_paddings[d], strides[d], dilations[d]);
    const Quantity size = x[channel + 1 + d];
    layer.require(size > 0, "every input size must be positive, got {}", size);
    const Quantity out = (size - 1) * strides[d] - 2 * paddings[d] +
                         dilations[d] * (kernel[d] - 1) + output_paddings[d] + 1;
    layer.require(out > 0, "the padding {} leaves no output: its size would be {}", paddings[d],
                  out);
    y.append(out);
    weight.append(kernel[d]);
  }
  layer.output(y);
  layer.parameter(weight);
  const bool has_bias = layer.flag(bias);
  if (has_bias) layer.parameter({channels});

  // Every input element is multiplied with its kernel and the products are added into an output
  // that starts at zero: one addition for each product.
  layer.macs = x.elements() * product(weight.sizes(1, weight.rank()));
  layer.flops = 2 * layer.macs + (has_bias ? y.elements() : 0);
}

constexpr Op op(std::string_view name, std::size_t spatial) {
  return {.name = name,
          .family = "convolution",
          .rule = convolution,
          .attributes = conv::attributes,
          .spatial = spatial,
          .contraction = true};
}

constexpr Op transposed_op(std::string_view name, std::size_t spatial) {
  return {.name = name,
          .family = "convolution",
          .rule = transposed_convolution,
          .attributes = conv_transpose::attributes,
          .spatial = spatial,
          .contraction = true};
}

constexpr Op ops[] = {
    op("conv1d", 1),
    op("conv2d", 2),
    op("conv3d", 3),
    transposed_op("conv_transpose1d", 1),
    transposed_op("conv_transpose2d", 2),
    transposed_op("conv_transpose3d", 3),
};

}  // namespace

std::span<const Op> convolution_ops() { return ops; }

}  // namespace netledger
