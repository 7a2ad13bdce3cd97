#include "bindings/code_arrays.h"

#include <string>

#include "space/error.h"

namespace netledger::bindings {

namespace {

bool is_unsigned(const py::array& codes, py::ssize_t itemsize) {
  return codes.dtype().kind() == 'u' && codes.itemsize() == itemsize &&
         codes.dtype().byteorder() != '>';
}

std::string dtype_name(const py::array& codes) {
  return py::str(codes.dtype()).cast<std::string>();
}

CodeView view(const py::array& codes, CodeWidth width) {
  return {.data = codes.data(),
          .rows = static_cast<std::size_t>(codes.shape(0)),
          .columns = static_cast<std::size_t>(codes.shape(1)),
          .row_stride = codes.strides(0),
          .column_stride = codes.strides(1),
          .width = width};
}

}  // namespace

CodeView code_view(const py::array& codes) {
  const bool bytes = is_unsigned(codes, 1);
  if (!bytes && !is_unsigned(codes, 2)) {
    throw SpaceError("codes are of dtype uint8 or uint16, got " + dtype_name(codes));
  }
  if (codes.ndim() != 2) {
    throw SpaceError("codes have two dimensions, (rows, variables), got " +
                     std::to_string(codes.ndim()));
  }
  return view(codes, bytes ? CodeWidth::byte : CodeWidth::word);
}

CodeView packed_view(const py::array& packed) {
  if (!is_unsigned(packed, 2)) {
    throw SpaceError("packed codes are of dtype uint16, got " + dtype_name(packed));
  }
  if (packed.ndim() != 2) {
    throw SpaceError("packed codes have two dimensions, (rows, digits), got " +
                     std::to_string(packed.ndim()));
  }
  return view(packed, CodeWidth::word);
}

NewCodes new_codes(std::size_t rows, std::size_t columns, CodeWidth width) {
  const py::array::ShapeContainer shape{rows, columns};
  py::array array = width == CodeWidth::byte ? py::array(py::array_t<std::uint8_t>(shape))
                                             : py::array(py::array_t<std::uint16_t>(shape));
  const CodeOutput output{
      .data = array.mutable_data(), .rows = rows, .columns = columns, .width = width};
  return {std::move(array), output};
}

}  // namespace netledger::bindings
