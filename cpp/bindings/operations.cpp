// The book of operations and the configuration of the build.
#include <string>

#include "bindings/build_config.h"
#include "bindings/convert.h"
#include "bindings/register.h"

namespace netledger::bindings {

namespace {

std::string kind_name(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::integer:
      return "integer";
    case AttributeKind::integers:
      return "integers";
    case AttributeKind::flag:
      return "flag";
    case AttributeKind::choice:
      return "choice";
    case AttributeKind::text:
      return "text";
  }
  return "";
}

py::object default_of(const AttributeSpec& spec) {
  switch (spec.otherwise) {
    case Otherwise::required:
      return py::str("required");
    case Otherwise::none:
      return py::none();
    case Otherwise::value:
      break;
  }
  if (spec.kind == AttributeKind::flag) return py::bool_(spec.fallback != 0);
  if (spec.kind == AttributeKind::choice) {
    return py::str(std::string(spec.choices[static_cast<std::size_t>(spec.fallback)]));
  }
  if (spec.kind == AttributeKind::text) return py::str("");
  return py::int_(spec.fallback);
}

py::dict describe_operations() {
  py::dict book;
  for (const Op& op : operations()) {
    py::list attributes;
    for (const AttributeSpec& spec : op.attributes) {
      py::tuple choices(spec.choices.size());
      for (std::size_t index = 0; index < spec.choices.size(); ++index) {
        choices[index] = py::str(std::string(spec.choices[index]));
      }
      attributes.append(
          py::make_tuple(std::string(spec.name), kind_name(spec.kind), default_of(spec), choices));
    }
    py::dict entry;
    entry["family"] = std::string(op.family);
    entry["minimum_inputs"] = op.minimum_inputs;
    entry["maximum_inputs"] = op.maximum_inputs == any_number
                                  ? py::object(py::none())
                                  : py::object(py::int_(op.maximum_inputs));
    entry["contraction"] = op.contraction;
    entry["view"] = op.view;
    entry["attributes"] = attributes;
    book[py::str(std::string(op.name))] = entry;
  }
  return book;
}

py::dict build_config() {
  py::dict config;
  config["implementation"] = "core";
  config["version"] = NETLEDGER_VERSION;
  config["compiler"] = NETLEDGER_COMPILER;
  config["build_type"] = NETLEDGER_BUILD_TYPE;
  config["cxx_flags"] = NETLEDGER_CXX_FLAGS;
  return config;
}

}  // namespace

void register_operations(py::module_& module) {
  module.def("operations", &describe_operations,
             "Every op by name: family, inputs, flags, and its attributes with kind, default, "
             "words.");
  module.def("build_config", &build_config, "How this implementation was built.");
}

}  // namespace netledger::bindings
