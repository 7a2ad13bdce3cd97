// Graphs: who owns and counts a weight, what a refused layer leaves behind, what is read back.
#include "graph/graph.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "ops/op.h"

namespace netledger {

namespace {

using Tensors = std::vector<TensorIndex>;
using Sizes = std::vector<std::int64_t>;

struct Given {
  std::string_view name;
  std::vector<Quantity> values;
};

const Op& operation(std::string_view name) {
  const Op* op = find_operation(name);
  REQUIRE(op != nullptr);
  return *op;
}

Attributes attributes_of(const Op& op, const std::vector<Given>& given) {
  Attributes attributes(op.attributes);
  for (const Given& attribute : given) {
    const std::size_t slot = attributes.find(attribute.name);
    REQUIRE(slot < op.attributes.size());
    attributes.set(slot, attribute.values);
  }
  return attributes;
}

Outputs add(Graph& graph, std::string_view name, const Tensors& inputs,
            const std::vector<Given>& given = {}, const Placement& placement = {}) {
  const Op& op = operation(name);
  Attributes attributes = attributes_of(op, given);
  return graph.add(op, inputs, attributes, placement);
}

Sizes sizes_of(const Graph& graph, TensorIndex tensor) {
  Sizes sizes;
  for (const Quantity& size : graph.shape(tensor)) {
    REQUIRE(size.is_constant());
    sizes.push_back(size.constant());
  }
  return sizes;
}

std::int64_t metric(const Graph& graph, NodeIndex node, Metric which) {
  const Quantity quantity = graph.account(node)[static_cast<std::size_t>(which)];
  REQUIRE(quantity.is_constant());
  return quantity.constant();
}

Placement with_weights(const Tensors& weights) {
  return {.weights = weights, .explicit_weights = true};
}

std::string refusal(Graph& graph, std::string_view name, const Tensors& inputs,
                    const std::vector<Given>& given = {}, const Placement& placement = {}) {
  try {
    add(graph, name, inputs, given, placement);
  } catch (const LayerRefused& refused) {
    return refused.what();
  }
  return "not refused";
}

// The names of the parameters and buffers of a batch_norm over 6 channels.
struct Statistics {
  Tensors weights;
  explicit Statistics(Graph& graph) {
    weights.push_back(graph.add_tensor(TensorKind::parameter, {6}, float32, "weight"));
    weights.push_back(graph.add_tensor(TensorKind::parameter, {6}, float32, "bias", false));
    weights.push_back(graph.add_tensor(TensorKind::buffer, {6}, float32, "mean"));
    weights.push_back(graph.add_tensor(TensorKind::buffer, {6}, float32, "var"));
    weights.push_back(graph.add_tensor(TensorKind::buffer, {}, *find_dtype("int64"), "batches"));
  }
};

// All that two sets of attributes of one op hold is equal.
void check_equal(const Attributes& left, const Attributes& right) {
  REQUIRE(left.specs().data() == right.specs().data());
  for (std::size_t slot = 0; slot < left.specs().size(); ++slot) {
    CAPTURE(std::string(left.specs()[slot].name));
    CHECK(right.is_set(slot));
    REQUIRE(left.is_none(slot) == right.is_none(slot));
    if (left.is_none(slot)) continue;
    if (left.specs()[slot].kind == AttributeKind::text) {
      CHECK(left.text(slot) == right.text(slot));
      continue;
    }
    REQUIRE(left.is_word(slot) == right.is_word(slot));
    if (left.is_word(slot)) {
      CHECK(left.word_index(slot) == right.word_index(slot));
      continue;
    }
    REQUIRE(left.values(slot).size() == right.values(slot).size());
    for (std::size_t index = 0; index < left.values(slot).size(); ++index) {
      CHECK(left.values(slot)[index].same_as(right.values(slot)[index]));
    }
  }
}

}  // namespace

TEST_CASE("tensors are what they were made") {
  Graph graph;
  CHECK(graph.tensor_count() == 0);
  CHECK(graph.node_count() == 0);
  const DTypeIndex half = *find_dtype("bfloat16");
  const TensorIndex x = graph.add_tensor(TensorKind::input, {2, 0, 5}, half, "image");
  const TensorIndex w = graph.add_tensor(TensorKind::parameter, {}, float32);
  CHECK(graph.tensor_count() == 2);
  CHECK(sizes_of(graph, x) == Sizes{2, 0, 5});
  CHECK(sizes_of(graph, w).empty());
  CHECK(graph.dtype(x) == half);
  CHECK((graph.kind(x) == TensorKind::input));
  CHECK((graph.kind(w) == TensorKind::parameter));
  CHECK(graph.tensor_name(x) == "image");
  CHECK(graph.tensor_name(w).empty());
  CHECK(graph.storage(x) == x);
  CHECK((graph.bytes(w) == 4));
  CHECK((graph.bytes(x) == 0));
}

TEST_CASE("element types have the sizes of torch") {
  CHECK(dtypes[float32].name == "float32");
  CHECK(dtypes[*find_dtype("float64")].itemsize == 8);
  CHECK(dtypes[*find_dtype("bfloat16")].itemsize == 2);
  CHECK(dtypes[*find_dtype("complex128")].itemsize == 16);
  CHECK(dtypes[*find_dtype("bool")].itemsize == 1);
  CHECK_FALSE(find_dtype("float").has_value());
}

TEST_CASE("a tensor with a negative size, or too many elements, is refused") {
  Graph graph;
  try {
    graph.add_tensor(TensorKind::input, {2, -3}, float32, "image");
    FAIL("not refused");
  } catch (const LayerRefused& refused) {
    CHECK(std::string(refused.what()) == "tensor 'image': a size must not be negative, got -3");
    CHECK(refused.layer == "image");
    CHECK(refused.op == "input");
  }
  const Quantity large = std::int64_t{1} << 32;
  CHECK_THROWS_AS(graph.add_tensor(TensorKind::input, {large, large}), CountOverflow);
  CHECK(graph.tensor_count() == 0);
}

TEST_CASE("a layer's place in the graph is read back") {
  Graph graph;
  const ScopeIndex scope = graph.add_scope(0, "encoder", "Encoder", 0);
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex weight = graph.add_tensor(TensorKind::parameter, {8, 6});
  const TensorIndex bias = graph.add_tensor(TensorKind::parameter, {8});
  const Tensors weights = {weight, bias};
  Placement placement = with_weights(weights);
  placement.name = "encoder.linear";
  placement.scope = scope;
  const Outputs y = add(graph, "linear", {x}, {{"out_features", {8}}}, placement);
  CHECK(y.count == 1);
  CHECK(graph.node_count() == 1);
  CHECK(graph.op(0).name == "linear");
  CHECK(graph.name(0) == "encoder.linear");
  CHECK(graph.scope(0) == scope);
  CHECK_FALSE(graph.inplace(0));
  REQUIRE(graph.inputs(0).size() == 1);
  CHECK(graph.inputs(0)[0] == x);
  REQUIRE(graph.weights(0).size() == 2);
  CHECK(graph.weights(0)[0] == weight);
  CHECK(graph.weights(0)[1] == bias);
  CHECK(graph.outputs(0).first == y.first);
  CHECK(graph.outputs(0).count == 1);
  CHECK(sizes_of(graph, y.first) == Sizes{4, 8});
  CHECK((graph.kind(y.first) == TensorKind::activation));
}

TEST_CASE("outputs are neighbours, with the element types they are given") {
  Graph graph;
  const DTypeIndex half = *find_dtype("float16");
  const DTypeIndex whole = *find_dtype("int64");
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6}, half);
  const Outputs kept = add(graph, "max_with_indices", {x}, {{"dim", {1}}});
  REQUIRE(kept.count == 2);
  CHECK(graph.dtype(kept.first) == half);
  CHECK(graph.dtype(kept.first + 1) == half);
  const std::vector<DTypeIndex> dtypes_given = {float32, whole};
  const Outputs both =
      add(graph, "max_with_indices", {x}, {{"dim", {1}}}, {.dtypes = dtypes_given});
  CHECK(graph.dtype(both.first) == float32);
  CHECK(graph.dtype(both.first + 1) == whole);
  // Traffic: 24 read at 2 bytes, 4 written at 4 and 4 at 8.
  CHECK(metric(graph, 1, Metric::memory_access_bytes) == 24 * 2 + 4 * 4 + 4 * 8);
  const std::vector<DTypeIndex> one = {whole};
  const Outputs same = add(graph, "max_with_indices", {x}, {{"dim", {1}}}, {.dtypes = one});
  CHECK(graph.dtype(same.first + 1) == whole);
  const std::vector<DTypeIndex> three = {whole, whole, whole};
  CHECK(refusal(graph, "max_with_indices", {x}, {{"dim", {1}}}, {.dtypes = three}) ==
        "layer 'max_with_indices_3' (max_with_indices): 2 outputs but 3 dtypes; "
        "input shapes (4, 6)");
}

