// Layers that rearrange a tensor: views, which move no data, and copies, which move all of it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/broadcast.h"
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

constexpr AttributeSpec any_dim[] = {{"dim", AttributeKind::integer}};
constexpr AttributeSpec first_dim[] = {{"dim", AttributeKind::integer, Otherwise::value, 0}};
constexpr AttributeSpec optional_dim[] = {{"dim", AttributeKind::integer, Otherwise::none}};
constexpr AttributeSpec any_dims[] = {{"dims", AttributeKind::integers}};

void require_rank(Layer& layer, std::size_t rank) {
  layer.require(rank <= Shape::maximum_rank, "a tensor has at most {} dimensions, not {}",
                Shape::maximum_rank, rank);
}

// How many dimensions a dim can name; torch takes a tensor without any for one of one.
std::size_t nameable(const Shape& shape) { return std::max<std::size_t>(shape.rank(), 1); }

// A tensor without dimensions as one of one element, where torch takes it so.
Shape as_vector(const Shape& shape) { return shape.rank() == 0 ? Shape{1} : shape; }

// Dimensions that a sequence lists, each at most once.
struct Dimensions {
  std::array<std::size_t, Shape::maximum_rank> list{};
  std::array<bool, Shape::maximum_rank> named{};
  std::size_t count = 0;

  [[nodiscard]] std::span<const std::size_t> all() const { return {list.data(), count}; }
};

Dimensions distinct(Layer& layer, std::span<const Quantity> dims, std::size_t rank) {
  Dimensions result;
  for (const Quantity& dim : dims) {
    const std::size_t d = layer.dimension(dim, rank);
    layer.require(!result.named[d], "dim {} is listed more than once", d);
    result.named[d] = true;
    result.list[result.count++] = d;
  }
  return result;
}

void append(Shape& shape, std::span<const Quantity> sizes) {
  for (const Quantity& size : sizes) shape.append(size);
}

// The shape with other sizes, none or several, in the place of one.
Shape replaced(const Shape& shape, std::size_t dimension, std::span<const Quantity> sizes) {
  Shape result(shape.sizes(0, dimension));
  append(result, sizes);
  append(result, shape.sizes(dimension + 1, shape.rank()));
  return result;
}

Shape with_size(const Shape& shape, std::size_t dimension, const Quantity& size) {
  Shape result(shape);
  result[dimension] = size;
  return result;
}

// The input's shape, for layers that have no attributes or whose attributes do not matter.
void same_shape(Layer& layer) { layer.output(layer.input()); }

// -- views: nothing is read or written -----------------------------------------------------------

// Sizes for so many elements, with a -1 among them replaced by what the others leave.
Shape resolved(Layer& layer, const Quantity& total, std::span<const Quantity> sizes) {
  std::int64_t open = 0;
  for (const Quantity& size : sizes) {
    if (size.is(-1)) {
      ++open;
    } else {
      layer.require(size >= 0, "a size must not be negative, got {}", size);
    }
  }
  layer.require(open <= 1, "only one size may be -1, got {}", sizes);
  Quantity known = 1;
  for (const Quantity& size : sizes) {
    if (!size.is(-1)) known *= size;
  }
  Shape result(sizes);
  if (open == 0) {
    layer.require(known == total, "{} elements do not make the sizes {}", total, sizes);
    return result;
  }
  layer.require(known > 0, "the size -1 can be anything among the sizes {}, which have a 0", sizes);
  layer.require(total % known == 0, "{} elements do not make the sizes {}", total, sizes);
  for (std::size_t d = 0; d < result.rank(); ++d) {
    if (result[d].is(-1)) result[d] = total / known;
  }
  return result;
}

constexpr AttributeSpec reshape_attributes[] = {{"shape", AttributeKind::integers}};

void reshape(Layer& layer) {
  enum Slot { shape };
  const std::span<const Quantity> sizes = layer.integers(shape);
  require_rank(layer, sizes.size());
  layer.output(resolved(layer, layer.input().elements(), sizes));
}

constexpr AttributeSpec flatten_attributes[] = {
    {"start_dim", AttributeKind::integer, Otherwise::value, 0},
    {"end_dim", AttributeKind::integer, Otherwise::value, -1},
};

void flatten(Layer& layer) {
  enum Slot { start_dim, end_dim };
  const Shape x = as_vector(layer.input());
  const std::size_t start = layer.dimension(layer.integer(start_dim), x.rank());
  const std::size_t end = layer.dimension(layer.integer(end_dim), x.rank());
  layer.require(start <= end, "start_dim {} comes after end_dim {}", start, end);
  Shape y(x.sizes(0, start));
  y.append(product(x.sizes(start, end + 1)));
  append(y, x.sizes(end + 1, x.rank()));
  layer.output(y);
}

