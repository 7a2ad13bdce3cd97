// Matrices of codes between numpy and the core.
#pragma once

#include <cstddef>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "space/codes.h"

namespace netledger::bindings {

namespace py = pybind11;

// A matrix of codes, uint8 or uint16, of any strides. The array owns the memory.
[[nodiscard]] CodeView code_view(const py::array& codes);
// A matrix of packed codes, uint16.
[[nodiscard]] CodeView packed_view(const py::array& packed);

// A new matrix of the width, to be filled.
struct NewCodes {
  py::array array;
  CodeOutput output;
};
[[nodiscard]] NewCodes new_codes(std::size_t rows, std::size_t columns, CodeWidth width);

}  // namespace netledger::bindings