TEST_CASE("a layer without explicit weights owns them") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {2, 6, 5, 5});
  add(graph, "batch_norm", {x});
  CHECK(metric(graph, 0, Metric::params) == 12);
  CHECK(metric(graph, 0, Metric::trainable_params) == 12);
  CHECK(metric(graph, 0, Metric::buffers) == 13);
  // The counter of batches is not read.
  CHECK(metric(graph, 0, Metric::memory_access) == 2 * 300 + 4 * 6);
  CHECK(metric(graph, 0, Metric::outputs) == 300);
  CHECK(metric(graph, 0, Metric::activations) == 0);
  CHECK(graph.unclaimed().empty());
}

TEST_CASE("explicit weights are counted once, at the first layer that uses them") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {2, 6, 5, 5});
  const Statistics statistics(graph);
  CHECK(graph.unclaimed() == statistics.weights);
  const Outputs y = add(graph, "batch_norm", {x}, {}, with_weights(statistics.weights));
  add(graph, "batch_norm", {y.first}, {}, with_weights(statistics.weights));
  CHECK(metric(graph, 0, Metric::params) == 12);
  CHECK(metric(graph, 0, Metric::trainable_params) == 6);
  CHECK(metric(graph, 0, Metric::buffers) == 13);
  CHECK(metric(graph, 1, Metric::params) == 0);
  CHECK(metric(graph, 1, Metric::trainable_params) == 0);
  CHECK(metric(graph, 1, Metric::buffers) == 0);
  // They are read each time.
  CHECK(metric(graph, 1, Metric::memory_access) == 2 * 300 + 4 * 6);
  CHECK(graph.unclaimed().empty());
  for (const TensorIndex weight : statistics.weights) CHECK(graph.is_claimed(weight));
}

