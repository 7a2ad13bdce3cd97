// Reductions over dimensions, running reductions, sorting and selection along one dimension.
#include <algorithm>
#include <array>
#include <cstddef>

#include "ops/families.h"
#include "ops/layer.h"
#include "ops/rows.h"

namespace netledger {

namespace {

// Reductions differ in what they accept for dim: any dimensions or all, one or all, or one.
namespace reduce {
enum Slot { dim, keepdim };
constexpr AttributeSpec several[] = {
    {"dim", AttributeKind::integers, Otherwise::none},
    {"keepdim", AttributeKind::flag, Otherwise::value, 0},
};
constexpr AttributeSpec one_or_all[] = {
    {"dim", AttributeKind::integer, Otherwise::none},
    {"keepdim", AttributeKind::flag, Otherwise::value, 0},
};
constexpr AttributeSpec one[] = {
    {"dim", AttributeKind::integer},
    {"keepdim", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace reduce

namespace running {
enum Slot { dim };
constexpr AttributeSpec attributes[] = {{"dim", AttributeKind::integer}};
}  // namespace running

namespace sort {
enum Slot { dim, descending, stable };
constexpr AttributeSpec attributes[] = {
    {"dim", AttributeKind::integer, Otherwise::value, -1},
    {"descending", AttributeKind::flag, Otherwise::value, 0},
    {"stable", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace sort

namespace topk {
enum Slot { k, dim, largest, sorted };
constexpr AttributeSpec attributes[] = {
    {"k", AttributeKind::integer},
    {"dim", AttributeKind::integer, Otherwise::value, -1},
    {"largest", AttributeKind::flag, Otherwise::value, 1},
    {"sorted", AttributeKind::flag, Otherwise::value, 1},
};
}  // namespace topk

namespace kthvalue {
enum Slot { k, dim, keepdim };
constexpr AttributeSpec attributes[] = {
    {"k", AttributeKind::integer},
    {"dim", AttributeKind::integer, Otherwise::value, -1},
    {"keepdim", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace kthvalue

struct Reduced {
  // Elements that each result is made of.
  Quantity length = 1;
  Shape result;
};

Reduced reduced(Layer& layer) {
  using namespace reduce;
  const Shape& x = layer.input();
  std::array<bool, Shape::maximum_rank> chosen{};
  if (layer.given(dim)) {
    const std::span<const Quantity> dims = layer.integers(dim);
    layer.require(!dims.empty(), "dim must not be empty; leave it out to reduce all dimensions");
    for (const Quantity& given : dims) {
      const std::size_t d = layer.dimension(given, std::max<std::size_t>(x.rank(), 1));
      layer.require(!chosen[d], "dim {} appears more than once", d);
      chosen[d] = true;
    }
  } else {
    chosen.fill(true);
  }
  const bool keep = layer.flag(keepdim);
  Reduced reduction;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (!chosen[d]) {
      reduction.result.append(x[d]);
      continue;
    }
    reduction.length *= x[d];
    if (keep) reduction.result.append(1);
  }
  require_row(layer, reduction.length);
  return reduction;
}

void reduce_to(Layer& layer, std::size_t outputs) {
  const Reduced reduction = reduced(layer);
  for (std::size_t output = 0; output < outputs; ++output) layer.output(reduction.result);
  const Coefficients& operations = layer.op().coefficients;
  layer.flops =
      reduction.result.elements() * (operations.element * reduction.length + operations.result);
}

void one_result(Layer& layer) { reduce_to(layer, 1); }

// Two statistics, or values and their indices.
void two_results(Layer& layer) { reduce_to(layer, 2); }

// Comparisons of a merge sort, for each row.
Quantity sorting(const Quantity& length) { return length * ceil_log2(length); }

void median(Layer& layer) {
  const Reduced reduction = reduced(layer);
  layer.output(reduction.result);
  // Along a dimension the indices come too.
  if (layer.given(reduce::dim)) layer.output(reduction.result);
  layer.flops = reduction.result.elements() * sorting(reduction.length);
}

void cumulative(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(running::dim));
  require_row(layer, rows.length);
  layer.output(layer.input());
  const Coefficients& operations = layer.op().coefficients;
  layer.flops = rows.count * (operations.element * rows.length + operations.result);
}

void cumulative_with_indices(Layer& layer) {
  cumulative(layer);
  layer.output(layer.input());
}

void argsorted(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(sort::dim));
  layer.output(layer.input());
  layer.flops = rows.count * sorting(rows.length);
}

void sorted_with_indices(Layer& layer) {
  argsorted(layer);
  layer.output(layer.input());
}

// Tournament selection of the k-th element of each row: n - 1 comparisons find the first, then each
// next one is found along the path of the one before.
Quantity selection(Layer& layer, const Rows& rows, const Quantity& k) {
  layer.require(both(k > 0, k <= rows.length),
                "k must be from 1 to the size {} along dim {}, got {}", rows.length, rows.dimension,
                k);
  return rows.count * (rows.length - 1 + (k - 1) * ceil_log2(rows.length));
}

void top_elements(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(topk::dim));
  const Quantity k = layer.integer(topk::k);
  layer.flops = selection(layer, rows, k);
  Shape y = layer.input();
  if (y.rank() > 0) y[rows.dimension] = k;
  layer.output(y);
  layer.output(y);
}

void kth_element(Layer& layer) {
  const Rows rows = rows_along(layer, layer.integer(kthvalue::dim));
  layer.flops = selection(layer, rows, layer.integer(kthvalue::k));
  const Shape& x = layer.input();
  Shape y;
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (d != rows.dimension) {
      y.append(x[d]);
    } else if (layer.flag(kthvalue::keepdim)) {
      y.append(1);
    }
  }
  layer.output(y);
  layer.output(y);
}

constexpr Op op(std::string_view name, Rule rule, std::span<const AttributeSpec> attributes,
                std::int64_t element = 0, std::int64_t result = 0) {
  return {.name = name,
          .family = "reduction",
          .rule = rule,
          .attributes = attributes,
          .coefficients = {.element = element, .result = result}};
}

constexpr Op ops[] = {
    op("sum", one_result, reduce::several, 1, -1),
    op("mean", one_result, reduce::several, 1, 0),
    op("prod", one_result, reduce::one_or_all, 1, -1),
    op("max", one_result, reduce::several, 1, -1),
    op("min", one_result, reduce::several, 1, -1),
    op("amax", one_result, reduce::several, 1, -1),
    op("amin", one_result, reduce::several, 1, -1),
    op("argmax", one_result, reduce::one_or_all, 1, -1),
    op("argmin", one_result, reduce::one_or_all, 1, -1),
    op("any", one_result, reduce::several, 1, -1),
    op("all", one_result, reduce::several, 1, -1),
    op("var", one_result, reduce::several, 4, 0),
    op("std", one_result, reduce::several, 4, 1),
    op("norm", one_result, reduce::several, 2, 0),
    op("norm_l1", one_result, reduce::several, 2, -1),
    op("norm_inf", one_result, reduce::several, 2, -1),
    op("norm_p", one_result, reduce::several, 3, 0),
    op("logsumexp", one_result, reduce::several, 2, 0),
    op("count_nonzero", one_result, reduce::several, 2, -1),
    op("var_mean", two_results, reduce::several, 4, 0),
    op("std_mean", two_results, reduce::several, 4, 1),
    op("aminmax", two_results, reduce::one_or_all, 2, -2),
    op("max_with_indices", two_results, reduce::one, 1, -1),
    op("min_with_indices", two_results, reduce::one, 1, -1),
    op("median", median, reduce::one_or_all),
    op("cumsum", cumulative, running::attributes, 1, -1),
    op("cumprod", cumulative, running::attributes, 1, -1),
    op("cummax", cumulative_with_indices, running::attributes, 1, -1),
    op("cummin", cumulative_with_indices, running::attributes, 1, -1),
    op("logcumsumexp", cumulative, running::attributes, 3, -1),
    op("sort", sorted_with_indices, sort::attributes),
    op("argsort", argsorted, sort::attributes),
    op("topk", top_elements, topk::attributes),
    op("kthvalue", kth_element, kthvalue::attributes),
};

}  // namespace

std::span<const Op> reduction_ops() { return ops; }

}  // namespace netledger
