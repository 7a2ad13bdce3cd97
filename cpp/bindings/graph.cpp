// The graph and its accounts.
#include "graph/graph.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/layer_arguments.h"
#include "bindings/register.h"

namespace netledger::bindings {

namespace {

// A graph, with the reader of its layers.
class PyGraph {
 public:
  TensorIndex tensor(std::string_view kind, const py::object& shape, std::string_view dtype_name,
                     std::string_view name, bool trainable);
  std::vector<TensorIndex> tensors(const py::sequence& given);
  ScopeIndex scope(ScopeIndex parent, std::string path, std::string module_class,
                   std::int64_t call) {
    return graph_.add_scope(parent, std::move(path), std::move(module_class), call);
  }
  Outputs add(const GivenLayer& given) {
    IntegerReader reader;
    return layers_.add(graph_, graph_, given, reader);
  }
  void claim(TensorIndex tensor, NodeIndex node) { graph_.claim(tensor, node); }
  void output(const py::args& tensors) {
    for (const py::handle tensor : tensors) graph_.add_output(tensor.cast<TensorIndex>());
  }
  [[nodiscard]] py::object node(NodeIndex index) const {
    return python_node(graph_, index, python_constant);
  }
  [[nodiscard]] py::object scope_at(ScopeIndex index) const { return python_scope(graph_, index); }
  [[nodiscard]] py::object count() const;
  [[nodiscard]] std::vector<ScopeIndex> node_scopes() const {
    std::vector<ScopeIndex> scopes(graph_.node_count());
    for (NodeIndex node = 0; node < scopes.size(); ++node) scopes[node] = graph_.scope(node);
    return scopes;
  }
  [[nodiscard]] const Graph& graph() const noexcept { return graph_; }

 private:
  Graph graph_;
  LayerReader layers_;
};

TensorIndex PyGraph::tensor(std::string_view kind, const py::object& shape,
                            std::string_view dtype_name, std::string_view name, bool trainable) {
  const TensorKind given = given_kind(kind);
  const DTypeIndex element = dtype(dtype_name);
  IntegerReader reader;
  return graph_.add_tensor(given, read_shape(shape, reader, name, kind), element, name, trainable);
}

std::vector<TensorIndex> PyGraph::tensors(const py::sequence& given) {
  std::vector<TensorIndex> indices;
  for (const py::handle item : given) {
    const auto arguments = py::reinterpret_borrow<py::tuple>(item);
    if (!py::isinstance<py::tuple>(item) || arguments.size() != 5) {
      throw GraphError("a tensor is given as (kind, shape, dtype, name, trainable)");
    }
    indices.push_back(tensor(arguments[0].cast<std::string_view>(), arguments[1],
                             arguments[2].cast<std::string_view>(),
                             arguments[3].cast<std::string_view>(), arguments[4].cast<bool>()));
  }
  return indices;
}

py::tuple add(PyGraph& self, std::string_view op, const py::object& inputs,
              const py::object& attributes, const py::object& weights, const py::object& dtype,
              std::string_view name, ScopeIndex scope, bool inplace) {
  return python_outputs(self.add({op, inputs, attributes, weights, dtype, name, scope, inplace}));
}

// -- the same call through the interpreter's fastest convention -----------------------------------

constexpr const char* adder_name = "netledger._core.Graph.adder";

PyObject* call_adder(PyObject* capsule, PyObject* const* arguments, Py_ssize_t count) {
  try {
    if (count != 7)
      throw py::type_error("an adder takes 7 arguments, got " + std::to_string(count));
    auto* graph = static_cast<PyGraph*>(PyCapsule_GetPointer(capsule, adder_name));
    Py_ssize_t length = 0;
    const char* op = PyUnicode_AsUTF8AndSize(arguments[0], &length);
    if (op == nullptr) throw py::error_already_set();
    const unsigned long scope = PyLong_AsUnsignedLong(arguments[5]);
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    const Outputs outputs =
        graph->add({{op, static_cast<std::size_t>(length)},
                    arguments[1],
                    arguments[2],
                    arguments[3],
                    arguments[4],
                    "",
                    static_cast<ScopeIndex>(std::min<unsigned long>(scope, absent)),
                    arguments[6] == Py_True});
    py::tuple result(std::size_t{2} * outputs.count);
    for (std::uint32_t index = 0; index < outputs.count; ++index) {
      const TensorIndex tensor = outputs.first + index;
      result[std::size_t{2} * index] = py::int_(tensor);
      result[std::size_t{2} * index + 1] = python_sizes(graph->graph().shape(tensor).sizes());
    }
    return result.release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    py::detail::try_translate_exceptions();
  }
  return nullptr;
}

py::object adder(PyGraph& self) {
  static PyMethodDef method = {
      "add",
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how CPython takes it.
      reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call_adder)), METH_FASTCALL,
      nullptr};
  const py::capsule capsule(&self, adder_name);
  return py::reinterpret_steal<py::object>(PyCFunction_NewEx(&method, capsule.ptr(), nullptr));
}

