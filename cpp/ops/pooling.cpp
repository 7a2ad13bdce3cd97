// Pooling in one, two and three spatial dimensions, and max unpooling.
#include "ops/families.h"
#include "ops/layer.h"
#include "ops/window.h"

namespace netledger {

namespace {

namespace max_pool {
enum Slot { kernel_size, stride, padding, dilation, ceil_mode, return_indices };
constexpr AttributeSpec attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::none},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"dilation", AttributeKind::integers, Otherwise::value, 1},
    {"ceil_mode", AttributeKind::flag, Otherwise::value, 0},
    {"return_indices", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace max_pool

namespace avg_pool {
enum Slot { kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override };
constexpr AttributeSpec attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::none},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"ceil_mode", AttributeKind::flag, Otherwise::value, 0},
    {"count_include_pad", AttributeKind::flag, Otherwise::value, 1},
    {"divisor_override", AttributeKind::integer, Otherwise::none},
};
}  // namespace avg_pool

namespace lp_pool {
enum Slot { kernel_size, stride, ceil_mode };
constexpr AttributeSpec attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::none},
    {"ceil_mode", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace lp_pool

namespace adaptive_pool {
enum Slot { output_size, return_indices };
constexpr AttributeSpec attributes[] = {
    {"output_size", AttributeKind::integers},
    {"return_indices", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace adaptive_pool

namespace fractional_pool {
enum Slot { kernel_size, output_size, return_indices };
constexpr AttributeSpec attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"output_size", AttributeKind::integers},
    {"return_indices", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace fractional_pool

namespace max_unpool {
enum Slot { kernel_size, stride, padding, output_size };
constexpr AttributeSpec attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"stride", AttributeKind::integers, Otherwise::none},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"output_size", AttributeKind::integers, Otherwise::none},
};
}  // namespace max_unpool

// The dimension of the channels of (N, C, *) or of an unbatched (C, *).
std::size_t channel_dimension(Layer& layer) {
  const Shape& x = layer.input();
  const std::size_t rank = x.rank();
  const std::size_t spatial = layer.spatial();
  layer.require(rank == spatial + 1 || rank == spatial + 2,
                "the input must have {} or {} dimensions, (N, C, *) or (C, *), got {}", spatial + 2,
                spatial + 1, rank);
  const std::size_t channel = rank - spatial - 1;
  for (std::size_t d = channel; d < rank; ++d) {
    layer.require(x[d] > 0, "every size but the batch must be positive, got {}", x[d]);
  }
  return channel;
}

Spatial all(std::int64_t value) { return {value, value, value}; }

// A stride that is left out is the kernel size.
Spatial stride_of(Layer& layer, std::size_t slot, const Spatial& kernel) {
  return layer.given(slot) ? layer.per_dimension(slot) : kernel;
}

struct Windows {
  Spatial kernel;
  Spatial stride;
  Spatial padding;
  Spatial dilation;
  bool ceil_mode;
};

// How many windows there are along one dimension: those that fit, and with ceil_mode one more that
// reaches beyond the end, if it starts inside the input or the padding before it.
Quantity window_count(Layer& layer, const Quantity& size, const Windows& windows, std::size_t d) {
  const Quantity& kernel = windows.kernel[d];
  const Quantity& stride = windows.stride[d];
  const Quantity& padding = windows.padding[d];
  const Quantity& dilation = windows.dilation[d];
  layer.require(kernel > 0, "kernel_size must be positive, got {}", kernel);
  layer.require(stride > 0, "stride must be positive, got {}", stride);
  layer.require(dilation > 0, "dilation must be positive, got {}", dilation);
  layer.require(padding >= 0, "padding must not be negative, got {}", padding);
  layer.require(2 * padding <= kernel, "padding {} must be at most half of kernel_size {}", padding,
                kernel);
  const Quantity padded = size + 2 * padding;
  const Quantity reach = dilation * (kernel - 1) + 1;
  Quantity count = 0;
  if (windows.ceil_mode) {
    count = ceil_divide(padded - reach, stride) + 1;
    count -= ((count - 1) * stride >= size + padding).truth();
  } else {
    count = (padded - reach) / stride + 1;
  }
  layer.require(count > 0, "the kernel reaches over {} elements but the padded input has only {}",
                reach, padded);
  return count;
}

// Operations for one output, worked out from the elements of its window.
Quantity window_operations(Layer& layer, const Spatial& kernel) {
  const Coefficients& operations = layer.op().coefficients;
  const Quantity elements = product(std::span(kernel).first(layer.spatial()));
  return operations.element * elements + operations.result;
}

void pool(Layer& layer, std::size_t channel, const Windows& windows, std::size_t outputs = 1) {
  const Shape& x = layer.input();
  Shape y(x.sizes(0, channel + 1));
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    y.append(window_count(layer, x[channel + 1 + d], windows, d));
  }
  for (std::size_t output = 0; output < outputs; ++output) layer.output(y);
  layer.flops = y.elements() * window_operations(layer, windows.kernel);
}

void max_pooling(Layer& layer) {
  using namespace max_pool;
  const std::size_t channel = channel_dimension(layer);
  const Spatial kernel = layer.per_dimension(kernel_size);
  const Windows windows{.kernel = kernel,
                        .stride = stride_of(layer, stride, kernel),
                        .padding = layer.per_dimension(padding),
                        .dilation = layer.per_dimension(dilation),
                        .ceil_mode = layer.flag(ceil_mode)};
  pool(layer, channel, windows, layer.flag(return_indices) ? 2 : 1);
}

// Averages in three dimensions, unlike those in one and two, refuse an input smaller than the
// kernel even if padding makes up for it.
void require_covered(Layer& layer, std::size_t channel, const Spatial& kernel) {
  if (layer.spatial() != 3) return;
  for (std::size_t d = 0; d < 3; ++d) {
    const Quantity size = layer.input()[channel + 1 + d];
    layer.require(kernel[d] <= size, "kernel_size {} is larger than the input, {}", kernel[d],
                  size);
  }
}

void avg_pooling(Layer& layer) {
  using namespace avg_pool;
  const std::size_t channel = channel_dimension(layer);
  const Spatial kernel = layer.per_dimension(kernel_size);
  const Windows windows{.kernel = kernel,
                        .stride = stride_of(layer, stride, kernel),
                        .padding = layer.per_dimension(padding),
                        .dilation = all(1),
                        .ceil_mode = layer.flag(ceil_mode)};
  if (layer.spatial() > 1 && layer.given(divisor_override)) {
    layer.require(negation(layer.integer(divisor_override) == 0),
                  "divisor_override must not be zero");
  }
  require_covered(layer, channel, kernel);
  pool(layer, channel, windows);
}

void lp_pooling(Layer& layer) {
  using namespace lp_pool;
  const std::size_t channel = channel_dimension(layer);
  const Spatial kernel = layer.per_dimension(kernel_size);
  const Windows windows{.kernel = kernel,
                        .stride = stride_of(layer, stride, kernel),
                        .padding = all(0),
                        .dilation = all(1),
                        .ceil_mode = layer.flag(ceil_mode)};
  require_covered(layer, channel, kernel);
  pool(layer, channel, windows);
}

// Windows in several dimensions hold the product of what they hold in each.
void adaptive(Layer& layer, bool indices) {
  using namespace adaptive_pool;
  const Shape& x = layer.input();
  const std::size_t channel = channel_dimension(layer);
  const Spatial sizes = layer.per_dimension(output_size);
  Shape y(x.sizes(0, channel + 1));
  Quantity window_elements = y.elements();
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    const Quantity size = x[channel + 1 + d];
    layer.require(sizes[d] >= -1,
                  "output_size must not be negative, or -1 to keep the input's size, got {}",
                  sizes[d]);
    const Quantity out = select(sizes[d] == -1, size, sizes[d]);
    y.append(out);
    window_elements *= adaptive_window_total(size, out);
  }
  layer.output(y);
  if (indices) layer.output(y);
  const Coefficients& operations = layer.op().coefficients;
  layer.flops = operations.element * window_elements + operations.result * y.elements();
}

