// The extension module: registers only.
#include <pybind11/pybind11.h>

#include "bindings/register.h"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "The compiled core: shape propagation and cost accounting over layer graphs.";
  netledger::bindings::register_errors(module);
  netledger::bindings::register_operations(module);
  netledger::bindings::register_graph(module);
  netledger::bindings::register_evaluate_layer(module);
  netledger::bindings::register_space(module);
  netledger::bindings::register_plan(module);
  netledger::bindings::register_query(module);
}
