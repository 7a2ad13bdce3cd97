// Graph: layers in topological order. Every layer is propagated and counted as it is added.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/arena.h"
#include "graph/dtype.h"
#include "graph/shape.h"
#include "ops/layer.h"
#include "ops/op.h"
#include "quantity/program.h"

namespace netledger {

// A graph that is used in a way it does not allow: an unknown op, tensor, node, scope or dtype.
class GraphError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// A layer, or a tensor, that its rule refuses; says which one.
class LayerRefused : public std::invalid_argument {
 public:
  LayerRefused(const std::string& message, std::string layer_name, std::string op_name,
               std::string broken_rule)
      : std::invalid_argument(message),
        layer(std::move(layer_name)),
        op(std::move(op_name)),
        rule(std::move(broken_rule)) {}
  std::string layer;
  std::string op;
  std::string rule;
};

enum class Metric : std::uint8_t {
  params,
  trainable_params,
  buffers,
  macs,
  flops,
  activations,
  outputs,
  memory_access,
  memory_access_bytes,
};
inline constexpr std::size_t metric_count = 9;
inline constexpr std::array<std::string_view, metric_count> metric_names = {
    "params",        "trainable_params",   "buffers", "macs", "flops", "activations", "outputs",
    "memory_access", "memory_access_bytes"};

enum class TensorKind : std::uint8_t { input, parameter, buffer, constant, activation };
inline constexpr std::array<std::string_view, 5> tensor_kind_names = {
    "input", "parameter", "buffer", "constant", "activation"};

using TensorIndex = std::uint32_t;
using NodeIndex = std::uint32_t;
using ScopeIndex = std::uint32_t;
// In a list of weights: the layer goes without this one.
inline constexpr TensorIndex absent = 0xFFFFFFFFU;

// One call of a module.
struct Scope {
  ScopeIndex parent;
  std::string path;
  std::string module_class;
  std::int64_t call;
};

// What is said of a layer besides its op, inputs and attributes.
struct Placement {
  // Explicit weights in the rule's order; when there are none the layer owns its weights.
  std::span<const TensorIndex> weights = {};
  bool explicit_weights = false;
  // Element type of every output, or one for all; the first input's when empty.
  std::span<const DTypeIndex> dtypes = {};
  std::string_view name = {};
  ScopeIndex scope = 0;
  bool inplace = false;
};

// The outputs of a layer: neighbours.
struct Outputs {
  TensorIndex first;
  std::uint32_t count;
};

// A count for every Metric.
using Account = std::array<Quantity, metric_count>;

class Graph {
 public:
  Graph();

  TensorIndex add_tensor(TensorKind kind, const Shape& shape, DTypeIndex dtype = float32,
                         std::string_view name = {}, bool trainable = true);
  ScopeIndex add_scope(ScopeIndex parent, std::string path, std::string module_class,
                       std::int64_t call);
  // Fills in the defaults of `attributes`, applies the op's rule, counts. A refused layer leaves
  // the graph as it was.
  Outputs add(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
              const Placement& placement = {});
  // Refuses a layer whose attributes cannot even be read, as `add` would refuse it.
  [[noreturn]] void refuse(const Op& op, std::span<const TensorIndex> inputs,
                           const Placement& placement, const std::string& rule) const;
  [[noreturn]] void refuse_overflow(const Op& op, std::span<const TensorIndex> inputs,
                                    const Placement& placement, std::string_view rule) const;
  // Gives a tensor other sizes, for the layers that read it.
  void resize(TensorIndex tensor, const Shape& shape);
  // Counts a parameter or buffer that no layer reads at this node.
  void claim(TensorIndex tensor, NodeIndex node);
  void add_output(TensorIndex tensor);

  // The parameters and buffers that no node counts.
  [[nodiscard]] std::vector<TensorIndex> unclaimed() const;

  // From now on layers count only weights of their own: whether a parameter that was added on its
  // own is used at all is for the caller to say.
  void leave_given_weights_uncounted() noexcept { counts_given_ = false; }

  [[nodiscard]] Program& program() noexcept { return *program_; }
  [[nodiscard]] const Program& program() const noexcept { return *program_; }