constexpr AttributeSpec unflatten_attributes[] = {
    {"dim", AttributeKind::integer},
    {"sizes", AttributeKind::integers},
};

void unflatten(Layer& layer) {
  enum Slot { dim, sizes };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const std::span<const Quantity> given = layer.integers(sizes);
  layer.require(!given.empty(), "sizes must not be empty");
  require_rank(layer, x.rank() - 1 + given.size());
  layer.output(replaced(x, d, resolved(layer, x[d], given).sizes()));
}

void permute(Layer& layer) {
  enum Slot { dims };
  const Shape& x = layer.input();
  const std::span<const Quantity> given = layer.integers(dims);
  layer.require(given.size() == x.rank(), "dims must list each of the {} dimensions once, got {}",
                x.rank(), given);
  Shape y;
  for (const std::size_t d : distinct(layer, given, x.rank()).all()) y.append(x[d]);
  layer.output(y);
}

constexpr AttributeSpec transpose_attributes[] = {
    {"dim0", AttributeKind::integer},
    {"dim1", AttributeKind::integer},
};

void transpose(Layer& layer) {
  enum Slot { dim0, dim1 };
  const Shape& x = layer.input();
  const std::size_t first = layer.dimension(layer.integer(dim0), nameable(x));
  const std::size_t second = layer.dimension(layer.integer(dim1), nameable(x));
  Shape y(x);
  if (x.rank() > 0) {
    y[first] = x[second];
    y[second] = x[first];
  }
  layer.output(y);
}

constexpr AttributeSpec movedim_attributes[] = {
    {"source", AttributeKind::integers},
    {"destination", AttributeKind::integers},
};

void movedim(Layer& layer) {
  enum Slot { source, destination };
  const Shape& x = layer.input();
  layer.require(layer.integers(source).size() == layer.integers(destination).size(),
                "source and destination must have the same number of entries, got {} and {}",
                layer.integers(source), layer.integers(destination));
  const Dimensions sources = distinct(layer, layer.integers(source), nameable(x));
  const Dimensions destinations = distinct(layer, layer.integers(destination), nameable(x));
  std::array<std::size_t, Shape::maximum_rank> moved{};
  for (std::size_t index = 0; index < sources.count; ++index) {
    moved[destinations.list[index]] = sources.list[index];
  }
  Shape y;
  std::size_t other = 0;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (destinations.named[d]) {
      y.append(x[moved[d]]);
    } else {
      while (sources.named[other]) ++other;
      y.append(x[other++]);
    }
  }
  layer.output(y);
}

constexpr AttributeSpec squeeze_attributes[] = {
    {"dim", AttributeKind::integers, Otherwise::none},
};

// Whether a dimension is squeezed away. That decides the rank of the output, so a free size stays,
// and must then never be 1.
bool squeezes(Layer& layer, const Quantity& size) {
  if (size.is_constant()) return size.is(1);
  layer.require(negation(size == 1), "a free size that is squeezed must not be 1");
  return false;
}

void squeeze(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  const bool all = !layer.given(dim);
  const Dimensions dims = distinct(layer, layer.integers(dim), nameable(x));
  Shape y;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (!(all || dims.named[d]) || !squeezes(layer, x[d])) y.append(x[d]);
  }
  layer.output(y);
}

void unsqueeze(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  require_rank(layer, x.rank() + 1);
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank() + 1);
  Shape y(x.sizes(0, d));
  y.append(1);
  append(y, x.sizes(d, x.rank()));
  layer.output(y);
}

constexpr AttributeSpec expand_attributes[] = {{"sizes", AttributeKind::integers}};

void expand(Layer& layer) {
  enum Slot { sizes };
  const Shape& x = layer.input();
  const std::span<const Quantity> given = layer.integers(sizes);
  require_rank(layer, given.size());
  layer.require(given.size() >= x.rank(), "sizes must have at least {} entries, got {}", x.rank(),
                given);
  const std::size_t added = given.size() - x.rank();
  Shape y;
  for (std::size_t d = 0; d < given.size(); ++d) {
    const Quantity size = given[d];
    if (d >= added && size.is(-1)) {
      y.append(x[d - added]);
      continue;
    }
    layer.require(size >= 0, "a size must not be negative, got {}", size);
    if (d >= added) {
      const Quantity old = x[d - added];
      layer.require(either(old == 1, old == size),
                    "a dimension of size {} cannot be expanded to {}", old, size);
    }
    y.append(size);
  }
  layer.output(y);
}

