// Plan: what a compiled space is to a sweep. Plain tables over codes, and a program for what is too
// large for tables; nothing here refers to the graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quantity/lanes.h"

namespace netledger {

using VariableIndex = std::uint32_t;

// 1 + the step (a layer or a constraint) that refuses a configuration; 0 when nothing does.
using Refusal = std::uint32_t;
inline constexpr Refusal accepted = 0;
// In enumerations: the configuration is another spelling of one that is counted elsewhere.
inline constexpr Refusal not_canonical = 0xFFFFFFFFU;

// A variable of the space. A coded one has `size` choices, of codes 0 to size - 1; a free one
// (size 0) is given by value, from `minimum` to `maximum`.
struct PlanVariable {
  std::string name;
  std::uint32_t size = 0;
  std::int64_t minimum = 0;
  std::int64_t maximum = 0;
};

// A table of costs over a few coded variables: the part of the cost that depends on them alone.
struct Factor {
  // Ascending.
  std::vector<VariableIndex> variables;
  // The product of the variables' sizes. Row-major over the codes: the last variable runs fastest.
  std::size_t entries = 1;
  // For each integer metric of the plan its values; empty where they are all zero.
  std::vector<std::vector<std::int64_t>> values;
  // For each real metric of the plan.
  std::vector<std::vector<double>> reals;
  // For each entry the first step that refuses it; empty where none does. The values of a refused
  // entry are zero.
  std::vector<Refusal> refusals;
};

// Where a variable is active: over the coded variables of its condition, which come before it.
// Codes of an inactive variable do not matter; the canonical one is 0.
struct Activity {
  std::vector<VariableIndex> variables;
  // Row-major; empty: always active.
  std::vector<std::uint8_t> active;
};

// What no table holds: evaluated for each configuration.
struct Lanes {
  LaneProgram program;
  // The columns that the program reads: of a coded variable its codes, of a free one its values.
  // Its roots are: one per integer metric of the plan (to be added to the factors), then one per
  // entry of `steps` (0 where that step refuses the configuration).
  std::vector<Refusal> steps;
};

struct Plan {
  std::vector<PlanVariable> variables;
  std::vector<Activity> activities;
  // Variables that enumerations and packed codes treat as one choice, where there are few enough
  // combinations; ascending. May be empty.
  std::vector<std::vector<VariableIndex>> links;
  std::vector<std::string> metrics;
  std::vector<std::string> real_metrics;
  // What every configuration costs, for each metric.
  std::vector<std::int64_t> constants;
  std::vector<double> real_constants;
  // One for each set of variables that some part of the cost, or some refusal, depends on.
  std::vector<Factor> factors;
  std::unique_ptr<Lanes> lanes;
  // Proven: every accepted configuration's total lies within, for each integer metric.
  std::vector<std::pair<std::int64_t, std::int64_t>> bounds;
};

}  // namespace netledger