TEST_CASE("parameters tied within one layer are counted once") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {2, 6, 5, 5});
  const TensorIndex shared = graph.add_tensor(TensorKind::parameter, {6});
  const TensorIndex mean = graph.add_tensor(TensorKind::buffer, {6});
  const TensorIndex counter = graph.add_tensor(TensorKind::buffer, {});
  const Tensors weights = {shared, shared, mean, mean, counter};
  add(graph, "batch_norm", {x}, {}, with_weights(weights));
  CHECK(metric(graph, 0, Metric::params) == 6);
  CHECK(metric(graph, 0, Metric::buffers) == 7);
}

TEST_CASE("a parameter may be an input, and is counted there once") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex w = graph.add_tensor(TensorKind::parameter, {6, 6});
  const Outputs y = add(graph, "matmul", {x, w});
  add(graph, "matmul", {y.first, w});
  add(graph, "add", {w, w});
  CHECK(metric(graph, 0, Metric::params) == 36);
  CHECK(metric(graph, 1, Metric::params) == 0);
  CHECK(metric(graph, 2, Metric::params) == 0);

  Graph other;
  const TensorIndex v = other.add_tensor(TensorKind::parameter, {6, 6});
  add(other, "add", {v, v});
  CHECK(metric(other, 0, Metric::params) == 36);
  // As an input and as a weight of one layer: still once.
  const TensorIndex u = other.add_tensor(TensorKind::parameter, {6, 6});
  const Tensors weights = {u};
  add(other, "linear", {u}, {{"out_features", {6}}, {"bias", {0}}}, with_weights(weights));
  CHECK(metric(other, 1, Metric::params) == 36);
}

