#include "bindings/convert.h"

namespace netledger::bindings {

std::optional<Quantity> IntegerReader::read(py::handle value) const {
  PyObject* number = value.ptr();
  py::object index;
  if (!PyLong_CheckExact(number)) {
    if (PyBool_Check(number) || !PyIndex_Check(number)) return std::nullopt;
    index = py::reinterpret_steal<py::object>(PyNumber_Index(number));
    if (!index) {
      PyErr_Clear();
      return std::nullopt;
    }
    number = index.ptr();
  }
  int overflow = 0;
  const long long result = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow != 0 || result < checked::lowest) checked::overflow();
  return Quantity(result);
}

py::int_ python_int(__int128 value) {
  const bool negative = value < 0;
  const auto magnitude =
      negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  const py::int_ high(static_cast<std::uint64_t>(magnitude >> 64U));
  const py::int_ low(static_cast<std::uint64_t>(magnitude));
  const py::object joined = (high << py::int_(64)) | low;
  return py::int_(negative ? -joined : joined);
}

py::object python_constant(const Quantity& quantity) { return py::int_(quantity.constant()); }

py::tuple python_sizes(std::span<const Quantity> sizes) {
  // Apart from the general form: a traced model asks for the shape of every layer.
  py::tuple result(sizes.size());
  for (std::size_t index = 0; index < sizes.size(); ++index) {
    result[index] = py::int_(sizes[index].constant());
  }
  return result;
}

py::tuple python_sizes(std::span<const Quantity> sizes, const ToPython& to_python) {
  py::tuple result(sizes.size());
  for (std::size_t index = 0; index < sizes.size(); ++index)
    result[index] = to_python(sizes[index]);
  return result;
}

py::dict python_attributes(const Attributes& attributes, const ToPython& to_python) {
  py::dict result;
  for (std::size_t slot = 0; slot < attributes.specs().size(); ++slot) {
    const AttributeSpec& spec = attributes.specs()[slot];
    py::object value;
    if (attributes.is_none(slot)) {
      value = py::none();
    } else if (spec.kind == AttributeKind::text) {
      value = py::str(attributes.text(slot));
    } else if (spec.kind == AttributeKind::choice || attributes.is_word(slot)) {
      value = py::str(std::string(attributes.word(slot)));
    } else if (spec.kind == AttributeKind::flag) {
      value = py::bool_(attributes.values(slot)[0].constant() != 0);
    } else if (attributes.values(slot).size() == 1) {
      value = to_python(attributes.values(slot)[0]);
    } else {
      value = python_sizes(attributes.values(slot), to_python);
    }
    result[py::str(std::string(spec.name))] = value;
  }
  return result;
}

py::object result_class(const char* name) {
  return py::module_::import("netledger._results").attr(name);
}

const Op& operation(std::string_view name) {
  const Op* op = find_operation(name);
  if (op == nullptr) throw GraphError("unknown op '" + std::string(name) + "'");
  return *op;
}

DTypeIndex dtype(std::string_view name) {
  const std::optional<DTypeIndex> found = find_dtype(name);
  if (found) return *found;
  std::string known;
  for (const DType& entry : dtypes) known += (known.empty() ? "" : ", ") + std::string(entry.name);
  throw GraphError("unknown dtype '" + std::string(name) + "'; the dtypes are " + known);
}

std::string expected(const AttributeSpec& spec) {
  std::string words;
  for (const std::string_view choice : spec.choices) {
    words += (words.empty() ? "'" : ", '") + std::string(choice) + "'";
  }
  switch (spec.kind) {
    case AttributeKind::integer:
      return "an integer";
    case AttributeKind::integers: {
      const std::string numbers = "an integer or a sequence of integers";
      return words.empty() ? numbers : numbers + ", or one of " + words;
    }
    case AttributeKind::flag:
      return "True or False";
    case AttributeKind::choice:
      return "one of " + words;
    case AttributeKind::text:
      return "a string";
  }
  return "";
}

std::string quoted(py::handle value) { return py::repr(value).cast<std::string>(); }

}  // namespace netledger::bindings
