// Plans of spaces, as Python sweeps them.
#pragma once

#include <string>
#include <vector>

#include <pybind11/pybind11.h>

#include "space/space.h"

namespace netledger::bindings {

// A netledger._core.Plan of these metrics.
[[nodiscard]] pybind11::object make_plan(Space& space, const std::vector<std::string>& metrics);

}  // namespace netledger::bindings