TEST_CASE("constants and inputs are no parameters") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {6});
  const TensorIndex c = graph.add_tensor(TensorKind::constant, {6});
  add(graph, "add", {x, c});
  CHECK(metric(graph, 0, Metric::params) == 0);
  CHECK(metric(graph, 0, Metric::buffers) == 0);
  CHECK(graph.unclaimed().empty());
}

TEST_CASE("explicit weights must have the shapes that the rule expects") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex wrong = graph.add_tensor(TensorKind::parameter, {6, 8});
  const TensorIndex flat = graph.add_tensor(TensorKind::parameter, {48});
  const TensorIndex right = graph.add_tensor(TensorKind::parameter, {8, 6});
  const TensorIndex bias = graph.add_tensor(TensorKind::parameter, {8});
  const Tensors bad_first = {wrong, bias};
  const Tensors bad_rank = {flat, bias};
  const Tensors bad_second = {right, right};
  const Tensors too_few = {right};
  const Tensors good = {right, bias};
  CHECK(refusal(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(bad_first)) ==
        "layer 'linear_0' (linear): its weight 0 has shape (6, 8), but the input needs (8, 6); "
        "input shapes (4, 6)");
  CHECK(refusal(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(bad_rank)) ==
        "layer 'linear_0' (linear): its weight 0 has shape (48,), but the input needs (8, 6); "
        "input shapes (4, 6)");
  CHECK(refusal(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(bad_second)) ==
        "layer 'linear_0' (linear): its weight 1 has shape (8, 6), but the input needs (8,); "
        "input shapes (4, 6)");
  CHECK(refusal(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(too_few)) ==
        "layer 'linear_0' (linear): the layer has 2 weights, got 1; input shapes (4, 6)");
  // None of them was claimed.
  CHECK(graph.unclaimed() == Tensors{wrong, flat, right, bias});
  CHECK(refusal(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(good)) ==
        "not refused");
  CHECK(graph.unclaimed() == Tensors{wrong, flat});
}

TEST_CASE("an absent weight is not counted") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex weight = graph.add_tensor(TensorKind::parameter, {8, 6});
  const Tensors weights = {weight, absent};
  add(graph, "linear", {x}, {{"out_features", {8}}}, with_weights(weights));
  CHECK(metric(graph, 0, Metric::params) == 48);
  REQUIRE(graph.weights(0).size() == 2);
  CHECK(graph.weights(0)[1] == absent);
}

