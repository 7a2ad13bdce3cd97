#include "bindings/space_expectation.h"

#include <string>

#include <pybind11/numpy.h>

#include "space/error.h"
#include "space/run.h"

namespace netledger::bindings {

namespace py = pybind11;

const Expectation& Expectations::of(MetricId metric) {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<Expectation>& known = made_[{metric.real, metric.index}];
  if (known == nullptr) known = std::make_unique<Expectation>(plan_, metric);
  return *known;
}

py::tuple expected(const Expectation& expectation, const py::handle& probabilities, bool gradient,
                   unsigned threads, bool check) {
  using Matrix = py::array_t<double, py::array::c_style>;
  if (!py::isinstance<Matrix>(probabilities)) {
    throw SpaceError("probabilities are a contiguous array of float64");
  }
  const auto matrix = py::reinterpret_borrow<Matrix>(probabilities);
  const auto columns = static_cast<py::ssize_t>(expectation.columns());
  if (matrix.ndim() != 2 || matrix.shape(1) != columns) {
    throw SpaceError("probabilities are a matrix of " + std::to_string(columns) +
                     " columns, one for each code of each variable");
  }
  py::array_t<double> values(matrix.shape(0));
  py::object gradients = py::none();
  ProbabilityRows rows{.probabilities = matrix.data(),
                       .rows = static_cast<std::uint64_t>(matrix.shape(0)),
                       .check = check,
                       .values = values.mutable_data()};
  if (gradient) {
    py::array_t<double> made({matrix.shape(0), columns});
    rows.gradients = made.mutable_data();
    gradients = std::move(made);
  }
  const RunOptions options{.threads = threads, .wait = [](std::uint64_t /*done*/) {
                             const py::gil_scoped_acquire acquire;
                             if (PyErr_CheckSignals() != 0) throw py::error_already_set();
                           }};
  {
    const py::gil_scoped_release release;
    expectation.evaluate(rows, options);
  }
  return py::make_tuple(std::move(values), std::move(gradients));
}

}  // namespace netledger::bindings
