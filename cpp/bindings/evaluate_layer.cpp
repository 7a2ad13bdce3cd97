// The cost of one layer on its own, for integers or for arrays of them.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/register.h"
#include "graph/graph.h"
#include "quantity/evaluate.h"

namespace netledger::bindings {

namespace {

using Column = py::array_t<std::int64_t, py::array::c_style>;

constexpr std::array reported = {Metric::params,       Metric::buffers,     Metric::macs,
                                 Metric::flops,        Metric::activations, Metric::outputs,
                                 Metric::memory_access};

bool is_array(py::handle value) {
  return py::isinstance<py::array>(value) && py::reinterpret_borrow<py::array>(value).ndim() > 0;
}

// The arrays among the arguments, broadcast against each other.
class Arrays {
 public:
  // Notes an array; every array must be noted before the first is read.
  void note(py::handle value) {
    if (is_array(value)) {
      noted_.append(value);
    } else if (PySequence_Check(value.ptr()) && !py::isinstance<py::str>(value)) {
      for (const py::handle entry : value) note(entry);
    }
  }
  [[nodiscard]] bool any() const { return !noted_.empty(); }

  void broadcast() {
    const py::module_ numpy = py::module_::import("numpy");
    const py::object common = numpy.attr("broadcast_shapes")(*py::tuple(shapes()));
    shape_ = py::tuple(common);
    lanes_ = 1;
    for (const py::handle size : shape_) lanes_ *= size.cast<std::size_t>();
  }

  // The column of an array: one value for each lane.
  [[nodiscard]] std::optional<Column> column(py::handle value) {
    const py::module_ numpy = py::module_::import("numpy");
    const auto array = py::reinterpret_borrow<py::array>(value);
    if (array.dtype().kind() != 'i' && array.dtype().kind() != 'u') return std::nullopt;
    const py::object full = numpy.attr("broadcast_to")(array, shape_);
    const py::object flat = numpy.attr("ascontiguousarray")(full, numpy.attr("int64"));
    if (array.dtype().kind() == 'u' && array.dtype().itemsize() == 8 && lanes_ > 0 &&
        py::bool_(py::reinterpret_borrow<py::object>(flat).attr("min")() < py::int_(0))) {
      checked::overflow();
    }
    return Column(flat);
  }

  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_; }
  [[nodiscard]] const py::tuple& shape() const noexcept { return shape_; }
  [[nodiscard]] std::string index(std::size_t lane) const {
    const py::object position = py::module_::import("numpy").attr("unravel_index")(lane, shape_);
    std::string text = "(";
    std::size_t count = 0;
    for (const py::handle entry : position) {
      if (count++ > 0) text += ", ";
      text += std::to_string(entry.cast<std::int64_t>());
    }
    return text + (count == 1 ? ",)" : ")");
  }

 private:
  [[nodiscard]] py::list shapes() const {
    py::list result;
    for (const py::handle array : noted_) result.append(array.attr("shape"));
    return result;
  }

  py::list noted_;
  py::tuple shape_;
  std::size_t lanes_ = 0;
};

// Turns every array into a variable of the graph's program and keeps its column.
class SymbolicReader {
 public:
  SymbolicReader(Program& program, Arrays& arrays) : program_(program), arrays_(arrays) {}
  [[nodiscard]] std::optional<Quantity> read(py::handle value) {
    if (!is_array(value)) return IntegerReader().read(value);
    std::optional<Column> column = arrays_.column(value);
    if (!column) return std::nullopt;
    columns_.push_back(std::move(*column));
    return program_.variable("array_" + std::to_string(columns_.size()));
  }
  [[nodiscard]] const std::vector<Column>& columns() const noexcept { return columns_; }

 private:
  Program& program_;
  Arrays& arrays_;
  std::vector<Column> columns_;
};

// Takes the value that every array has in one lane.
class LaneReader {
 public:
  LaneReader(Arrays& arrays, std::size_t lane) : arrays_(arrays), lane_(lane) {}
  [[nodiscard]] std::optional<Quantity> read(py::handle value) {
    if (!is_array(value)) return IntegerReader().read(value);
    const std::optional<Column> column = arrays_.column(value);
    if (!column) return std::nullopt;
    return column->data()[lane_];
  }

 private:
  Arrays& arrays_;
  std::size_t lane_;
};

// One layer that owns its weights, added to a graph of its own.
struct SingleLayer {
  Graph graph;
  Outputs outputs{};

  template <class Reader>
  void build(const Op& op, const py::sequence& inputs, const py::object& attributes,
             Reader& reader) {
    std::vector<TensorIndex> tensors;
    std::string shapes;
    const auto refuse = [&](const std::string& rule) {
      throw LayerRefused(describe_layer(op, "", shapes, rule), "", std::string(op.name), rule);
    };
    try {
      std::vector<Shape> given_shapes;
      for (const py::handle given : inputs) {
        Shape& shape = given_shapes.emplace_back();
        for (const py::handle size : given) {
          const std::optional<Quantity> value = reader.read(size);
          if (!value) refuse("a size must be an integer, got " + quoted(size));
          if (!value->is_constant()) {
            graph.program().require(*value >= 0, "a size must not be negative");
          } else if (value->constant() < 0) {
            refuse(sentence("a size must not be negative, got {}", {*value}));
          }
          if (shape.rank() == Shape::maximum_rank) refuse("a tensor has at most 16 dimensions");
          shape.append(*value);
        }
      }
      for (const Shape& shape : given_shapes) {
        shapes += (shapes.empty() ? "" : ", ") + Fact(shape).text();
      }
      for (const Shape& shape : given_shapes) {
        tensors.push_back(graph.add_tensor(TensorKind::input, shape));
      }
      Attributes values;
      if (const auto refusal = read_attributes(op, attributes, reader, values)) {
        graph.refuse(op, tensors, {}, *refusal);
      }
      outputs = graph.add(op, tensors, values);
    } catch (const LayerRefused& error) {
      refuse(error.rule);
    } catch (const CountOverflow&) {
      throw CountOverflow(describe_layer(op, "", shapes, "a count does not fit a 64-bit integer"));
    }
  }

