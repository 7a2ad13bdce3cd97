// Space: variables, structure, metrics.
#include "bindings/space_builder.h"

#include <algorithm>
#include <array>
#include <utility>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/register.h"
#include "bindings/space_plan.h"

namespace netledger::bindings {

namespace {

py::object quantity_class() { return py::module_::import("netledger.quantity").attr("Quantity"); }

// A space, with the reader of its layers.
struct PySpace {
  Space space;
  LayerReader layers;
};

PySpace& space_of(const py::object& self) { return *self.cast<PySpace*>(); }

QuantityReader reader_of(const py::object& self) { return {self, space_of(self).space.program()}; }

constexpr std::array binary_opcodes = {
    std::pair{"add", Opcode::add},
    std::pair{"subtract", Opcode::subtract},
    std::pair{"multiply", Opcode::multiply},
    std::pair{"floor_divide", Opcode::floor_divide},
    std::pair{"ceil_divide", Opcode::ceil_divide},
    std::pair{"modulo", Opcode::modulo},
    std::pair{"minimum", Opcode::minimum},
    std::pair{"maximum", Opcode::maximum},
    std::pair{"greatest_common_divisor", Opcode::greatest_common_divisor},
    std::pair{"equal", Opcode::equal},
    std::pair{"less", Opcode::less},
    std::pair{"less_equal", Opcode::less_equal},
};

Quantity combine(Opcode opcode, const Quantity& left, const Quantity& right) {
  switch (opcode) {
    case Opcode::add:
      return left + right;
    case Opcode::subtract:
      return left - right;
    case Opcode::multiply:
      return left * right;
    case Opcode::floor_divide:
      return left / right;
    case Opcode::ceil_divide:
      return ceil_divide(left, right);
    case Opcode::modulo:
      return left % right;
    case Opcode::minimum:
      return minimum(left, right);
    case Opcode::maximum:
      return maximum(left, right);
    case Opcode::greatest_common_divisor:
      return greatest_common_divisor(left, right);
    case Opcode::equal:
      return (left == right).truth();
    case Opcode::less:
      return (left < right).truth();
    case Opcode::less_equal:
      return (left <= right).truth();
    default:
      throw SpaceError("not an operation on two quantities");
  }
}

py::object expression(const py::object& self, std::string_view opcode, const py::args& operands) {
  const QuantityReader reader = reader_of(self);
  if (opcode == "select" && operands.size() == 3) {
    const Quantity truth = reader.number(operands[0]);
    const Condition condition = negation(truth == 0);
    return python_quantity(
        self, select(condition, reader.number(operands[1]), reader.number(operands[2])));
  }
  for (const auto& [name, code] : binary_opcodes) {
    if (opcode != name) continue;
    if (operands.size() != 2) break;
    return python_quantity(self,
                           combine(code, reader.number(operands[0]), reader.number(operands[1])));
  }
  throw SpaceError("there is no operation '" + std::string(opcode) + "' on " +
                   std::to_string(operands.size()) + " quantities");
}

py::object lookup(const py::object& self, const py::object& index, const py::sequence& values) {
  const QuantityReader reader = reader_of(self);
  std::vector<std::int64_t> entries;
  for (const py::object value : values) {
    const Quantity entry = reader.number(value);
    if (!entry.is_constant()) throw SpaceError("the entries of a table must be plain integers");
    entries.push_back(entry.constant());
  }
  return python_quantity(self,
                         space_of(self).space.program().lookup(reader.number(index), entries));
}

TensorIndex tensor(const py::object& self, std::string_view kind, const py::object& shape,
                   std::string_view dtype_name, std::string_view name, bool trainable) {
  QuantityReader reader = reader_of(self);
  const TensorKind given = given_kind(kind);
  return space_of(self).space.add_tensor(given, read_shape(shape, reader, name, kind),
                                         dtype(dtype_name), name, trainable);
}

py::tuple add(const py::object& self, std::string_view op, const py::object& inputs,
              const py::object& attributes, const py::object& weights, const py::object& dtype_name,
              std::string_view name, ScopeIndex scope, bool inplace) {
  PySpace& space = space_of(self);
  QuantityReader reader = reader_of(self);
  const GivenLayer given{op, inputs, attributes, weights, dtype_name, name, scope, inplace};
  return python_outputs(space.layers.add(space.space, space.space.graph(), given, reader));
}

TensorIndex merge(const py::object& self, const py::object& index, const py::sequence& tensors) {
  Space& space = space_of(self).space;
  std::vector<TensorIndex> indices;
  read_tensors(tensors, space.graph().tensor_count(), indices);
  return space.merge(reader_of(self).number(index), indices);
}

py::dict account(const py::object& self, NodeIndex node) {
  const Account counts = space_of(self).space.graph().account(node);
  py::dict result;
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    result[py::str(std::string(metric_names[metric]))] = python_quantity(self, counts[metric]);
  }
  return result;
}

std::optional<NodeIndex> node_of(const Space& space, py::handle given) {
  const auto index = given.cast<std::int64_t>();
  if (index < 0) return std::nullopt;
  const auto node = static_cast<NodeIndex>(index);
  space.graph().check_node(node);
  return node;
}

void metric(const py::object& self, const std::string& name, const py::sequence& given) {
  Space& space = space_of(self).space;
  const QuantityReader reader = reader_of(self);
  std::vector<MetricTerm> terms;
  for (const py::object item : given) {
    const auto term = py::reinterpret_borrow<py::sequence>(item);
    terms.push_back({node_of(space, term[0]), reader.number(term[1])});
  }
  space.add_metric(name, std::move(terms));
}

void real_metric(const py::object& self, const std::string& name, const py::sequence& given) {
  Space& space = space_of(self).space;
  const QuantityReader reader = reader_of(self);
  std::vector<RealTerm> terms;
  for (const py::object item : given) {
    const auto term = py::reinterpret_borrow<py::sequence>(item);
    terms.push_back(
        {node_of(space, term[0]), reader.number(term[1]), py::cast<std::vector<double>>(term[2])});
  }
  space.add_real_metric(name, std::move(terms));
}

// A matrix with a row per configuration and a column per variable of one sort.
using Matrix = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

// Where the values of each variable that is read stand, one row after the other.
std::vector<std::vector<std::int64_t>> columns_of(const Space& space, const LaneProgram& lanes,
                                                  const Matrix& codes,
                                                  const std::optional<Matrix>& free) {
  std::vector<py::ssize_t> position;
  py::ssize_t coded_count = 0;
  py::ssize_t free_count = 0;
  for (const Variable& variable : space.variables()) {
    position.push_back(variable.domain.size > 0 ? coded_count++ : free_count++);
  }
  const auto is_matrix = [&](const Matrix& matrix, py::ssize_t columns) {
    return matrix.ndim() == 2 && matrix.shape(0) == codes.shape(0) && matrix.shape(1) == columns;
  };
  if (!is_matrix(codes, coded_count) || (free && !is_matrix(*free, free_count)) ||
      (!free && free_count > 0)) {
    throw SpaceError("a row of each configuration has " + std::to_string(coded_count) +
                     " codes and " + std::to_string(free_count) + " values of free variables");
  }
  std::vector<std::vector<std::int64_t>> columns;
  for (const VariableIndex variable : lanes.variables()) {
    const bool coded = space.variables()[variable].domain.size > 0;
    const Matrix& matrix = coded ? codes : *free;
    std::vector<std::int64_t>& column = columns.emplace_back();
    for (py::ssize_t row = 0; row < matrix.shape(0); ++row) {
      column.push_back(matrix.at(row, position[variable]));
    }
  }
  return columns;
}

py::list evaluate(const py::object& self, const py::sequence& quantities, const Matrix& codes,
                  const std::optional<Matrix>& free) {
  Space& space = space_of(self).space;
  const QuantityReader reader = reader_of(self);
  std::vector<std::uint32_t> roots;
  for (const py::object quantity : quantities) {
    roots.push_back(space.program().id(reader.number(quantity)));
  }
  const LaneProgram lanes(space.program(), roots, space.domains());
  const auto columns = columns_of(space, lanes, codes, free);
  const auto rows = static_cast<std::size_t>(codes.shape(0));
  py::list results;
  std::vector<std::int64_t*> values;
  for (std::size_t root = 0; root < roots.size(); ++root) {
    py::array_t<std::int64_t> result(static_cast<py::ssize_t>(rows));
    values.push_back(result.mutable_data());
    results.append(std::move(result));
  }
  const auto registers = lanes.registers();
  std::vector<std::array<std::uint8_t, LaneProgram::block>> faults(roots.size());
  std::vector<std::uint8_t*> fault_columns;
  for (auto& column : faults) fault_columns.push_back(column.data());
  for (std::size_t start = 0; start < rows; start += LaneProgram::block) {
    const std::size_t count = std::min(LaneProgram::block, rows - start);
    std::vector<const std::int64_t*> read;
    for (const auto& column : columns) read.push_back(column.data() + start);
    std::vector<std::int64_t*> written;
    for (std::int64_t* column : values) written.push_back(column + start);
    lanes.run(read, count, written, fault_columns, *registers);
    for (std::size_t root = 0; root < roots.size(); ++root) {
      for (std::size_t lane = 0; lane < count; ++lane) {
        if (faults[root][lane] != 0) written[root][lane] = no_exact_value;
      }
    }
  }
  return results;
}

py::list variables(const py::object& self) {
  py::list result;
  for (const Variable& variable : space_of(self).space.variables()) {
    const PlanVariable& domain = variable.domain;
    result.append(result_class("Variable")(
        domain.name, domain.size == 0 ? py::object(py::none()) : py::object(py::int_(domain.size)),
        domain.minimum, domain.maximum, python_quantity(self, variable.active)));
  }
  return result;
}

py::list steps(const py::object& self) {
  py::list result;
  for (const Step& step : space_of(self).space.steps()) result.append(py::str(step.text));
  return result;
}

}  // namespace