void adaptive_avg_pooling(Layer& layer) { adaptive(layer, false); }

void adaptive_max_pooling(Layer& layer) {
  adaptive(layer, layer.flag(adaptive_pool::return_indices));
}

void fractional_max_pooling(Layer& layer) {
  using namespace fractional_pool;
  const Shape& x = layer.input();
  const std::size_t spatial = layer.spatial();
  const std::size_t channel = channel_dimension(layer);
  const Spatial kernel = layer.per_dimension(kernel_size);
  const Spatial sizes = layer.per_dimension(output_size);
  Shape y(x.sizes(0, channel + 1));
  for (std::size_t d = 0; d < spatial; ++d) {
    const Quantity size = x[channel + 1 + d];
    layer.require(kernel[d] > 0, "kernel_size must be positive, got {}", kernel[d]);
    layer.require(sizes[d] >= 0, "output_size must not be negative, got {}", sizes[d]);
    // In three dimensions torch asks for one element more than the windows reach over.
    const Quantity needed = sizes[d] + kernel[d] - (spatial == 3 ? 0 : 1);
    layer.require(needed <= size,
                  "kernel_size {} and output_size {} need an input of at least {}, got {}",
                  kernel[d], sizes[d], needed, size);
    y.append(sizes[d]);
  }
  layer.output(y);
  if (layer.flag(return_indices)) layer.output(y);
  layer.flops = y.elements() * window_operations(layer, kernel);
}

// torch also takes the sizes of all dimensions; those of batch and channels are unused.
Spatial unpooled_sizes(Layer& layer) {
  using namespace max_unpool;
  const std::span<const Quantity> given = layer.integers(output_size);
  const std::size_t spatial = layer.spatial();
  layer.require(given.size() == 1 || given.size() == spatial || given.size() == spatial + 2,
                "output_size must have 1, {} or {} entries, got {}", spatial, spatial + 2, given);
  Spatial sizes;
  for (std::size_t d = 0; d < spatial; ++d) {
    sizes[d] = given.size() == 1 ? given[0] : given[given.size() - spatial + d];
  }
  return sizes;
}