TEST_CASE("a claim counts a parameter that no layer reads") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4});
  const TensorIndex used = graph.add_tensor(TensorKind::parameter, {4});
  const TensorIndex unused = graph.add_tensor(TensorKind::parameter, {3, 5});
  const TensorIndex frozen = graph.add_tensor(TensorKind::parameter, {2}, float32, "", false);
  const TensorIndex buffer = graph.add_tensor(TensorKind::buffer, {7});
  add(graph, "add", {x, used});
  CHECK(graph.unclaimed() == Tensors{unused, frozen, buffer});
  CHECK_FALSE(graph.is_claimed(unused));
  graph.claim(unused, 0);
  CHECK(graph.is_claimed(unused));
  CHECK(metric(graph, 0, Metric::params) == 4 + 15);
  CHECK(metric(graph, 0, Metric::trainable_params) == 4 + 15);
  graph.claim(frozen, 0);
  CHECK(metric(graph, 0, Metric::params) == 4 + 15 + 2);
  CHECK(metric(graph, 0, Metric::trainable_params) == 4 + 15);
  graph.claim(buffer, 0);
  CHECK(metric(graph, 0, Metric::buffers) == 7);
  // A second claim changes nothing, and nothing moved.
  graph.claim(unused, 0);
  graph.claim(used, 0);
  CHECK(metric(graph, 0, Metric::params) == 4 + 15 + 2);
  CHECK(metric(graph, 0, Metric::memory_access) == 4 + 4 + 4);
  CHECK(graph.unclaimed().empty());
}

TEST_CASE("a refused layer leaves the graph as it was") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex w = graph.add_tensor(TensorKind::parameter, {7, 7});
  const Outputs y = add(graph, "relu", {x});
  const Quantity large = std::int64_t{1} << 62;
  const auto unchanged = [&] {
    CHECK(graph.node_count() == 1);
    CHECK(graph.tensor_count() == 3);
    CHECK(graph.unclaimed() == Tensors{w});
    CHECK(sizes_of(graph, y.first) == Sizes{4, 6});
  };
  CHECK_THROWS_AS(add(graph, "matmul", {x, w}), LayerRefused);
  unchanged();
  CHECK_THROWS_AS(add(graph, "linear", {x}), LayerRefused);
  unchanged();
  CHECK_THROWS_AS(add(graph, "relu", {}), LayerRefused);
  unchanged();
  CHECK_THROWS_AS(add(graph, "relu", {x, x}), LayerRefused);
  unchanged();
  CHECK_THROWS_AS(add(graph, "linear", {w}, {{"out_features", {large}}}), CountOverflow);
  unchanged();
  CHECK_THROWS_AS(add(graph, "relu", {99}), GraphError);
  unchanged();
  CHECK_THROWS_AS(add(graph, "relu", {w}, {}, {.scope = 5}), GraphError);
  unchanged();
  const Tensors unknown = {w, 99};
  CHECK_THROWS_AS(add(graph, "linear", {x}, {{"out_features", {7}}}, with_weights(unknown)),
                  GraphError);
  unchanged();
  // The graph goes on as if nothing had been tried.
  const Outputs z = add(graph, "relu", {y.first});
  CHECK(z.first == 3);
  CHECK(graph.node_count() == 2);
}

TEST_CASE("a refusal names the layer, its op, the rule and the shapes") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex y = graph.add_tensor(TensorKind::input, {5});
  try {
    add(graph, "matmul", {x, y}, {}, {.name = "head.scores"});
    FAIL("not refused");
  } catch (const LayerRefused& refused) {
    CHECK(refused.layer == "head.scores");
    CHECK(refused.op == "matmul");
    CHECK(refused.rule == "the first input is summed over 6 elements but the second over 5");
    CHECK(std::string(refused.what()) ==
          "layer 'head.scores' (matmul): the first input is summed over 6 elements but the second "
          "over 5; input shapes (4, 6), (5,)");
  }
  const ScopeIndex scope = graph.add_scope(0, "blocks.3", "Block", 0);
  CHECK(refusal(graph, "matmul", {x, y}, {}, {.scope = scope})
            .starts_with("layer 'blocks.3' (matmul): "));
  CHECK(refusal(graph, "matmul", {x}) ==
        "layer 'matmul_0' (matmul): matmul takes 2 inputs, got 1; input shapes (4, 6)");
  CHECK(refusal(graph, "concat", {}) ==
        "layer 'concat_0' (concat): concat takes at least 1 inputs, got 0; input shapes none");
  CHECK(refusal(graph, "add", {}) ==
        "layer 'add_0' (add): add takes 1 to 2 inputs, got 0; input shapes none");
  CHECK(refusal(graph, "linear", {x}) ==
        "layer 'linear_0' (linear): attribute 'out_features' is required; input shapes (4, 6)");
  CHECK(describe_layer(operation("relu"), "", "", "a rule") == "relu: a rule; input shapes none");
}