constexpr AttributeSpec slice_attributes[] = {
    {"dim", AttributeKind::integer, Otherwise::value, 0},
    {"start", AttributeKind::integer, Otherwise::value, 0},
    {"end", AttributeKind::integer, Otherwise::none},
    {"step", AttributeKind::integer, Otherwise::value, 1},
};

// A position counted from the end when negative, clamped to the dimension. Clamping comes first:
// the largest integer is a usual end.
Quantity position(const Quantity& given, const Quantity& size) {
  const Quantity within = minimum(maximum(given, 0 - size), size);
  return select(within < 0, within + size, within);
}

void slice(Layer& layer) {
  enum Slot { dim, start, end, step };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const Quantity stride = layer.integer(step);
  layer.require(stride > 0, "step must be positive, got {}", stride);
  const Quantity first = position(layer.integer(start), x[d]);
  const Quantity last = layer.given(end) ? position(layer.integer(end), x[d]) : x[d];
  layer.output(with_size(x, d, ceil_divide(maximum(last - first, 0), stride)));
}

constexpr AttributeSpec select_attributes[] = {
    {"dim", AttributeKind::integer},
    {"index", AttributeKind::integer},
};

void select_position(Layer& layer) {
  enum Slot { dim, index };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const Quantity given = layer.integer(index);
  layer.require(both(0 - x[d] <= given, given < x[d]),
                "index {} is out of range for dimension {} of size {}", given, d, x[d]);
  layer.output(replaced(x, d, {}));
}

constexpr AttributeSpec split_attributes[] = {
    {"sizes", AttributeKind::integers},
    {"dim", AttributeKind::integer, Otherwise::value, 0},
};

void split(Layer& layer) {
  enum Slot { sizes, dim };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const std::span<const Quantity> given = layer.integers(sizes);
  Quantity total = 0;
  for (const Quantity& size : given) {
    layer.require(size >= 0, "a size must not be negative, got {}", size);
  }
  for (const Quantity& size : given) total += size;
  layer.require(total == x[d], "sizes {} do not sum to the {} elements of dimension {}", given,
                x[d], d);
  for (const Quantity& size : given) layer.output(with_size(x, d, size));
}

constexpr AttributeSpec chunk_attributes[] = {
    {"chunks", AttributeKind::integer},
    {"dim", AttributeKind::integer, Otherwise::value, 0},
};

void chunk(Layer& layer) {
  enum Slot { chunks, dim };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const std::int64_t count = layer.fixed(layer.integer(chunks), "chunks");
  layer.require(count > 0, "chunks must be positive, got {}", count);
  const std::int64_t size = layer.fixed(x[d], "the size of a dimension that is cut into chunks");
  const std::int64_t length = checked::ceil_divide(size, count);
  if (length == 0) {
    for (std::int64_t index = 0; index < count; ++index) layer.output(x);
    return;
  }
  for (std::int64_t start = 0; start < size; start += length) {
    layer.output(with_size(x, d, std::min(length, size - start)));
  }
}

void unbind(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  const std::int64_t size = layer.fixed(x[d], "the size of a dimension that is unbound");
  for (std::int64_t index = 0; index < size; ++index) layer.output(replaced(x, d, {}));
}

constexpr AttributeSpec diagonal_attributes[] = {
    {"offset", AttributeKind::integer, Otherwise::value, 0},
    {"dim1", AttributeKind::integer, Otherwise::value, 0},
    {"dim2", AttributeKind::integer, Otherwise::value, 1},
};

void diagonal(Layer& layer) {
  enum Slot { offset, dim1, dim2 };
  const Shape& x = layer.input();
  const std::size_t first = layer.dimension(layer.integer(dim1), x.rank());
  const std::size_t second = layer.dimension(layer.integer(dim2), x.rank());
  layer.require(first != second, "dim1 and dim2 must differ, got {} for both", first);
  const Quantity shift = layer.integer(offset);
  const Quantity length = minimum(x[first] + minimum(shift, 0), x[second] - maximum(shift, 0));
  Shape y;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (d != first && d != second) y.append(x[d]);
  }
  y.append(maximum(length, 0));
  layer.output(y);
}

constexpr AttributeSpec unfold_dimension_attributes[] = {
    {"dimension", AttributeKind::integer},
    {"size", AttributeKind::integer},
    {"step", AttributeKind::integer},
};