  [[nodiscard]] std::size_t node_count() const noexcept { return nodes_.size(); }
  [[nodiscard]] std::size_t tensor_count() const noexcept { return tensors_.size(); }
  [[nodiscard]] const std::vector<Scope>& scopes() const noexcept { return scopes_; }
  [[nodiscard]] const std::vector<TensorIndex>& outputs() const noexcept { return model_outputs_; }

  [[nodiscard]] Shape shape(TensorIndex tensor) const;
  [[nodiscard]] DTypeIndex dtype(TensorIndex tensor) const { return at(tensor).dtype; }
  [[nodiscard]] TensorKind kind(TensorIndex tensor) const { return at(tensor).kind; }
  [[nodiscard]] bool is_claimed(TensorIndex tensor) const { return at(tensor).claimed; }
  // The tensor whose memory it shares; itself if none.
  [[nodiscard]] TensorIndex storage(TensorIndex tensor) const { return at(tensor).storage; }
  // Memory of a tensor of constant sizes, in bytes.
  [[nodiscard]] __int128 bytes(TensorIndex tensor) const { return bytes(at(tensor)); }
  [[nodiscard]] const std::string& tensor_name(TensorIndex tensor) const {
    return names_[at(tensor).name];
  }

  [[nodiscard]] const Op& op(NodeIndex node) const { return operations()[node_at(node).op]; }
  [[nodiscard]] const std::string& name(NodeIndex node) const { return names_[node_at(node).name]; }
  [[nodiscard]] ScopeIndex scope(NodeIndex node) const { return node_at(node).scope; }
  [[nodiscard]] bool inplace(NodeIndex node) const { return node_at(node).inplace; }
  [[nodiscard]] std::span<const TensorIndex> inputs(NodeIndex node) const;
  [[nodiscard]] std::span<const TensorIndex> weights(NodeIndex node) const;
  [[nodiscard]] Outputs outputs(NodeIndex node) const;
  [[nodiscard]] Attributes attributes(NodeIndex node) const;
  // What errors call a layer: its name, else its module's path, else its op and number.
  [[nodiscard]] std::string label(const Op& op, std::string_view name, ScopeIndex scope,
                                  std::size_t node) const;
  // As in an error: layer 'stem' (conv2d).
  [[nodiscard]] std::string describe_node(NodeIndex node) const;
  [[nodiscard]] Account account(NodeIndex node) const;

  void check_tensor(TensorIndex tensor) const {
    if (tensor >= tensors_.size()) refuse_index("tensor", tensor, tensors_.size());
  }
  void check_node(NodeIndex node) const {
    if (node >= nodes_.size()) refuse_index("node", node, nodes_.size());
  }
  void check_scope(ScopeIndex scope) const {
    if (scope >= scopes_.size()) refuse_index("scope", scope, scopes_.size());
  }

 private:
  friend struct Counts count(const Graph& graph);
  friend __int128 peak_memory(const Graph& graph);

  // A Quantity in eight bytes: a constant is itself, an expression is stored below every constant.
  using Word = std::int64_t;
  using StoredAccount = std::array<Word, metric_count>;
  // Attributes are small numbers as a rule: they are laid down in units of two bytes.
  using Unit = std::int16_t;

  struct Tensor {
    Word elements;
    std::uint32_t sizes;  // where its sizes stand
    TensorIndex storage;  // the tensor whose memory it shares; itself if none
    std::uint32_t name;
    std::uint8_t rank;
    DTypeIndex dtype;
    TensorKind kind;
    bool trainable : 1;
    bool claimed : 1;
  };

  struct Node {
    std::uint32_t links;  // where its inputs and weights stand
    std::uint32_t input_count;
    std::uint32_t attributes;
    TensorIndex first_output;
    std::uint32_t output_count;
    std::uint32_t name;
    ScopeIndex scope;
    std::uint32_t weight_count;
    std::uint16_t op;
    bool inplace;
  };

  // Where attributes stand that were stored not long ago.
  struct RecentAttributes {
    std::uint64_t hash = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  // Parameters and buffers that are counted at one node.
  struct Owned {
    Quantity params = 0;
    Quantity trainable_params = 0;
    Quantity buffers = 0;
  };

  static constexpr Word expression_base = std::numeric_limits<Word>::min();

