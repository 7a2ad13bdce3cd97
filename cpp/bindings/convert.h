// Python values as the core's shapes and attributes, and back.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <pybind11/pybind11.h>

#include "graph/graph.h"
#include "ops/attributes.h"
#include "ops/op.h"

namespace netledger::bindings {

namespace py = pybind11;

// Reads Python integers. `evaluate_layer` has another reader, for which arrays are numbers too.
struct IntegerReader {
  // A Quantity, or nullopt when the value is not an integer (True and False are not).
  [[nodiscard]] std::optional<Quantity> read(py::handle value) const;
};

// An exact Python int.
[[nodiscard]] py::int_ python_int(__int128 value);
// How a quantity reads in Python: constants as ints, unless somebody knows more.
using ToPython = std::function<py::object(const Quantity&)>;
[[nodiscard]] py::object python_constant(const Quantity& quantity);
[[nodiscard]] py::tuple python_sizes(std::span<const Quantity> sizes);
[[nodiscard]] py::tuple python_sizes(std::span<const Quantity> sizes, const ToPython& to_python);
[[nodiscard]] py::dict python_attributes(const Attributes& attributes, const ToPython& to_python);

// A class of netledger._results.
[[nodiscard]] py::object result_class(const char* name);

[[nodiscard]] const Op& operation(std::string_view name);
[[nodiscard]] DTypeIndex dtype(std::string_view name);

// What an attribute must be, in words.
[[nodiscard]] std::string expected(const AttributeSpec& spec);

[[nodiscard]] std::string quoted(py::handle value);

template <class Reader>
bool read_sequence(py::handle value, Reader& reader, std::vector<Quantity>& entries) {
  if (py::isinstance<py::str>(value) || !PySequence_Check(value.ptr())) return false;
  const auto fast = py::reinterpret_steal<py::object>(PySequence_Fast(value.ptr(), ""));
  if (!fast) throw py::error_already_set();
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast.ptr());
  for (Py_ssize_t index = 0; index < count; ++index) {
    const std::optional<Quantity> entry = reader.read(PySequence_Fast_GET_ITEM(fast.ptr(), index));
    if (!entry) return false;
    entries.push_back(*entry);
  }
  return true;
}

template <class Reader>
bool set_attribute(Attributes& attributes, std::size_t slot, py::handle value, Reader& reader) {
  const AttributeSpec& spec = attributes.specs()[slot];
  if (value.is_none() && spec.otherwise == Otherwise::none) {
    attributes.set_none(slot);
    return true;
  }
  if (py::isinstance<py::str>(value)) {
    if (spec.kind == AttributeKind::text) {
      attributes.set_text(slot, value.cast<std::string>());
      return true;
    }
    const auto word = value.cast<std::string>();
    for (std::size_t choice = 0; choice < spec.choices.size(); ++choice) {
      if (spec.choices[choice] == word) {
        attributes.set_word(slot, choice);
        return true;
      }
    }
    return false;
  }
  if (spec.kind == AttributeKind::flag) {
    if (!PyBool_Check(value.ptr())) return false;
    attributes.set(slot, {value.ptr() == Py_True ? 1 : 0});
    return true;
  }
  if (spec.kind != AttributeKind::integer && spec.kind != AttributeKind::integers) return false;
  if (const std::optional<Quantity> number = reader.read(value)) {
    attributes.set(slot, {*number});
    return true;
  }
  if (spec.kind == AttributeKind::integer) return false;
  std::vector<Quantity> entries;
  if (!read_sequence(value, reader, entries)) return false;
  attributes.set(slot, entries);
  return true;
}

// Fills `attributes` from a mapping of names to values, in the order of the op's attributes.
// Returns the sentence of a refusal, or nothing.
template <class Reader>
[[nodiscard]] std::optional<std::string> read_attributes(const Op& op, py::handle mapping,
                                                         Reader& reader, Attributes& attributes) {
  attributes.reset(op.attributes);
  std::array<PyObject*, Attributes::maximum_count> values{};
  if (!mapping.is_none()) {
    // A dict is read in place; any other mapping through a copy.
    const py::dict given = py::isinstance<py::dict>(mapping)
                               ? py::reinterpret_borrow<py::dict>(mapping)
                               : py::dict(py::reinterpret_borrow<py::object>(mapping));
    for (const auto& [key, value] : given) {
      Py_ssize_t length = 0;
      const char* name = PyUnicode_AsUTF8AndSize(key.ptr(), &length);
      if (name == nullptr) throw py::error_already_set();
      const std::size_t slot =
          attributes.find(std::string_view(name, static_cast<std::size_t>(length)));
      if (slot == op.attributes.size()) {
        std::string accepted;
        for (const AttributeSpec& spec : op.attributes) {
          accepted += (accepted.empty() ? "" : ", ") + std::string(spec.name);
        }
        return "unknown attribute '" + std::string(name) + "'; " + std::string(op.name) +
               " takes " + (accepted.empty() ? "none" : accepted);
      }
      values[slot] = value.ptr();
    }
    for (std::size_t slot = 0; slot < op.attributes.size(); ++slot) {
      const AttributeSpec& spec = op.attributes[slot];
      if (values[slot] == nullptr) {
        if (spec.otherwise == Otherwise::required) break;
        continue;
      }
      if (!set_attribute(attributes, slot, values[slot], reader)) {
        return "attribute '" + std::string(spec.name) + "' must be " + expected(spec) + ", got " +
               quoted(values[slot]);
      }
    }
  }
  return std::nullopt;
}

}  // namespace netledger::bindings