void unfold_dimension(Layer& layer) {
  enum Slot { dimension, size, step };
  const Shape& x = layer.input();
  const std::size_t d = layer.dimension(layer.integer(dimension), nameable(x));
  const Quantity length = as_vector(x)[d];
  const Quantity window = layer.integer(size);
  const Quantity stride = layer.integer(step);
  layer.require(window >= 0, "size must not be negative, got {}", window);
  layer.require(window <= length, "a window of {} elements is larger than the dimension of {}",
                window, length);
  layer.require(stride > 0, "step must be positive, got {}", stride);
  require_rank(layer, x.rank() + 1);
  Shape y(x);
  if (x.rank() > 0) y[d] = (length - window) / stride + 1;
  y.append(window);
  layer.output(y);
}

// -- copies: inputs are read and outputs written -------------------------------------------------

void concat(Layer& layer) {
  enum Slot { dim };
  // torch leaves out tensors of shape (0,) among tensors of more dimensions.
  const auto empty = [](const Shape& shape) { return shape.rank() == 1 && shape[0].is(0); };
  std::size_t first = 0;
  while (first + 1 < layer.input_count() && empty(layer.input(first))) ++first;
  const Shape& x = layer.input(first);
  layer.require(x.rank() > 0,
                "tensors without dimensions cannot be concatenated; stack joins them");
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  Quantity total = 0;
  for (std::size_t index = 0; index < layer.input_count(); ++index) {
    const Shape& other = layer.input(index);
    if (empty(other) && x.rank() != 1) continue;
    layer.require(other.rank() == x.rank(),
                  "the tensors must have the same number of dimensions, got {} and {}", x, other);
    for (std::size_t side = 0; side < x.rank(); ++side) {
      if (side == d) continue;
      layer.require(other[side] == x[side],
                    "the sizes must agree outside dimension {}, got {} and {}", d, x, other);
    }
    total += other[d];
  }
  layer.output(with_size(x, d, total));
}

void stack(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  require_rank(layer, x.rank() + 1);
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank() + 1);
  constexpr std::string_view text = "the tensors must have the same shape, got {} and {}";
  for (std::size_t index = 1; index < layer.input_count(); ++index) {
    const Shape& other = layer.input(index);
    layer.require(other.rank() == x.rank(), text, x, other);
    for (std::size_t side = 0; side < x.rank(); ++side) {
      layer.require(other[side] == x[side], text, x, other);
    }
  }
  Shape y(x.sizes(0, d));
  y.append(static_cast<std::int64_t>(layer.input_count()));
  append(y, x.sizes(d, x.rank()));
  layer.output(y);
}

// The sizes times the repeats, aligned at the last dimension.
void output_repeated(Layer& layer, std::span<const Quantity> repeats) {
  const Shape& x = layer.input();
  const std::size_t rank = std::max(x.rank(), repeats.size());
  require_rank(layer, rank);
  for (const Quantity& count : repeats) {
    layer.require(count >= 0, "a number of repeats must not be negative, got {}", count);
  }
  const auto aligned = [rank](std::span<const Quantity> values, std::size_t d) {
    const std::size_t missing = rank - values.size();
    return d < missing ? Quantity(1) : values[d - missing];
  };
  Shape y;
  for (std::size_t d = 0; d < rank; ++d) y.append(aligned(x.sizes(), d) * aligned(repeats, d));
  layer.output(y);
}

constexpr AttributeSpec repeat_attributes[] = {{"repeats", AttributeKind::integers}};

void repeat(Layer& layer) {
  enum Slot { repeats };
  const std::span<const Quantity> given = layer.integers(repeats);
  layer.require(given.size() >= layer.input().rank(),
                "repeats must have at least {} entries, got {}", layer.input().rank(), given);
  output_repeated(layer, given);
}

void tile(Layer& layer) {
  enum Slot { dims };
  output_repeated(layer, layer.integers(dims));
}

constexpr std::string_view pad_modes[] = {"constant", "reflect", "replicate", "circular"};
constexpr AttributeSpec pad_attributes[] = {
    {"padding", AttributeKind::integers},
    {"mode", AttributeKind::choice, Otherwise::value, 0, pad_modes},
};