TEST_CASE("refuse reports attributes that cannot be read, or the inputs if those are wrong") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4});
  const Tensors one = {x};
  const Tensors two = {x, x};
  CHECK_THROWS_WITH_AS(graph.refuse(operation("relu"), one, {}, "no such attribute"),
                       "layer 'relu_0' (relu): no such attribute; input shapes (4,)", LayerRefused);
  CHECK_THROWS_WITH_AS(graph.refuse(operation("relu"), two, {}, "no such attribute"),
                       "layer 'relu_0' (relu): relu takes 1 inputs, got 2; input shapes (4,), (4,)",
                       LayerRefused);
  CHECK_THROWS_WITH_AS(graph.refuse_overflow(operation("relu"), one, {}, "too large"),
                       "layer 'relu_0' (relu): too large; input shapes (4,)", CountOverflow);
}

TEST_CASE("scopes form a tree under the root") {
  Graph graph;
  REQUIRE(graph.scopes().size() == 1);
  CHECK(graph.scopes()[0].path.empty());
  const ScopeIndex block = graph.add_scope(0, "block", "Block", 0);
  const ScopeIndex inner = graph.add_scope(block, "block.conv", "Conv2d", 0);
  const ScopeIndex again = graph.add_scope(0, "block", "Block", 1);
  CHECK(block == 1);
  CHECK(inner == 2);
  CHECK(again == 3);
  CHECK(graph.scopes()[inner].parent == block);
  CHECK(graph.scopes()[inner].path == "block.conv");
  CHECK(graph.scopes()[inner].module_class == "Conv2d");
  CHECK(graph.scopes()[again].call == 1);
  CHECK_THROWS_AS(graph.add_scope(4, "x", "X", 0), GraphError);
  CHECK(graph.scopes().size() == 4);
}

TEST_CASE("unknown tensors, nodes and scopes are refused") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4});
  add(graph, "relu", {x});
  CHECK_THROWS_WITH_AS(graph.shape(2), "the graph has no tensor 2; it has 2", GraphError);
  CHECK_THROWS_AS(graph.dtype(2), GraphError);
  CHECK_THROWS_AS(graph.kind(2), GraphError);
  CHECK_THROWS_AS(graph.storage(2), GraphError);
  CHECK_THROWS_AS(graph.bytes(2), GraphError);
  CHECK_THROWS_AS(graph.tensor_name(absent), GraphError);
  CHECK_THROWS_AS(graph.is_claimed(2), GraphError);
  CHECK_THROWS_AS(graph.add_output(2), GraphError);
  CHECK_THROWS_WITH_AS(graph.account(1), "the graph has no node 1; it has 1", GraphError);
  CHECK_THROWS_AS(graph.op(1), GraphError);
  CHECK_THROWS_AS(graph.name(1), GraphError);
  CHECK_THROWS_AS(graph.scope(1), GraphError);
  CHECK_THROWS_AS(graph.inplace(1), GraphError);
  CHECK_THROWS_AS(graph.inputs(1), GraphError);
  CHECK_THROWS_AS(graph.weights(1), GraphError);
  CHECK_THROWS_AS(graph.outputs(1), GraphError);
  CHECK_THROWS_AS(graph.attributes(1), GraphError);
  CHECK_THROWS_AS(graph.claim(x, 1), GraphError);
  CHECK_THROWS_AS(graph.claim(2, 0), GraphError);
  CHECK_THROWS_WITH_AS(graph.check_scope(1), "the graph has no scope 1; it has 1", GraphError);
  CHECK(graph.outputs().empty());
}