  [[nodiscard]] static Word store(const Quantity& quantity) noexcept {
    return quantity.is_constant() ? quantity.constant() : expression_base + quantity.expression();
  }
  [[nodiscard]] Quantity load(Word word) const noexcept {
    if (word >= checked::lowest) return word;
    return program_->at(static_cast<std::uint32_t>(word - expression_base));
  }
  [[nodiscard]] const Tensor& at(TensorIndex tensor) const {
    check_tensor(tensor);
    return tensors_[tensor];
  }
  [[nodiscard]] const Node& node_at(NodeIndex node) const {
    check_node(node);
    return nodes_[node];
  }
  [[nodiscard]] static __int128 bytes(const Tensor& tensor) {
    return static_cast<__int128>(tensor.elements) * dtypes[tensor.dtype].itemsize;
  }
  [[noreturn]] static void refuse_index(std::string_view kind, std::uint32_t index,
                                        std::size_t count);
  void load_shape(const Tensor& tensor, Shape& shape) const;
  [[nodiscard]] std::uint32_t store_sizes(const Shape& shape, const Tensor* like);
  [[nodiscard]] std::uint32_t store_attributes(const Attributes& attributes);
  [[nodiscard]] std::uint32_t store_name(std::string_view name);

  [[nodiscard]] StoredAccount apply_rule(const Op& op, std::span<const TensorIndex> inputs,
                                         Attributes& attributes, const Placement& placement);
  void check_weights(const Placement& placement);
  [[nodiscard]] StoredAccount account_of(const Op& op, std::span<const TensorIndex> inputs,
                                         const Placement& placement) const;
  // Parameters and buffers are counted at the first node that reads them.
  [[nodiscard]] bool is_unclaimed(const Tensor& tensor) const noexcept {
    return counts_given_ && !tensor.claimed &&
           (tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::buffer);
  }
  void add_unclaimed(Owned& owned, std::span<const TensorIndex> tensors,
                     std::span<const TensorIndex> earlier = {}) const;
  [[nodiscard]] Outputs append_layer(const Op& op, std::span<const TensorIndex> inputs,
                                     const Attributes& attributes, const Placement& placement,
                                     const StoredAccount& account);
  [[nodiscard]] DTypeIndex output_dtype(std::span<const TensorIndex> inputs,
                                        const Placement& placement, std::size_t output) const;
  [[nodiscard]] std::string label(const Op& op, const Placement& placement) const {
    return label(op, placement.name, placement.scope, nodes_.size());
  }
  [[nodiscard]] std::string describe(const Op& op, const std::string& label,
                                     std::span<const TensorIndex> inputs,
                                     std::string_view rule) const;

  std::unique_ptr<Program> program_;
  bool counts_given_ = true;
  Arena<Tensor> tensors_;
  Arena<Node> nodes_;
  // Of every node; apart from it, because they are read apart.
  Arena<StoredAccount> accounts_;
  Arena<Word> sizes_;
  Arena<Unit> attribute_units_;
  Arena<TensorIndex> links_;
  // By hash: layers that repeat share their attributes.
  std::vector<RecentAttributes> recent_attributes_;
  std::vector<Unit> attribute_scratch_;
  std::vector<std::string> names_;
  std::vector<Scope> scopes_;
  std::vector<TensorIndex> model_outputs_;
  // The layer being added: kept so that its memory is reused.
  Layer layer_;
};

// A layer as errors speak of it: layer 'stem' (conv2d), or the op alone.
[[nodiscard]] std::string called(const Op& op, std::string_view label);

// The sentence of a refused layer: its name (if any), its op, the rule it breaks, its input shapes.
[[nodiscard]] std::string describe_layer(const Op& op, std::string_view label,
                                         std::string_view shapes, std::string_view rule);

// What the layers of a graph without variables cost.
struct Counts {
  std::array<std::vector<std::int64_t>, metric_count> columns;
  // Sums of 64-bit columns: 128 bits hold them all.
  std::array<__int128, metric_count> totals{};
  __int128 peak_memory = 0;
};

// One row per node. Throws GraphError if a count is an expression.
[[nodiscard]] Counts count(const Graph& graph);

// The largest sum of the activations alive at once, over the layers, in bytes. A storage lives
// from the layer that makes it (inputs: from the start) to the last layer that reads it or a view
// of it; outputs of the model live to the end.
[[nodiscard]] __int128 peak_memory(const Graph& graph);

}  // namespace netledger
