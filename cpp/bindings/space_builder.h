// A space as Python builds it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/layer_arguments.h"
#include "space/space.h"

namespace netledger::bindings {

// Reads integers, and quantities of one space.
class QuantityReader {
 public:
  // `engine`: the Python object of the space.
  QuantityReader(py::handle engine, Program& program);
  [[nodiscard]] std::optional<Quantity> read(py::handle value) const;
  // The same, of something that must be a number.
  [[nodiscard]] Quantity number(py::handle value) const;

 private:
  py::handle engine_;
  py::object type_;
  Program& program_;
};

// An int, or a netledger.quantity.Quantity of the space.
[[nodiscard]] py::object python_quantity(py::handle engine, const Quantity& quantity);

}  // namespace netledger::bindings