void pad(Layer& layer) {
  enum Slot { padding, mode };
  const Shape& x = layer.input();
  const std::span<const Quantity> given = layer.integers(padding);
  layer.require(given.size() % 2 == 0,
                "padding must have a (before, after) pair per dimension, got {}", given);
  const std::size_t padded = given.size() / 2;
  const std::size_t rank = x.rank();
  const std::string_view name = layer.word(mode);
  if (name == "constant") {
    layer.require(padded <= rank, "padding is for {} dimensions, the input has {}", padded, rank);
  } else {
    layer.require(
        padded >= 1 && padded <= 3 && (rank == padded + 1 || rank == padded + 2),
        "mode '{}' pads 1, 2 or 3 dimensions of (N, C, *) or (C, *), got padding for {} of {} "
        "dimensions",
        name, padded, rank);
  }
  if (name == "reflect" || name == "replicate") {
    for (const Quantity& size : x.sizes(rank - padded - 1, rank)) {
      layer.require(size > 0, "every size but the batch must be positive, got {}", x);
    }
  }
  Shape y(x);
  for (std::size_t index = 0; index < padded; ++index) {
    const std::size_t d = rank - 1 - index;
    const std::span<const Quantity> pair = given.subspan(2 * index, 2);
    const Quantity size = x[d];
    if (name == "constant") {
      layer.require(size + minimum(pair[0], 0) + minimum(pair[1], 0) >= 0,
                    "padding {} crops more than the {} elements of dimension {}", pair, size, d);
    }
    if (name == "reflect") {
      layer.require(maximum(pair[0], pair[1]) < size,
                    "reflect padding must be smaller than the size {} of dimension {}, got {}",
                    size, d, pair);
    }
    if (name == "circular") {
      layer.require(maximum(pair[0], pair[1]) <= size,
                    "circular padding must not exceed the size {} of dimension {}, got {}", size, d,
                    pair);
    }
    y[d] = size + pair[0] + pair[1];
    const std::int64_t smallest = name == "constant" || name == "circular" ? 0 : 1;
    layer.require(y[d] >= smallest, "padding {} leaves {} elements of dimension {}", pair, y[d], d);
  }
  layer.output(y);
}

constexpr AttributeSpec roll_attributes[] = {
    {"shifts", AttributeKind::integers},
    {"dims", AttributeKind::integers, Otherwise::none},
};

void roll(Layer& layer) {
  enum Slot { shifts, dims };
  const std::span<const Quantity> given = layer.integers(shifts);
  const std::span<const Quantity> along = layer.integers(dims);
  layer.require(!given.empty(), "shifts must not be empty");
  layer.require(given.size() == std::max<std::size_t>(along.size(), 1),
                "shifts and dims must have the same number of entries, got {} and {}", given,
                along);
  for (const Quantity& dim : along) (void)layer.dimension(dim, layer.input().rank());
  layer.output(layer.input());
}

void flip(Layer& layer) {
  enum Slot { dims };
  (void)distinct(layer, layer.integers(dims), nameable(layer.input()));
  layer.output(layer.input());
}

// An image (*, C, H, W) and the factor by which its channels and its sides are exchanged.
struct Exchange {
  std::size_t channel;
  Quantity factor;
};

Exchange exchange(Layer& layer, std::string_view name) {
  enum Slot { factor };
  const std::size_t rank = layer.input().rank();
  layer.require(rank >= 3, "the input must have at least 3 dimensions, (*, C, H, W), got {}", rank);
  const Quantity given = layer.integer(factor);
  layer.require(given > 0, "{} must be positive, got {}", name, given);
  return {rank - 3, given};
}

constexpr AttributeSpec pixel_shuffle_attributes[] = {{"upscale_factor", AttributeKind::integer}};

void pixel_shuffle(Layer& layer) {
  const auto [channel, factor] = exchange(layer, "upscale_factor");
  const Shape& x = layer.input();
  layer.require(x[channel] % (factor * factor) == 0,
                "{} channels are not divisible by the square of upscale_factor {}", x[channel],
                factor);
  Shape y(x.sizes(0, channel));
  y.append(x[channel] / (factor * factor));
  y.append(x[channel + 1] * factor);
  y.append(x[channel + 2] * factor);
  layer.output(y);
}

constexpr AttributeSpec pixel_unshuffle_attributes[] = {
    {"downscale_factor", AttributeKind::integer}};

void pixel_unshuffle(Layer& layer) {
  const auto [channel, factor] = exchange(layer, "downscale_factor");
  const Shape& x = layer.input();
  for (const Quantity& size : x.sizes(channel + 1, x.rank())) {
    layer.require(size % factor == 0, "size {} is not divisible by downscale_factor {}", size,
                  factor);
  }
  Shape y(x.sizes(0, channel));
  y.append(x[channel] * (factor * factor));
  y.append(x[channel + 1] / factor);
  y.append(x[channel + 2] / factor);
  layer.output(y);
}

constexpr AttributeSpec channel_shuffle_attributes[] = {{"groups", AttributeKind::integer}};

void channel_shuffle(Layer& layer) {
  enum Slot { groups };
  const Shape& x = layer.input();
  layer.require(x.rank() >= 3, "the input must have at least 3 dimensions, (N, C, *), got {}",
                x.rank());
  const Quantity given = layer.integer(groups);
  layer.require(given > 0, "groups must be positive, got {}", given);
  layer.require(x[1] % given == 0, "{} channels are not divisible by groups {}", x[1], given);
  layer.output(x);
}

