// Op: a kind of layer, with its attributes and its rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ops/attributes.h"

namespace netledger {

class Layer;
// A rule reads a layer's input shapes and attributes, checks them, and fills in the output shapes,
// the weights and the costs.
using Rule = void (*)(Layer&);

// `a` operations for each element and `b` for each result, where a rule is shared by many ops.
struct Coefficients {
  std::int64_t element = 0;
  std::int64_t result = 0;
};

struct Op {
  std::string_view name;
  std::string_view family;
  Rule rule;
  std::span<const AttributeSpec> attributes = {};
  // How many inputs the layer takes, weights left aside.
  std::size_t minimum_inputs = 1;
  std::size_t maximum_inputs = 1;
  // Spatial dimensions, for ops that exist in 1, 2 and 3.
  std::size_t spatial = 0;
  Coefficients coefficients = {};
  // A contraction's outputs are what `activations` counts.
  bool contraction = false;
  // A view moves no data and shares its input's storage.
  bool view = false;
};

inline constexpr std::size_t any_number = static_cast<std::size_t>(-1);

// All ops; an op's index in this list is its identity within the process.
[[nodiscard]] std::span<const Op> operations();
// The op of that name, or nullptr.
[[nodiscard]] const Op* find_operation(std::string_view name);
[[nodiscard]] std::uint16_t operation_index(const Op& op);

}  // namespace netledger
