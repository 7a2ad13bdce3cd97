// Rows of a ledger that no formula stands behind: layers of declared cost, unused parameters.
#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

constexpr AttributeSpec opaque_attributes[] = {
    {"shapes", AttributeKind::integers},
    {"macs", AttributeKind::integer, Otherwise::value, 0},
    {"flops", AttributeKind::integer, Otherwise::value, 0},
    {"label", AttributeKind::text, Otherwise::value},
};

// `shapes` lists for every output its rank and then its sizes.
void opaque(Layer& layer) {
  enum Slot { shapes, macs, flops };
  const std::span<const Quantity> flat = layer.integers(shapes);
  std::size_t position = 0;
  while (position < flat.size()) {
    const std::int64_t given = layer.fixed(flat[position], "the rank of an output");
    layer.require(given >= 0 && given <= static_cast<std::int64_t>(Shape::maximum_rank),
                  "the rank of an output must be 0 to 16, got {}", given);
    const auto rank = static_cast<std::size_t>(given);
    layer.require(flat.size() - position - 1 >= rank,
                  "shapes must list a rank and its sizes per output, got {}", flat);
    const Shape y(flat.subspan(position + 1, rank));
    for (const Quantity& size : y) {
      layer.require(size >= 0, "a size must not be negative, got {}", size);
    }
    layer.output(y);
    position += 1 + rank;
  }
  layer.macs = layer.integer(macs);
  layer.flops = layer.integer(flops);
  layer.require(layer.macs >= 0, "macs must not be negative, got {}", layer.macs);
  layer.require(layer.flops >= 0, "flops must not be negative, got {}", layer.flops);
}

// Parameters of modules that were never called: nothing is computed, nothing moves.
void uncalled(Layer&) {}

constexpr Op ops[] = {
    {.name = "opaque",
     .family = "declared",
     .rule = opaque,
     .attributes = opaque_attributes,
     .minimum_inputs = 0,
     .maximum_inputs = any_number},
    {.name = "uncalled",
     .family = "declared",
     .rule = uncalled,
     .minimum_inputs = 0,
     .maximum_inputs = any_number,
     .view = true},
};

}  // namespace

std::span<const Op> declared_ops() { return ops; }

}  // namespace netledger