TEST_CASE("views and in-place layers share the storage of their first input") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 6});
  const TensorIndex y = add(graph, "relu", {x}).first;
  CHECK(graph.storage(y) == y);
  const TensorIndex view = add(graph, "transpose", {y}, {{"dim0", {0}}, {"dim1", {1}}}).first;
  CHECK(graph.storage(view) == y);
  const TensorIndex view_of_view = add(graph, "flatten", {view}).first;
  CHECK(graph.storage(view_of_view) == y);
  const TensorIndex changed = add(graph, "add", {y, x}, {}, {.inplace = true}).first;
  CHECK(graph.storage(changed) == y);
  CHECK(graph.inplace(3));
  const Outputs parts = add(graph, "chunk", {x}, {{"chunks", {2}}});
  REQUIRE(parts.count == 2);
  CHECK(graph.storage(parts.first) == x);
  CHECK(graph.storage(parts.first + 1) == x);
  const TensorIndex copy = add(graph, "copy", {view}).first;
  CHECK(graph.storage(copy) == copy);
  // A view moves nothing; an in-place layer moves as much as any.
  CHECK(metric(graph, 1, Metric::memory_access) == 0);
  CHECK(metric(graph, 1, Metric::memory_access_bytes) == 0);
  CHECK(metric(graph, 1, Metric::outputs) == 24);
  CHECK(metric(graph, 3, Metric::memory_access) == 72);
}

TEST_CASE("tensors of more than 16 dimensions are refused") {
  Graph graph;
  const std::vector<Quantity> ones(16, 1);
  const TensorIndex x = graph.add_tensor(TensorKind::input, Shape(ones));
  CHECK(sizes_of(graph, x) == Sizes(16, 1));
  const std::string shapes = "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)";
  CHECK(
      refusal(graph, "unsqueeze", {x}, {{"dim", {0}}}) ==
      "layer 'unsqueeze_0' (unsqueeze): a tensor has at most 16 dimensions, not 17; input shapes " +
          shapes);
  CHECK(refusal(graph, "stack", {x, x}).find("a tensor has at most 16 dimensions") !=
        std::string::npos);
  CHECK(graph.node_count() == 0);
  CHECK(graph.tensor_count() == 1);
  CHECK(refusal(graph, "relu", {x}) == "not refused");
}

TEST_CASE("default attributes are read back, for every op that requires none") {
  // Between them, inputs that every such op accepts.
  const std::vector<std::vector<Shape>> candidates = {
      {Shape{2, 4, 6, 8}},
      {Shape{2, 4, 6, 8}, Shape{2, 4, 6, 8}},
      {Shape{2, 4, 6, 8}, Shape{2, 4, 6, 8}, Shape{2, 4, 6, 8}},
      {Shape{2, 4, 6, 8}, Shape{2, 5, 5, 2}},
      {Shape{2, 4, 6, 6}, Shape{2, 4, 6, 6}},
      {},
  };
  std::size_t tried = 0;
  std::size_t with_attributes = 0;
  for (const Op& op : operations()) {
    Attributes expected(op.attributes);
    if (expected.complete() < op.attributes.size()) continue;
    CAPTURE(std::string(op.name));
    ++tried;
    if (!op.attributes.empty()) ++with_attributes;
    bool accepted = false;
    for (const std::vector<Shape>& shapes : candidates) {
      if (accepted) break;
      Graph graph;
      Tensors inputs;
      for (const Shape& shape : shapes) {
        inputs.push_back(graph.add_tensor(TensorKind::input, shape));
      }
      Attributes given(op.attributes);
      try {
        graph.add(op, inputs, given);
        // A second layer, so that what is shared is read back too.
        given.reset(op.attributes);
        graph.add(op, inputs, given);
      } catch (const LayerRefused&) {
        continue;
      }
      accepted = true;
      check_equal(expected, graph.attributes(0));
      check_equal(expected, graph.attributes(1));
    }
    CHECK(accepted);
  }
  CHECK(tried > 150);
  CHECK(with_attributes > 30);
}

