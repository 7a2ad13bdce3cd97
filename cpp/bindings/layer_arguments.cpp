#include "bindings/layer_arguments.h"

namespace netledger::bindings {

TensorKind given_kind(std::string_view name) {
  const auto kinds = std::span(tensor_kind_names).first(4);
  const auto found = std::ranges::find(kinds, name);
  if (found == kinds.end()) {
    throw GraphError("unknown kind of tensor '" + std::string(name) +
                     "'; the kinds are input, parameter, buffer, constant");
  }
  return static_cast<TensorKind>(found - kinds.begin());
}

void read_tensors(py::handle sequence, std::size_t tensor_count,
                  std::vector<TensorIndex>& tensors) {
  tensors.clear();
  const auto fast = py::reinterpret_steal<py::object>(
      PySequence_Fast(sequence.ptr(), "tensors must be a sequence of indices"));
  if (!fast) throw py::error_already_set();
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast.ptr());
  for (Py_ssize_t position = 0; position < count; ++position) {
    PyObject* item = PySequence_Fast_GET_ITEM(fast.ptr(), position);
    if (item == Py_None) {
      tensors.push_back(absent);
      continue;
    }
    const long long index = PyLong_AsLongLong(item);
    if (index == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (index < 0 || index >= static_cast<long long>(tensor_count)) {
      throw GraphError("the graph has no tensor " + std::to_string(index) + "; it has " +
                       std::to_string(tensor_count));
    }
    tensors.push_back(static_cast<TensorIndex>(index));
  }
}

py::tuple python_tensors(std::span<const TensorIndex> tensors) {
  py::tuple result(tensors.size());
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    result[index] =
        tensors[index] == absent ? py::object(py::none()) : py::object(py::int_(tensors[index]));
  }
  return result;
}

py::tuple python_outputs(const Outputs& outputs) {
  py::tuple result(outputs.count);
  for (std::uint32_t position = 0; position < outputs.count; ++position) {
    result[position] = py::int_(outputs.first + position);
  }
  return result;
}

py::object python_node(const Graph& graph, NodeIndex node, const ToPython& to_python) {
  return result_class("Node")(
      node, std::string(graph.op(node).name), graph.name(node), graph.scope(node),
      python_tensors(graph.inputs(node)), python_tensors(graph.weights(node)),
      python_outputs(graph.outputs(node)), python_attributes(graph.attributes(node), to_python),
      graph.inplace(node));
}

py::object python_scope(const Graph& graph, ScopeIndex index) {
  graph.check_scope(index);
  const Scope& scope = graph.scopes()[index];
  return result_class("Scope")(scope.parent, scope.path, scope.module_class, scope.call);
}

Placement LayerReader::read(const GivenLayer& given, std::size_t tensor_count) {
  read_tensors(given.inputs, tensor_count, inputs_);
  if (std::ranges::find(inputs_, absent) != inputs_.end()) {
    throw GraphError("an input cannot be None");
  }
  weights_.clear();
  if (!given.weights.is_none()) read_tensors(given.weights, tensor_count, weights_);
  dtypes_.clear();
  if (py::isinstance<py::str>(given.dtypes)) {
    dtypes_.push_back(dtype(given.dtypes.cast<std::string_view>()));
  } else if (!given.dtypes.is_none()) {
    for (const py::handle entry : given.dtypes) {
      dtypes_.push_back(dtype(entry.cast<std::string_view>()));
    }
  }
  return {.weights = weights_,
          .explicit_weights = !given.weights.is_none(),
          .dtypes = dtypes_,
          .name = given.name,
          .scope = given.scope,
          .inplace = given.inplace};
}

}  // namespace netledger::bindings