// The elements of a kernel, and how often it fits into two spatial dimensions.
struct Blocks {
  Quantity kernel = 1;
  Quantity count = 1;
};

// The attributes kernel_size, dilation, padding and stride follow each other from slot `first` on.
Blocks blocks_of(Layer& layer, std::span<const Quantity> sizes, std::size_t first) {
  const Spatial kernel = layer.per_dimension(first);
  const Spatial dilation = layer.per_dimension(first + 1);
  const Spatial padding = layer.per_dimension(first + 2);
  const Spatial stride = layer.per_dimension(first + 3);
  Blocks blocks;
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    layer.require(kernel[d] > 0, "kernel_size must be positive, got {}", kernel[d]);
    layer.require(dilation[d] > 0, "dilation must be positive, got {}", dilation[d]);
    layer.require(padding[d] >= 0, "padding must not be negative, got {}", padding[d]);
    layer.require(stride[d] > 0, "stride must be positive, got {}", stride[d]);
    const Quantity padded = sizes[d] + 2 * padding[d];
    const Quantity reach = dilation[d] * (kernel[d] - 1) + 1;
    layer.require(reach <= padded, "the kernel reaches over {} elements but the padded size is {}",
                  reach, padded);
    blocks.kernel *= kernel[d];
    blocks.count *= (padded - reach) / stride[d] + 1;
  }
  return blocks;
}

constexpr AttributeSpec unfold_attributes[] = {
    {"kernel_size", AttributeKind::integers},
    {"dilation", AttributeKind::integers, Otherwise::value, 1},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"stride", AttributeKind::integers, Otherwise::value, 1},
};

void unfold(Layer& layer) {
  enum Slot { kernel_size };
  const Shape& x = layer.input();
  const std::size_t rank = x.rank();
  layer.require(rank == 3 || rank == 4,
                "the input must have 4 or 3 dimensions, (N, C, H, W) or (C, H, W), got {}", rank);
  for (const Quantity& size : x.sizes(rank - 3, rank)) {
    layer.require(size > 0, "every size but the batch must be positive, got {}", x);
  }
  const Blocks blocks = blocks_of(layer, x.sizes(rank - 2, rank), kernel_size);
  Shape y(x.sizes(0, rank - 3));
  y.append(x[rank - 3] * blocks.kernel);
  y.append(blocks.count);
  layer.output(y);
}

constexpr AttributeSpec fold_attributes[] = {
    {"output_size", AttributeKind::integers},
    {"kernel_size", AttributeKind::integers},
    {"dilation", AttributeKind::integers, Otherwise::value, 1},
    {"padding", AttributeKind::integers, Otherwise::value, 0},
    {"stride", AttributeKind::integers, Otherwise::value, 1},
};

void fold(Layer& layer) {
  enum Slot { output_size, kernel_size };
  const Shape& x = layer.input();
  const std::size_t rank = x.rank();
  layer.require(rank == 2 || rank == 3,
                "the input must have 3 or 2 dimensions, (N, C * K, L) or (C * K, L), got {}", rank);
  const Quantity rows = x[rank - 2];
  const Quantity length = x[rank - 1];
  layer.require(both(rows > 0, length > 0), "every size but the batch must be positive, got {}", x);
  const Spatial sizes = layer.per_dimension(output_size);
  for (std::size_t d = 0; d < layer.spatial(); ++d) {
    layer.require(sizes[d] > 0, "output_size must be positive, got {}", sizes[d]);
  }
  const Blocks blocks = blocks_of(layer, sizes, kernel_size);
  layer.require(rows % blocks.kernel == 0, "{} rows are not divisible by the kernel's {} elements",
                rows, blocks.kernel);
  layer.require(blocks.count == length,
                "the kernel has {} positions in the output, the input has {}", blocks.count,
                length);
  Shape y(x.sizes(0, rank - 2));
  y.append(rows / blocks.kernel);
  for (std::size_t d = 0; d < layer.spatial(); ++d) y.append(sizes[d]);
  layer.output(y);
  // Every element is added into an output that starts at zero.
  layer.flops = x.elements();
}

// An index reaches no further than another tensor, in every dimension but a free one.
void require_within(Layer& layer, const Shape& index, const Shape& other, std::string_view name,
                    std::size_t free) {
  layer.require(index.rank() == other.rank(),
                "the index must have as many dimensions as the {}, got {} and {}", name, index,
                other);
  for (std::size_t d = 0; d < index.rank(); ++d) {
    if (d == free) continue;
    layer.require(either(index[d] <= other[d], index.elements() == 0),
                  "the index must not be larger than the {} in dimension {}, got {} and {}", name,
                  d, index, other);
  }
}

