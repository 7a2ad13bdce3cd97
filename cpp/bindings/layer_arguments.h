// The arguments that Graph and Space share, as the core takes them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/convert.h"
#include "graph/graph.h"

namespace netledger::bindings {

// A kind of tensor that callers may add: not an activation, which only layers make.
[[nodiscard]] TensorKind given_kind(std::string_view name);

// Indices of tensors of a graph; `absent` for None.
void read_tensors(py::handle sequence, std::size_t tensor_count, std::vector<TensorIndex>& tensors);
[[nodiscard]] py::tuple python_tensors(std::span<const TensorIndex> tensors);
[[nodiscard]] py::tuple python_outputs(const Outputs& outputs);
[[nodiscard]] py::object python_node(const Graph& graph, NodeIndex node, const ToPython& to_python);
[[nodiscard]] py::object python_scope(const Graph& graph, ScopeIndex scope);

template <class Reader>
[[nodiscard]] Shape read_shape(py::handle given, Reader& reader, std::string_view name,
                               std::string_view kind) {
  const std::string label = "tensor '" + std::string(name) + "': ";
  const auto refuse = [&](const std::string& rule) {
    throw LayerRefused(label + rule, std::string(name), std::string(kind), rule);
  };
  Shape shape;
  for (const py::handle size : given) {
    std::optional<Quantity> value;
    try {
      value = reader.read(size);
    } catch (const CountOverflow& overflow) {
      throw CountOverflow(label + overflow.what());
    }
    if (!value) refuse("a size must be an integer, got " + quoted(size));
    if (shape.rank() == Shape::maximum_rank) refuse("a tensor has at most 16 dimensions");
    shape.append(*value);
  }
  return shape;
}

// What a caller says of one layer.
struct GivenLayer {
  std::string_view op;
  py::handle inputs;
  py::handle attributes;
  py::handle weights;
  py::handle dtypes;
  std::string_view name;
  ScopeIndex scope;
  bool inplace;
};

// Reads layers and adds them; keeps its lists, which it fills again and again.
class LayerReader {
 public:
  // Adds to `target`, a Graph or a Space, whose layers stand in `graph`.
  template <class Target, class Reader>
  Outputs add(Target& target, const Graph& graph, const GivenLayer& given, Reader& reader) {
    const Op& op = operation(given.op);
    graph.check_scope(given.scope);
    const Placement placement = read(given, graph.tensor_count());
    std::optional<std::string> refusal;
    try {
      refusal = read_attributes(op, given.attributes, reader, attributes_);
    } catch (const CountOverflow& overflow) {
      graph.refuse_overflow(op, inputs_, placement, overflow.what());
    }
    if (refusal) graph.refuse(op, inputs_, placement, *refusal);
    return target.add(op, inputs_, attributes_, placement);
  }

 private:
  [[nodiscard]] Placement read(const GivenLayer& given, std::size_t tensor_count);

  Attributes attributes_;
  std::vector<TensorIndex> inputs_;
  std::vector<TensorIndex> weights_;
  std::vector<DTypeIndex> dtypes_;
};

}  // namespace netledger::bindings
