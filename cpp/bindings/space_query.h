// Questions about whole spaces, as Python asks them.
#pragma once

#include <string>
#include <vector>

#include <pybind11/pybind11.h>

#include "space/candidates.h"
#include "space/codes.h"
#include "space/plan.h"

namespace netledger::bindings {

// A netledger._core.Query. `owner` keeps the plan.
[[nodiscard]] pybind11::object make_query(const Plan& plan, pybind11::object owner,
                                          const std::vector<std::string>& metrics, Law law,
                                          const pybind11::sequence& restrictions,
                                          const pybind11::sequence& constraints, std::size_t memory,
                                          CodeWidth width);

}  // namespace netledger::bindings
