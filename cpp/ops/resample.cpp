// Layers that compute a tensor's values at other positions of its grid.
#include <array>
#include <cstddef>
#include <span>

#include "ops/families.h"
#include "ops/layer.h"
#include "ops/window.h"

namespace netledger {

namespace {

constexpr std::string_view interpolate_modes[] = {
    "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"};
constexpr std::string_view grid_sample_modes[] = {"bilinear", "nearest", "bicubic"};
constexpr std::string_view padding_modes[] = {"zeros", "border", "reflection"};

constexpr AttributeSpec interpolate_attributes[] = {
    {"size", AttributeKind::integers},
    {"mode", AttributeKind::choice, Otherwise::value, 0, interpolate_modes},
    {"align_corners", AttributeKind::flag, Otherwise::value, 0},
};
constexpr AttributeSpec grid_sample_attributes[] = {
    {"mode", AttributeKind::choice, Otherwise::value, 0, grid_sample_modes},
    {"padding_mode", AttributeKind::choice, Otherwise::value, 0, padding_modes},
    {"align_corners", AttributeKind::flag, Otherwise::value, 0},
};

// How many spatial dimensions a mode of interpolate is for, and of how many elements each output
// is the weighted sum. The other modes are for any number and weigh nothing.
struct WeightedMode {
  std::string_view name;
  std::size_t spatial;
  std::int64_t taps;
};
constexpr WeightedMode weighted_modes[] = {
    {"linear", 1, 2}, {"bilinear", 2, 4}, {"trilinear", 3, 8}, {"bicubic", 2, 16}};

// Operations of outputs that are weighted sums of so many elements each; no taps, no operations.
Quantity weighted_sum(const Quantity& outputs, std::int64_t taps) {
  return taps > 0 ? outputs * (2 * taps - 1) : 0;
}

void interpolate(Layer& layer) {
  enum Slot { size, mode, align_corners };
  const Shape& x = layer.input();
  layer.require(x.rank() >= 3 && x.rank() <= 5,
                "the input must have 3, 4 or 5 dimensions, (N, C, *), got {}", x.rank());
  const std::size_t spatial = x.rank() - 2;
  const std::string_view name = layer.word(mode);
  WeightedMode used{name, spatial, 0};
  for (const WeightedMode& weighted : weighted_modes) {
    if (weighted.name == name) used = weighted;
  }
  layer.require(spatial == used.spatial, "mode '{}' is for {} spatial dimensions, the input has {}",
                name, used.spatial, spatial);
  layer.require(used.taps > 0 || !layer.flag(align_corners),
                "align_corners is for weighted modes, not for '{}'", name);
  const std::span<const Quantity> sizes = layer.integers(size);
  layer.require(sizes.size() == 1 || sizes.size() == spatial,
                "size must have 1 or {} entries, got {}", spatial, sizes);
  for (const Quantity& n : x.sizes(1, x.rank())) {
    layer.require(n > 0, "every size but the batch must be positive, got {}", x);
  }
  Shape y(x.sizes(0, 2));
  Quantity windows = 1;
  for (std::size_t d = 0; d < spatial; ++d) {
    const Quantity m = sizes.size() == 1 ? sizes[0] : sizes[d];
    layer.require(m > 0, "size must be positive, got {}", m);
    windows *= adaptive_window_total(x[2 + d], m);
    y.append(m);
  }
  layer.output(y);
  layer.flops = name == "area" ? x[0] * x[1] * windows : weighted_sum(y.elements(), used.taps);
}

void grid_sample(Layer& layer) {
  enum Slot { mode };
  const Shape& x = layer.input();
  const Shape& grid = layer.input(1);
  layer.require(x.rank() == 4 || x.rank() == 5,
                "the input must have 4 or 5 dimensions, (N, C, H, W) or (N, C, D, H, W), got {}",
                x.rank());
  const std::size_t spatial = x.rank() - 2;
  layer.require(grid.rank() == x.rank(),
                "the grid must have as many dimensions as the input, {}, got {}", x.rank(),
                grid.rank());
  const std::string_view name = layer.word(mode);
  layer.require(name != "bicubic" || spatial == 2,
                "mode 'bicubic' is for 2 spatial dimensions, the input has {}", spatial);
  layer.require(grid[0] == x[0], "the grid must have the batch size {}, got {}", x[0], grid[0]);
  layer.require(grid.last() == static_cast<std::int64_t>(spatial),
                "the grid must have {} coordinates in its last dimension, got {}", spatial,
                grid.last());
  for (const Quantity& size : x.sizes(2, x.rank())) {
    layer.require(size > 0, "every spatial size must be positive, got {}", size);
  }
  Shape y(x.sizes(0, 2));
  for (const Quantity& size : grid.sizes(1, grid.rank() - 1)) y.append(size);
  layer.output(y);
  std::int64_t taps = 0;
  if (name == "bilinear") taps = spatial == 2 ? 4 : 8;
  if (name == "bicubic") taps = 16;
  layer.flops = weighted_sum(y.elements(), taps);
}

constexpr Op ops[] = {
    {.name = "interpolate",
     .family = "resample",
     .rule = interpolate,
     .attributes = interpolate_attributes},
    {.name = "grid_sample",
     .family = "resample",
     .rule = grid_sample,
     .attributes = grid_sample_attributes,
     .minimum_inputs = 2,
     .maximum_inputs = 2},
};

}  // namespace

std::span<const Op> resample_ops() { return ops; }

}  // namespace netledger