// Every element is copied to where it came from; the others are zero.
void max_unpooling(Layer& layer) {
  using namespace max_unpool;
  const Shape& x = layer.input();
  const Shape& indices = layer.input(1);
  const std::size_t channel = channel_dimension(layer);
  layer.require(indices.rank() == x.rank(), "the indices must have the input's shape {}, got {}", x,
                indices);
  for (std::size_t d = 0; d < x.rank(); ++d) {
    layer.require(indices[d] == x[d], "the indices must have the input's shape {}, got {}", x,
                  indices);
  }
  const Spatial kernel = layer.per_dimension(kernel_size);
  const Spatial strides = stride_of(layer, stride, kernel);
  const Spatial paddings = layer.per_dimension(padding);
  const bool chosen = layer.given(output_size);
  const Spatial sizes = chosen ? unpooled_sizes(layer) : all(0);
  Shape y(x.sizes(0, channel + 1));
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    layer.require(kernel[d] > 0, "kernel_size must be positive, got {}", kernel[d]);
    layer.require(strides[d] > 0, "stride must be positive, got {}", strides[d]);
    layer.require(paddings[d] >= 0, "padding must not be negative, got {}", paddings[d]);
    const Quantity size = (x[channel + 1 + d] - 1) * strides[d] - 2 * paddings[d] + kernel[d];
    if (chosen) {
      layer.require(both(size - strides[d] < sizes[d], sizes[d] < size + strides[d]),
                    "output_size {} must be more than {} and less than {}", sizes[d],
                    size - strides[d], size + strides[d]);
    }
    const Quantity out = chosen ? sizes[d] : size;
    layer.require(out > 0, "there is no output: its size would be {}", out);
    y.append(out);
  }
  layer.output(y);
}

constexpr Op op(std::string_view name, std::size_t spatial, Rule rule,
                std::span<const AttributeSpec> attributes, Coefficients coefficients,
                std::size_t inputs = 1) {
  return {.name = name,
          .family = "pooling",
          .rule = rule,
          .attributes = attributes,
          .minimum_inputs = inputs,
          .maximum_inputs = inputs,
          .spatial = spatial,
          .coefficients = coefficients};
}

// The maximum of K elements takes K - 1 comparisons; a mean K - 1 additions and a division; a norm
// K powers, K - 1 additions and a root.
constexpr Coefficients maximum_of{.element = 1, .result = -1};
constexpr Coefficients mean_of{.element = 1, .result = 0};
constexpr Coefficients norm_of{.element = 2, .result = 0};

constexpr std::span avg_attributes(avg_pool::attributes);
constexpr std::span adaptive_attributes(adaptive_pool::attributes);

constexpr Op ops[] = {
    op("max_pool1d", 1, max_pooling, max_pool::attributes, maximum_of),
    op("max_pool2d", 2, max_pooling, max_pool::attributes, maximum_of),
    op("max_pool3d", 3, max_pooling, max_pool::attributes, maximum_of),
    op("avg_pool1d", 1, avg_pooling, avg_attributes.first(avg_pool::divisor_override), mean_of),
    op("avg_pool2d", 2, avg_pooling, avg_attributes, mean_of),
    op("avg_pool3d", 3, avg_pooling, avg_attributes, mean_of),
    op("lp_pool1d", 1, lp_pooling, lp_pool::attributes, norm_of),
    op("lp_pool2d", 2, lp_pooling, lp_pool::attributes, norm_of),
    op("lp_pool3d", 3, lp_pooling, lp_pool::attributes, norm_of),
    op("adaptive_avg_pool1d", 1, adaptive_avg_pooling, adaptive_attributes.first(1), mean_of),
    op("adaptive_avg_pool2d", 2, adaptive_avg_pooling, adaptive_attributes.first(1), mean_of),
    op("adaptive_avg_pool3d", 3, adaptive_avg_pooling, adaptive_attributes.first(1), mean_of),
    op("adaptive_max_pool1d", 1, adaptive_max_pooling, adaptive_attributes, maximum_of),
    op("adaptive_max_pool2d", 2, adaptive_max_pooling, adaptive_attributes, maximum_of),
    op("adaptive_max_pool3d", 3, adaptive_max_pooling, adaptive_attributes, maximum_of),
    op("fractional_max_pool2d", 2, fractional_max_pooling, fractional_pool::attributes, maximum_of),
    op("fractional_max_pool3d", 3, fractional_max_pooling, fractional_pool::attributes, maximum_of),
    op("max_unpool1d", 1, max_unpooling, max_unpool::attributes, {}, 2),
    op("max_unpool2d", 2, max_unpooling, max_unpool::attributes, {}, 2),
    op("max_unpool3d", 3, max_unpooling, max_unpool::attributes, {}, 2),
};

}  // namespace

std::span<const Op> pooling_ops() { return ops; }

}  // namespace netledger