TEST_CASE("given attributes are read back: numbers, words, texts, none and empty sequences") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {1, 4, 9, 9});
  const TensorIndex m = graph.add_tensor(TensorKind::input, {3, 3});

  const Op& conv = operation("conv2d");
  Attributes given =
      attributes_of(conv, {{"out_channels", {8}}, {"kernel_size", {3, 1}}, {"dilation", {2, 2}}});
  given.set_word(given.find("padding"), 1);
  given.set_word(given.find("padding_mode"), 3);
  const Attributes before = given;
  const Tensors image = {x};
  graph.add(conv, image, given);
  check_equal(given, graph.attributes(0));
  CHECK(graph.attributes(0).word(before.find("padding")) == "valid");
  CHECK(graph.attributes(0).word(before.find("padding_mode")) == "circular");

  const Op& einsum = operation("einsum");
  Attributes equation(einsum.attributes);
  equation.set_text(0, "ij,jk->ik");
  const Tensors pair = {m, m};
  graph.add(einsum, pair, equation);
  CHECK(graph.attributes(1).text(0) == "ij,jk->ik");

  const Op& reshape = operation("reshape");
  Attributes scalar(reshape.attributes);
  scalar.set(0, std::span<const Quantity>{});
  const TensorIndex one = graph.add_tensor(TensorKind::input, {1, 1});
  const Tensors single = {one};
  graph.add(reshape, single, scalar);
  CHECK(graph.attributes(2).values(0).empty());
  CHECK_FALSE(graph.attributes(2).is_none(0));

  const Op& pool = operation("max_pool2d");
  Attributes none = attributes_of(pool, {{"kernel_size", {3}}});
  none.set_none(none.find("stride"));
  graph.add(pool, image, none);
  CHECK(graph.attributes(3).is_none(none.find("stride")));
  check_equal(none, graph.attributes(3));
  // The first layers still read what they were given.
  CHECK(graph.attributes(0).values(before.find("kernel_size"))[0].is(3));
}

TEST_CASE("attributes of many different layers are not mixed up") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {1, 8});
  constexpr std::int64_t layers = 5000;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    add(graph, "linear", {x}, {{"out_features", {layer % 2500}}, {"bias", {layer % 2}}});
  }
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto node = static_cast<NodeIndex>(layer);
    const Attributes attributes = graph.attributes(node);
    CHECK(attributes.values(0)[0].is(layer % 2500));
    CHECK(attributes.values(1)[0].is(layer % 2));
    CHECK(metric(graph, node, Metric::macs) == 8 * (layer % 2500));
    CHECK(sizes_of(graph, graph.outputs(node).first) == Sizes{1, layer % 2500});
  }
}

TEST_CASE("variables are kept as shapes, attributes and counts") {
  Graph graph;
  const Quantity n = graph.program().variable("n");
  const Quantity width = graph.program().variable("width");
  const TensorIndex x = graph.add_tensor(TensorKind::input, {n, 6});
  const TensorIndex y = add(graph, "linear", {x}, {{"out_features", {width}}, {"bias", {0}}}).first;
  CHECK(graph.shape(x)[0].same_as(n));
  CHECK(graph.shape(y)[0].same_as(n));
  CHECK(graph.shape(y)[1].same_as(width));
  CHECK(graph.attributes(0).values(0)[0].same_as(width));
  const Account account = graph.account(0);
  CHECK(account[static_cast<std::size_t>(Metric::macs)].same_as(n * width * 6));
  CHECK(account[static_cast<std::size_t>(Metric::params)].same_as(width * 6));
  CHECK(account[static_cast<std::size_t>(Metric::buffers)].is(0));
  // width >= 0 has become a requirement.
  REQUIRE(graph.program().requirements().size() == 1);
  CHECK(graph.program().requirements()[0].text == "out_features must not be negative, got ?");
}

}  // namespace netledger