py::object PyGraph::count() const {
  Counts counts;
  {
    const py::gil_scoped_release release;
    counts = netledger::count(graph_);
  }
  py::dict columns;
  py::dict totals;
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    const py::str name{std::string(metric_names[metric])};
    const std::vector<std::int64_t>& column = counts.columns[metric];
    columns[name] =
        py::array_t<std::int64_t>(static_cast<py::ssize_t>(column.size()), column.data());
    totals[name] = python_int(counts.totals[metric]);
  }
  return result_class("Counts")(columns, totals, python_int(counts.peak_memory));
}

std::string kind_name(TensorKind kind) {
  return std::string(tensor_kind_names[static_cast<std::size_t>(kind)]);
}

}  // namespace

void register_graph(py::module_& module) {
  py::class_<PyGraph>(
      module, "Graph",
      "Layers in topological order; every layer is propagated and counted as it is added.")
      .def(py::init<>())
      .def("tensor", &PyGraph::tensor, py::arg("kind"), py::arg("shape"),
           py::arg("dtype") = "float32", py::arg("name") = "", py::arg("trainable") = true,
           "Add a tensor that no layer makes and return its index.")
      .def("tensors", &PyGraph::tensors, py::arg("given"),
           "Add many tensors at once: (kind, shape, dtype, name, trainable) of each.")
      .def("scope", &PyGraph::scope, py::arg("parent"), py::arg("path"), py::arg("module_class"),
           py::arg("call") = 0, "Enter one call of a module, inside another scope; 0 is the root.")
      .def("add", &add, py::arg("op"), py::arg("inputs"), py::arg("attributes") = py::none(),
           py::kw_only(), py::arg("weights") = py::none(), py::arg("dtype") = py::none(),
           py::arg("name") = "", py::arg("scope") = 0, py::arg("inplace") = false,
           "Add a layer: propagate its shapes, count it, return the indices of its outputs.")
      .def(
          "adder", &adder, py::keep_alive<0, 1>(),
          "A function that adds layers with positional arguments only (op, inputs, attributes, "
          "weights, dtype, scope, inplace) and returns the index and the shape of each output, one "
          "after the other.")
      .def("claim", &PyGraph::claim, py::arg("tensor"), py::arg("node"),
           "Count a parameter or buffer that no layer reads at this node.")
      .def("output", &PyGraph::output,
           "Mark tensors as outputs of the model: they stay alive until the end.")
      .def("__len__", [](const PyGraph& self) { return self.graph().node_count(); })
      .def("node", &PyGraph::node, py::arg("index"), "The node of that index.")
      .def("scope_at", &PyGraph::scope_at, py::arg("index"), "The scope of that index.")
      .def(
          "shape",
          [](const PyGraph& self, TensorIndex tensor) {
            return python_sizes(self.graph().shape(tensor).sizes());
          },
          py::arg("tensor"), "The sizes of a tensor.")
      .def(
          "dtype",
          [](const PyGraph& self, TensorIndex tensor) {
            return std::string(dtypes[self.graph().dtype(tensor)].name);
          },
          py::arg("tensor"), "The element type of a tensor.")
      .def(
          "kind",
          [](const PyGraph& self, TensorIndex tensor) {
            return kind_name(self.graph().kind(tensor));
          },
          py::arg("tensor"), "What a tensor is: input, parameter, buffer, constant or activation.")
      .def(
          "tensor_name",
          [](const PyGraph& self, TensorIndex tensor) { return self.graph().tensor_name(tensor); },
          py::arg("tensor"), "The name a tensor was given.")
      .def(
          "is_claimed",
          [](const PyGraph& self, TensorIndex tensor) { return self.graph().is_claimed(tensor); },
          py::arg("tensor"), "Whether a parameter or buffer is counted at some node already.")
      .def(
          "unclaimed", [](const PyGraph& self) { return self.graph().unclaimed(); },
          "The parameters and buffers that no node counts.")
      .def("node_scopes", &PyGraph::node_scopes, "The scope of every node.")
      .def_property_readonly(
          "outputs", [](const PyGraph& self) { return python_tensors(self.graph().outputs()); },
          "The tensors marked as outputs.")
      .def("count", &PyGraph::count,
           "The account of every layer, exact totals, and the peak memory.");
}

}  // namespace netledger::bindings
