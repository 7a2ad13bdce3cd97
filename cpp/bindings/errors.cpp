// Errors of the core as the exceptions of netledger.errors.
#include <exception>
#include <stdexcept>

#include <pybind11/gil_safe_call_once.h>

#include "bindings/register.h"
#include "graph/graph.h"
#include "quantity/checked.h"
#include "space/error.h"

namespace netledger::bindings {

namespace py = pybind11;

namespace {

py::object exception_class(const char* name) {
  return py::module_::import("netledger.errors").attr(name);
}

void raise(const char* name, const char* message) {
  PyErr_SetString(exception_class(name).ptr(), message);
}

}  // namespace

void register_errors(py::module_& /*module*/) {
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const LayerRefused& error) {
      const py::object type = exception_class("LayerError");
      const py::object raised = type(error.what(), error.layer, error.op, error.rule);
      PyErr_SetObject(type.ptr(), raised.ptr());
    } catch (const CountOverflow& error) {
      raise("CountOverflowError", error.what());
    } catch (const SpaceError& error) {
      raise("SpaceError", error.what());
    } catch (const GraphError& error) {
      raise("NetledgerError", error.what());
    } catch (const DivisionByZero& error) {
      raise("NetledgerError", error.what());
    } catch (const std::length_error& error) {
      raise("NetledgerError", error.what());
    }
  });
}

}  // namespace netledger::bindings