// Nothing can be picked out of nothing.
void require_source(Layer& layer, const Quantity& positions, const Quantity& size) {
  layer.require(either(positions == 0, size > 0),
                "{} positions are picked from a dimension of size 0", positions);
}

void gather(Layer& layer) {
  enum Slot { dim };
  const Shape x = as_vector(layer.input());
  const Shape& index = layer.input(1);
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  require_within(layer, as_vector(index), x, "input", d);
  require_source(layer, index.elements(), x[d]);
  layer.output(index);
  layer.input_reads = index.elements();
}

void index_select(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  const Shape& index = layer.input(1);
  const std::size_t d = layer.dimension(layer.integer(dim), nameable(x));
  layer.require(index.rank() <= 1, "the index must have 1 dimension, got {}", index);
  const Quantity count = index.elements();
  if (x.rank() == 0) {
    layer.require(count == 1, "a tensor without dimensions takes one index, got {}", count);
    layer.output(x);
    layer.input_reads = 1;
    return;
  }
  require_source(layer, count, x[d]);
  const Shape y = with_size(x, d, count);
  layer.output(y);
  layer.input_reads = y.elements();
}

void take_along_dim(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  const Shape& index = layer.input(1);
  const Quantity positions = index.elements();
  if (!layer.given(dim)) {
    require_source(layer, positions, x.elements());
    layer.output({positions});
    layer.input_reads = positions;
    return;
  }
  layer.require(x.rank() == index.rank(),
                "the index must have as many dimensions as the input, got {} and {}", index, x);
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  require_source(layer, positions, x[d]);
  const std::size_t rank = x.rank();
  Shape y = broadcast(layer, x.sizes(0, d), index.sizes(0, d));
  y.append(index[d]);
  append(y, broadcast(layer, x.sizes(d + 1, rank), index.sizes(d + 1, rank)).sizes());
  layer.output(y);
  layer.input_reads = y.elements();
}

void index(Layer& layer) {
  enum Slot { dims };
  const Shape& x = layer.input();
  const std::span<const Quantity> given = layer.integers(dims);
  const Dimensions listed = distinct(layer, given, x.rank());
  const std::size_t tensors = layer.input_count() - 1;
  layer.require(tensors == listed.count && tensors > 0,
                "dims must list one dimension for each of the {} index tensors, got {}", tensors,
                given);
  Shape common;
  for (std::size_t tensor = 0; tensor < tensors; ++tensor) {
    common = broadcast(layer, common.sizes(), layer.input(tensor + 1).sizes());
  }
  for (const std::size_t d : listed.all()) require_source(layer, common.elements(), x[d]);
  const auto [low, high] = std::ranges::minmax(listed.all());
  // The common shape stands where the dimensions were when these are adjacent, else in front.
  const std::size_t place = high - low + 1 == listed.count ? low : 0;
  require_rank(layer, x.rank() - listed.count + common.rank());
  Shape y;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (d == place) append(y, common.sizes());
    if (!listed.named[d]) y.append(x[d]);
  }
  layer.output(y);
  layer.input_reads = y.elements();
}

void scatter(Layer& layer) {
  enum Slot { dim };
  const Shape x = as_vector(layer.input());
  const Shape index = as_vector(layer.input(1));
  const std::size_t d = layer.dimension(layer.integer(dim), x.rank());
  require_within(layer, index, x, "input", d);
  require_source(layer, index.elements(), x[d]);
  if (layer.input_count() == 3) {
    require_within(layer, index, as_vector(layer.input(2)), "source", Shape::maximum_rank);
  }
  layer.output(layer.input());
}

void scatter_add(Layer& layer) {
  scatter(layer);
  layer.flops = layer.input(1).elements();
}

void index_add(Layer& layer) {
  enum Slot { dim };
  const Shape& x = layer.input();
  const Shape& index = layer.input(1);
  const Shape& source = layer.input(2);
  const std::size_t d = layer.dimension(layer.integer(dim), nameable(x));
  layer.require(index.rank() <= 1, "the index must have 1 dimension, got {}", index);
  layer.require(source.rank() == x.rank(),
                "the source must have as many dimensions as the input, got {} and {}", source, x);
  const Quantity count = index.elements();
  const Quantity positions = as_vector(source)[d];
  layer.require(positions == count, "the index must list the {} positions of the source, got {}",
                positions, count);
  require_source(layer, count, as_vector(x)[d]);
  for (std::size_t other = 0; other < x.rank(); ++other) {
    if (other == d) continue;
    layer.require(source[other] == x[other],
                  "the sizes must agree outside dimension {}, got {} and {}", d, x, source);
  }
  layer.output(x);
  layer.flops = source.elements();
}

