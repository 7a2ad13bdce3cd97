// Expected costs of plans, for Python.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include <pybind11/pybind11.h>

#include "query/expectation.h"
#include "space/reductions.h"

namespace netledger::bindings {

// Those of one plan, each made when it is first asked for.
class Expectations {
 public:
  // The plan outlives this.
  explicit Expectations(const Plan& plan) : plan_(plan) {}

  [[nodiscard]] const Expectation& of(MetricId metric);

 private:
  const Plan& plan_;
  std::mutex mutex_;
  std::map<std::pair<bool, std::uint32_t>, std::unique_ptr<Expectation>> made_;
};

// (values, gradients or None) of a matrix of probabilities, float64 (rows, total codes).
[[nodiscard]] pybind11::tuple expected(const Expectation& expectation,
                                       const pybind11::handle& probabilities, bool gradient,
                                       unsigned threads, bool check);

}  // namespace netledger::bindings