QuantityReader::QuantityReader(py::handle engine, Program& program)
    : engine_(engine), type_(quantity_class()), program_(program) {}

std::optional<Quantity> QuantityReader::read(py::handle value) const {
  if (PyLong_CheckExact(value.ptr()) || !py::isinstance(value, type_)) {
    return IntegerReader().read(value);
  }
  if (value.attr("engine").ptr() != engine_.ptr()) {
    throw SpaceError("a quantity belongs to another space");
  }
  return program_.at(value.attr("expression").cast<std::uint32_t>());
}

Quantity QuantityReader::number(py::handle value) const {
  const std::optional<Quantity> number = read(value);
  if (!number)
    throw SpaceError("expected an integer or a quantity of the space, got " + quoted(value));
  return *number;
}

py::object python_quantity(py::handle engine, const Quantity& quantity) {
  if (quantity.is_constant()) return py::int_(quantity.constant());
  return quantity_class()(engine, quantity.expression());
}

void register_space(py::module_& module) {
  py::class_<PySpace>(module, "Space",
                      "A graph with variables: its layers may be there or not, and count several "
                      "times.")
      .def(py::init<>())
      .def(
          "variable",
          [](const py::object& self, std::string name, std::uint32_t size) {
            return python_quantity(self, space_of(self).space.add_variable(std::move(name), size));
          },
          py::arg("name"), py::arg("size"),
          "Declare a choice among `size` and return its code; active where it is declared.")
      .def(
          "free",
          [](const py::object& self, std::string name, std::int64_t minimum, std::int64_t maximum) {
            return python_quantity(
                self, space_of(self).space.add_free_variable(std::move(name), minimum, maximum));
          },
          py::arg("name"), py::arg("minimum"), py::arg("maximum"),
          "Declare an integer that is given by value.")
      .def("expression", &expression, py::arg("opcode"),
           "The result of an operation: an int if it is the same for all configurations.")
      .def("lookup", &lookup, py::arg("index"), py::arg("values"), "values[index].")
      .def(
          "enter",
          [](const py::object& self, const py::object& condition, const py::object& times) {
            const QuantityReader reader = reader_of(self);
            space_of(self).space.enter(reader.number(condition), reader.number(times));
          },
          py::arg("condition"), py::arg("times") = 1,
          "What follows is present where the condition is not 0, and counts `times` times.")
      .def(
          "leave", [](PySpace& self) { self.space.leave(); }, "End what `enter` began.")
      .def("tensor", &tensor, py::arg("kind"), py::arg("shape"), py::arg("dtype") = "float32",
           py::arg("name") = "", py::arg("trainable") = true,
           "Add a tensor that no layer makes and return its index.")
      .def(
          "scope",
          [](PySpace& self, ScopeIndex parent, std::string path, std::string module_class,
             std::int64_t call) {
            return self.space.graph().add_scope(parent, std::move(path), std::move(module_class),
                                                call);
          },
          py::arg("parent"), py::arg("path"), py::arg("module_class"), py::arg("call") = 0,
          "Enter one call of a module, inside another scope; 0 is the root.")
      .def(
          "scope_at",
          [](const PySpace& self, ScopeIndex index) {
            return python_scope(self.space.graph(), index);
          },
          py::arg("index"), "The scope of that index.")
      .def("add", &add, py::arg("op"), py::arg("inputs"), py::arg("attributes") = py::none(),
           py::kw_only(), py::arg("weights") = py::none(), py::arg("dtype") = py::none(),
           py::arg("name") = "", py::arg("scope") = 0, py::arg("inplace") = false,
           "Add a layer: propagate its shapes, count it, return the indices of its outputs.")
      .def("merge", &merge, py::arg("index"), py::arg("tensors"),
           "The tensor of that number in the list; no layer, no cost.")
      .def(
          "require",
          [](const py::object& self, const py::object& condition, std::string text) {
            space_of(self).space.require(reader_of(self).number(condition), std::move(text));
          },
          py::arg("condition"), py::arg("text"), "Refuse configurations where it does not hold.")
      .def(
          "link",
          [](PySpace& self, std::vector<VariableIndex> linked) {
            self.space.link(std::move(linked));
          },
          py::arg("variables"), "Make variables one digit, if they have few enough combinations.")
      .def(
          "output",
          [](PySpace& self, const py::args& tensors) {
            for (const py::handle index : tensors) {
              self.space.graph().add_output(index.cast<TensorIndex>());
            }
          },
          "Mark tensors as outputs of the model.")
      .def(
          "shape",
          [](const py::object& self, TensorIndex index) {
            return python_sizes(
                space_of(self).space.graph().shape(index).sizes(),
                [&self](const Quantity& size) { return python_quantity(self, size); });
          },
          py::arg("tensor"), "The sizes of a tensor.")
      .def(
          "dtype",
          [](const PySpace& self, TensorIndex index) {
            return std::string(dtypes[self.space.graph().dtype(index)].name);
          },
          py::arg("tensor"), "The element type of a tensor.")
      .def(
          "kind",
          [](const PySpace& self, TensorIndex index) {
            return std::string(
                tensor_kind_names[static_cast<std::size_t>(self.space.graph().kind(index))]);
          },
          py::arg("tensor"), "What a tensor is: input, parameter, buffer, constant or activation.")
      .def("__len__", [](const PySpace& self) { return self.space.graph().node_count(); })
      .def(
          "node",
          [](const py::object& self, NodeIndex index) {
            return python_node(space_of(self).space.graph(), index, [&self](const Quantity& value) {
              return python_quantity(self, value);
            });
          },
          py::arg("index"), "The layer of that index.")
      .def("account", &account, py::arg("index"), "What one presence of a layer costs.")
      .def("metric", &metric, py::arg("name"), py::arg("terms"),
           "Define a metric by what each layer (or, of no layer, -1) adds to it.")
      .def("real_metric", &real_metric, py::arg("name"), py::arg("terms"),
           "Define a metric of real numbers by tables: (layer or -1, index, values).")
      .def_property_readonly("variables", &variables, "The variables, in order.")
      .def_property_readonly("steps", &steps, "What may refuse a configuration, in order.")
      .def(
          "support",
          [](const py::object& self, const py::object& quantity) {
            const Quantity number = reader_of(self).number(quantity);
            return py::tuple(py::cast(space_of(self).space.support(number)));
          },
          py::arg("quantity"), "The variables that a quantity depends on.")
      .def("evaluate", &evaluate, py::arg("quantities"), py::arg("codes"),
           py::arg("free") = py::none(),
           "Values of quantities for many configurations; the lowest integer where there is none.")
      .def(
          "compile",
          [](PySpace& self, const std::vector<std::string>& metrics) {
            return make_plan(self.space, metrics);
          },
          py::arg("metrics"), "The tables of these metrics, for sweeps.");
}

}  // namespace netledger::bindings
