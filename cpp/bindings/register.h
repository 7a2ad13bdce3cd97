// What each file of the bindings adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace netledger::bindings {

void register_errors(pybind11::module_& module);
void register_operations(pybind11::module_& module);
void register_graph(pybind11::module_& module);
void register_evaluate_layer(pybind11::module_& module);
void register_space(pybind11::module_& module);
void register_plan(pybind11::module_& module);
void register_query(pybind11::module_& module);

}  // namespace netledger::bindings