constexpr AttributeSpec repeat_interleave_attributes[] = {
    {"repeats", AttributeKind::integers},
    {"dim", AttributeKind::integer, Otherwise::none},
};

void repeat_interleave(Layer& layer) {
  enum Slot { repeats, dim };
  const Shape& x = layer.input();
  const bool flat = !layer.given(dim);
  const Shape shape = flat ? Shape{x.elements()} : x;
  const std::size_t d = flat ? 0 : layer.dimension(layer.integer(dim), x.rank());
  const std::span<const Quantity> given = layer.integers(repeats);
  for (const Quantity& count : given) {
    layer.require(count >= 0, "a number of repeats must not be negative, got {}", count);
  }
  Quantity length = 0;
  if (given.size() == 1) {
    length = shape[d] * given[0];
  } else {
    layer.require(shape[d] == static_cast<std::int64_t>(given.size()),
                  "repeats must have 1 or {} entries, got {}", shape[d], given);
    for (const Quantity& count : given) length += count;
  }
  layer.output(with_size(shape, d, length));
}

constexpr AttributeSpec triangle_attributes[] = {
    {"diagonal", AttributeKind::integer, Otherwise::value, 0},
};

void triangle(Layer& layer) {
  const std::size_t rank = layer.input().rank();
  layer.require(rank >= 2, "the input must have at least 2 dimensions, got {}", rank);
  layer.output(layer.input());
}

constexpr Op view(std::string_view name, Rule rule,
                  std::span<const AttributeSpec> attributes = {}) {
  return {.name = name, .family = "shape", .rule = rule, .attributes = attributes, .view = true};
}

constexpr Op copy(std::string_view name, Rule rule, std::span<const AttributeSpec> attributes = {},
                  std::size_t minimum_inputs = 1, std::size_t maximum_inputs = 1,
                  std::size_t spatial = 0) {
  return {.name = name,
          .family = "shape",
          .rule = rule,
          .attributes = attributes,
          .minimum_inputs = minimum_inputs,
          .maximum_inputs = maximum_inputs,
          .spatial = spatial};
}

constexpr Op ops[] = {
    view("reshape", reshape, reshape_attributes),
    view("flatten", flatten, flatten_attributes),
    view("unflatten", unflatten, unflatten_attributes),
    view("permute", permute, any_dims),
    view("transpose", transpose, transpose_attributes),
    view("movedim", movedim, movedim_attributes),
    view("squeeze", squeeze, squeeze_attributes),
    view("unsqueeze", unsqueeze, any_dim),
    view("expand", expand, expand_attributes),
    view("slice", slice, slice_attributes),
    view("select", select_position, select_attributes),
    view("split", split, split_attributes),
    view("chunk", chunk, chunk_attributes),
    view("unbind", unbind, first_dim),
    view("diagonal", diagonal, diagonal_attributes),
    view("unfold_dimension", unfold_dimension, unfold_dimension_attributes),
    view("identity", same_shape),
    copy("concat", concat, first_dim, 1, any_number),
    copy("stack", stack, first_dim, 1, any_number),
    copy("repeat", repeat, repeat_attributes),
    copy("tile", tile, any_dims),
    copy("pad", pad, pad_attributes),
    copy("roll", roll, roll_attributes),
    copy("flip", flip, any_dims),
    copy("pixel_shuffle", pixel_shuffle, pixel_shuffle_attributes),
    copy("pixel_unshuffle", pixel_unshuffle, pixel_unshuffle_attributes),
    copy("channel_shuffle", channel_shuffle, channel_shuffle_attributes),
    copy("unfold", unfold, unfold_attributes, 1, 1, 2),
    copy("fold", fold, fold_attributes, 1, 1, 2),
    copy("gather", gather, any_dim, 2, 2),
    copy("index_select", index_select, any_dim, 2, 2),
    copy("take_along_dim", take_along_dim, optional_dim, 2, 2),
    copy("index", index, any_dims, 1, any_number),
    copy("scatter", scatter, any_dim, 2, 3),
    copy("scatter_add", scatter_add, any_dim, 3, 3),
    copy("index_add", index_add, any_dim, 3, 3),
    copy("repeat_interleave", repeat_interleave, repeat_interleave_attributes),
    copy("tril", triangle, triangle_attributes),
    copy("triu", triangle, triangle_attributes),
    copy("copy", same_shape),
};

}  // namespace

std::span<const Op> shape_ops() { return ops; }

}  // namespace netledger