  [[nodiscard]] std::vector<Quantity> quantities() const {
    std::vector<Quantity> all;
    const Account account = graph.account(0);
    for (const Metric metric : reported) all.push_back(account[static_cast<std::size_t>(metric)]);
    for (std::uint32_t output = 0; output < outputs.count; ++output) {
      for (const Quantity& size : graph.shape(outputs.first + output)) all.push_back(size);
    }
    return all;
  }

  // A Cost of the given numbers, in the order of `quantities`.
  [[nodiscard]] py::object cost(const std::vector<py::object>& numbers) const {
    py::tuple shapes(outputs.count);
    std::size_t next = reported.size();
    for (std::uint32_t output = 0; output < outputs.count; ++output) {
      py::tuple sizes(graph.shape(outputs.first + output).rank());
      for (std::size_t index = 0; index < sizes.size(); ++index) sizes[index] = numbers[next++];
      shapes[output] = sizes;
    }
    return py::module_::import("netledger._results")
        .attr("Cost")(shapes, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                      numbers[5], numbers[6]);
  }
};

// Every lane by the scalar rule: for rules that need plain integers where arrays were given, and to
// say what is wrong with a lane.
std::vector<Column> lane_by_lane(const Op& op, const py::sequence& inputs,
                                 const py::object& attributes, Arrays& arrays, SingleLayer& last) {
  std::vector<Column> results;
  for (std::size_t lane = 0; lane < arrays.lanes(); ++lane) {
    SingleLayer layer;
    LaneReader reader(arrays, lane);
    const std::string place = "; at index " + arrays.index(lane);
    try {
      layer.build(op, inputs, attributes, reader);
    } catch (const LayerRefused& error) {
      throw LayerRefused(error.what() + place, error.layer, error.op, error.rule);
    } catch (const CountOverflow& overflow) {
      throw CountOverflow(overflow.what() + place);
    }
    const std::vector<Quantity> quantities = layer.quantities();
    if (results.empty()) {
      for (std::size_t index = 0; index < quantities.size(); ++index) {
        results.emplace_back(static_cast<py::ssize_t>(arrays.lanes()));
      }
    }
    if (quantities.size() != results.size()) {
      throw GraphError("the arrays give outputs of different ranks");
    }
    for (std::size_t index = 0; index < quantities.size(); ++index) {
      results[index].mutable_data()[lane] = quantities[index].constant();
    }
    last = std::move(layer);
  }
  return results;
}

py::object evaluate_layer(std::string_view op_name, const py::sequence& inputs,
                          const py::object& attributes) {
  const Op& op = operation(op_name);
  Arrays arrays;
  arrays.note(inputs);
  if (py::isinstance<py::dict>(attributes)) arrays.note(py::list(attributes.attr("values")()));
  SingleLayer layer;
  if (!arrays.any()) {
    IntegerReader reader;
    layer.build(op, inputs, attributes, reader);
    std::vector<py::object> numbers;
    for (const Quantity& quantity : layer.quantities()) {
      numbers.emplace_back(py::int_(quantity.constant()));
    }
    return layer.cost(numbers);
  }

  arrays.broadcast();
  std::vector<Column> results;
  std::optional<std::size_t> inexact = 0;
  try {
    SymbolicReader reader(layer.graph.program(), arrays);
    layer.build(op, inputs, attributes, reader);
    std::vector<std::uint32_t> roots;
    std::vector<std::int64_t*> targets;
    for (const Quantity& quantity : layer.quantities()) {
      roots.push_back(layer.graph.program().id(quantity));
      results.emplace_back(static_cast<py::ssize_t>(arrays.lanes()));
      targets.push_back(results.back().mutable_data());
    }
    std::vector<const std::int64_t*> columns;
    for (const Column& column : reader.columns()) columns.push_back(column.data());
    const py::gil_scoped_release release;
    inexact = evaluate(layer.graph.program(), roots, columns, arrays.lanes(), targets);
  } catch (const LayerRefused&) {
    // Refused for all values, or for want of plain integers: the scalar rule says which.
    results.clear();
  } catch (const CountOverflow&) {
    results.clear();
  }
  if (inexact) {
    SingleLayer last;
    results = lane_by_lane(op, inputs, attributes, arrays, last);
    layer = std::move(last);
  }
  std::vector<py::object> numbers;
  for (const Column& column : results) numbers.push_back(column.attr("reshape")(arrays.shape()));
  return layer.cost(numbers);
}

}  // namespace

void register_evaluate_layer(py::module_& module) {
  module.def("evaluate_layer", &evaluate_layer, py::arg("op"), py::arg("inputs"),
             py::arg("attributes"),
             "The cost of one layer that owns its weights; sizes and attributes may be arrays.");
}

}  // namespace netledger::bindings
