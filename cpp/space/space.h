// Space: a graph with variables. Layers may be there or not, and count several times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "space/error.h"
#include "space/plan.h"

namespace netledger {

// Where something is present: a condition, and how many times it then counts.
struct Presence {
  Quantity present = 1;
  Quantity times = 1;
};

struct Variable {
  PlanVariable domain;
  // Where it is active; 1: always.
  Quantity active;
};

// A layer or a constraint: what may refuse a configuration.
struct Step {
  // The text of a constraint, or what the layer is called.
  std::string text;
};

// What one layer adds to a metric, each time it is present; of no layer: as it is.
struct MetricTerm {
  std::optional<NodeIndex> node;
  Quantity cost;
};

// The same of a metric of real numbers: values[index].
struct RealTerm {
  std::optional<NodeIndex> node;
  Quantity index;
  std::vector<double> values;
};

class Space {
 public:
  Space();

  // -- variables: active only where they are declared ---------------------------------------------
  // The code of a choice, 0 to size - 1.
  [[nodiscard]] Quantity add_variable(std::string name, std::uint32_t size);
  // An integer from `minimum` to `maximum`, given by value.
  [[nodiscard]] Quantity add_free_variable(std::string name, std::int64_t minimum,
                                           std::int64_t maximum);
  [[nodiscard]] const std::vector<Variable>& variables() const noexcept { return variables_; }
  // The variables that a quantity depends on, ascending.
  [[nodiscard]] std::vector<VariableIndex> support(const Quantity& quantity) const;

  // -- structure ----------------------------------------------------------------------------------
  // What follows is present only where the condition is not 0 and `times` is positive, and counts
  // so many times.
  void enter(const Quantity& condition, const Quantity& times);
  void leave();
  TensorIndex add_tensor(TensorKind kind, const Shape& shape, DTypeIndex dtype,
                         std::string_view name, bool trainable);
  Outputs add(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
              const Placement& placement);
  // The tensor of that number in the list.
  TensorIndex merge(const Quantity& index, std::span<const TensorIndex> tensors);
  // Variables that packed codes and enumerations count together, if they have few enough
  // combinations.
  void link(std::vector<VariableIndex> variables);
  // A constraint between the variables.
  void require(const Quantity& condition, std::string text);

  // -- reading ------------------------------------------------------------------------------------
  [[nodiscard]] Graph& graph() noexcept { return graph_; }
  [[nodiscard]] const Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] Program& program() noexcept { return graph_.program(); }
  [[nodiscard]] const Program& program() const noexcept { return graph_.program(); }
  [[nodiscard]] const std::vector<Step>& steps() const noexcept { return steps_; }
  [[nodiscard]] const Presence& presence(NodeIndex node) const {
    graph_.check_node(node);
    return presences_[node];
  }
  // Where each variable lies.
  [[nodiscard]] std::vector<Interval> domains() const;

  // -- metrics ------------------------------------------------------------------------------------
  void add_metric(const std::string& name, std::vector<MetricTerm> terms);
  void add_real_metric(const std::string& name, std::vector<RealTerm> terms);
  [[nodiscard]] Plan compile(std::span<const std::string> metrics);

 private:
  friend class Compiler;

  // A parameter or buffer that was added on its own, and where some layer reads it.
  struct Given {
    TensorKind kind;
    bool trainable;
    Quantity elements;
    Quantity read = 0;
  };

  // Whether that is known to hold for all configurations.
  [[nodiscard]] bool lies_within(const Quantity& quantity, std::int64_t low, std::int64_t high);
  [[nodiscard]] Quantity known_inputs(std::span<const TensorIndex> inputs,
                                      const Attributes& attributes);
  void withhold_refused_sizes(const Outputs& outputs, const Quantity& known,
                              std::size_t requirements);
  void note_reading(std::span<const TensorIndex> tensors);
  // Refuses a layer that all configurations refuse as the graph of the first of them does.
  void refuse_first(const Op& op, std::span<const TensorIndex> inputs, const Attributes& attributes,
                    const Placement& placement);
  // Refuses a layer as the graph of one configuration does, if that refuses it.
  void refuse_concrete(const Op& op, std::span<const TensorIndex> inputs,
                       const Attributes& attributes, const Placement& placement,
                       const std::function<std::optional<Quantity>(const Quantity&)>& value) const;

  Graph graph_;
  std::vector<Variable> variables_;
  // The innermost presence last.
  std::vector<Presence> entered_;
  // Of every layer.
  std::vector<Presence> presences_;
  std::vector<std::uint32_t> node_steps_;
  std::vector<Step> steps_;
  std::vector<std::vector<VariableIndex>> links_;
  std::unordered_map<TensorIndex, Given> given_;
  std::unordered_map<std::string, std::vector<MetricTerm>> metrics_;
  std::unordered_map<std::string, std::vector<RealTerm>> real_metrics_;
};

}  // namespace netledger
