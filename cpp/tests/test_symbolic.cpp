// A rule over variables, evaluated, gives what the same rule gives over the constants.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "graph/graph.h"
#include "ops/op.h"
#include "quantity/evaluate.h"

namespace netledger {

namespace {

using Column = std::vector<std::int64_t>;
using Variables = std::span<const Quantity>;

struct Given {
  std::string_view name;
  std::vector<Quantity> values;
};

// A layer: the shapes of its inputs and its attributes.
struct Recipe {
  std::vector<Shape> inputs;
  std::vector<Given> attributes;
};

// One op, the values that each variable may have, and the layer made of them.
struct Case {
  std::string_view op;
  std::vector<Column> domains;
  Recipe (*recipe)(Variables);
};

// The account of the layer and the sizes of all its outputs, with the rank before each.
std::vector<Quantity> built(Graph& graph, std::string_view name, const Recipe& recipe) {
  const Op* op = find_operation(name);
  REQUIRE(op != nullptr);
  Attributes attributes(op->attributes);
  for (const Given& given : recipe.attributes) {
    const std::size_t slot = attributes.find(given.name);
    REQUIRE(slot < op->attributes.size());
    attributes.set(slot, given.values);
  }
  std::vector<TensorIndex> inputs;
  for (const Shape& shape : recipe.inputs) {
    inputs.push_back(graph.add_tensor(TensorKind::input, shape));
  }
  const Outputs outputs = graph.add(*op, inputs, attributes);
  std::vector<Quantity> result;
  for (const Quantity& quantity : graph.account(0)) result.push_back(quantity);
  for (std::uint32_t index = 0; index < outputs.count; ++index) {
    const Shape shape = graph.shape(outputs.first + index);
    result.emplace_back(static_cast<std::int64_t>(shape.rank()));
    for (const Quantity& size : shape) result.push_back(size);
  }
  return result;
}

// What the rule gives for constants; nothing where it refuses them.
std::optional<Column> expected(const Case& example, const Column& lane) {
  const std::vector<Quantity> constants(lane.begin(), lane.end());
  Graph graph;
  try {
    Column result;
    for (const Quantity& quantity : built(graph, example.op, example.recipe(constants))) {
      REQUIRE(quantity.is_constant());
      result.push_back(quantity.constant());
    }
    return result;
  } catch (const LayerRefused&) {
  } catch (const CountOverflow&) {
  }
  return std::nullopt;
}

struct Evaluation {
  std::optional<std::size_t> bad_lane;
  std::vector<Column> values;  // by root
};

Evaluation evaluated(const Program& program, const std::vector<std::uint32_t>& roots,
                     const std::vector<Column>& lanes) {
  std::vector<Column> columns(program.variables().size());
  for (const Column& lane : lanes) {
    for (std::size_t variable = 0; variable < columns.size(); ++variable) {
      columns[variable].push_back(lane[variable]);
    }
  }
  std::vector<const std::int64_t*> inputs;
  for (const Column& column : columns) inputs.push_back(column.data());
  Evaluation result;
  result.values.assign(roots.size(), Column(lanes.size(), -77));
  std::vector<std::int64_t*> outputs;
  for (Column& column : result.values) outputs.push_back(column.data());
  result.bad_lane = evaluate(program, roots, inputs, lanes.size(), outputs);
  return result;
}

constexpr std::int64_t huge = std::int64_t{1} << 40;

const Case cases[] = {
    // x, out_channels, kernel, stride, padding, groups, dilation
    {"conv2d",
     {{3, 4, 8, 0},
      {5, 9, 16},
      {4, 8, 6, huge},
      {1, 3, 5, 0},
      {1, 2, 3},
      {0, 1, 2, -1},
      {1, 2, 4},
      {1, 2}},
     [](Variables v) {
       return Recipe{{Shape{2, v[0], v[1], 11}},
                     {{"out_channels", {v[2]}},
                      {"kernel_size", {v[3]}},
                      {"stride", {v[4], 1}},
                      {"padding", {v[5]}},
                      {"groups", {v[6]}},
                      {"dilation", {v[7]}}}};
     }},
    {"conv1d",
     {{1, 2, 0}, {6, 9}, {1, 2, 3, 7}, {0, 1}, {0, 3}},
     [](Variables v) {
       return Recipe{{Shape{v[0], 4, v[1]}},
                     {{"out_channels", {5}}, {"kernel_size", {v[2]}}, {"padding", {v[3], v[4]}}}};
     }},
    {"conv_transpose2d",
     {{2, 4, 5}, {1, 6, 0}, {2, 4}, {1, 2, 4}, {1, 2, 3}, {0, 1, 3}, {0, 1, 2}, {1, 2}},
     [](Variables v) {
       return Recipe{{Shape{3, v[0], v[1], 5}},
                     {{"out_channels", {v[2]}},
                      {"kernel_size", {v[3]}},
                      {"stride", {v[4]}},
                      {"padding", {v[5]}},
                      {"output_padding", {v[6]}},
                      {"groups", {v[7]}}}};
     }},
    {"linear",
     {{0, 1, 7}, {0, 1, 16, huge}, {-1, 0, 1, 32, huge}},
     [](Variables v) { return Recipe{{Shape{v[0], 3, v[1]}}, {{"out_features", {v[2]}}}}; }},
    {"bilinear",
     {{2, 3}, {2, 3}, {1, 4, 0}, {5, 6}, {0, 7}},
     [](Variables v) {
       return Recipe{{Shape{v[0], v[2]}, Shape{v[1], v[3]}}, {{"out_features", {v[4]}}}};
     }},
    {"matmul",
     {{1, 2, 3}, {1, 2, 3}, {4, 5}, {6, 0}, {6, 7, 0}, {8}},
     [](Variables v) { return Recipe{{Shape{v[0], v[2], v[3]}, Shape{v[1], v[4], v[5]}}, {}}; }},
    {"scaled_dot_product_attention",
     {{1, 2, 4}, {1, 2, 4}, {3, 5, 0}, {3, 6, 0}, {8, 9, 0}, {8, 9}, {1, 5}},
     [](Variables v) {
       return Recipe{{Shape{v[0], 2, v[2], v[4]}, Shape{v[1], 2, v[3], v[5]}, Shape{1, 2, v[3], 7},
                      Shape{v[6], v[3]}},
                     {}};
     }},
    {"multi_head_attention",
     {{2, 3}, {4, 5}, {8, 12, 7}, {1, 2, 4, 0}},
     [](Variables v) {
       const Shape x{v[0], v[1], v[2]};
       return Recipe{{x, x, x}, {{"num_heads", {v[3]}}}};
     }},
    {"lstm",
     {{1, 5}, {2, 3}, {4, 0}, {6, 1, 0}},
     [](Variables v) {
       return Recipe{{Shape{v[0], v[1], v[2]}},
                     {{"hidden_size", {v[3]}}, {"num_layers", {2}}, {"bidirectional", {1}}}};
     }},
    {"gru_cell",
     {{1, 3}, {4, 0, huge}, {5, 0, -2, huge}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1]}}, {{"hidden_size", {v[2]}}}}; }},
    {"batch_norm",
     {{0, 1, 2}, {0, 3, 4}, {1, 5}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1], v[2]}}, {{"track_running_stats", {0}}}}; }},
    {"layer_norm",
     {{0, 2, 3}, {4, 5, 0}, {4, 5, 0}},
     [](Variables v) { return Recipe{{Shape{v[0], 3, v[1]}}, {{"normalized_shape", {v[2]}}}}; }},
    {"group_norm",
     {{0, 1, 2}, {4, 6, 8}, {1, 3, 0}, {0, 1, 2, 3, 4, 6}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1], v[2]}}, {{"num_groups", {v[3]}}}}; }},
    {"max_pool2d",
     {{5, 8, 12, 0}, {1, 2, 3, 4}, {1, 2, 3, 0}, {0, 1, 2}, {1, 2}},
     [](Variables v) {
       return Recipe{{Shape{2, 3, v[0], 9}},
                     {{"kernel_size", {v[1]}},
                      {"stride", {v[2], 2}},
                      {"padding", {v[3], 0}},
                      {"dilation", {v[4]}},
                      {"ceil_mode", {1}},
                      {"return_indices", {1}}}};
     }},
    {"avg_pool1d",
     {{5, 8, 12, 1}, {1, 2, 3, 5}, {0, 1, 2}},
     [](Variables v) {
       return Recipe{{Shape{2, 3, v[0]}}, {{"kernel_size", {v[1]}}, {"padding", {v[2]}}}};
     }},
    {"adaptive_avg_pool2d",
     {{5, 8, 12, 0}, {7, 9}, {-2, -1, 0, 1, 6}, {3, 7}},
     [](Variables v) {
       return Recipe{{Shape{2, 3, v[0], v[1]}}, {{"output_size", {v[2], v[3]}}}};
     }},
    {"softmax",
     {{0, 1, 2}, {0, 1, 10}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1]}}, {{"dim", {-1}}}}; }},
    {"glu",
     {{1, 2}, {0, 3, 4, 9}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1], 2}}, {{"dim", {1}}}}; }},
    {"add",
     {{0, 1, 2, 3}, {0, 1, 2, 3}, {1, 4, 5}, {1, 4, 5}},
     [](Variables v) { return Recipe{{Shape{v[0], 3, v[2]}, Shape{v[1], 1, v[3]}}, {}}; }},
    {"gelu_tanh",
     {{0, 1, 9}, {2, huge}, {3, huge}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1], v[2]}}, {}}; }},
    {"var_mean",
     {{0, 1, 2}, {1, 3}, {0, 5}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1], v[2]}}, {{"dim", {0, 2}}}}; }},
    {"topk",
     {{1, 3}, {1, 2, 9, 1000}, {0, 1, 2, 8, 10}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1]}}, {{"k", {v[2]}}}}; }},
    {"sort",
     {{1, 3, huge}, {0, 1, 2, 3, 4, 5, 1023, 1024, 1025, huge}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1]}}, {}}; }},
    {"embedding",
     {{0, 1, 6}, {-1, 0, 100, huge}, {0, 5, huge}},
     [](Variables v) {
       return Recipe{{Shape{v[0], 4}}, {{"num_embeddings", {v[1]}}, {"embedding_dim", {v[2]}}}};
     }},
    {"embedding_bag",
     {{0, 1, 3, 9}, {0, 1, 3, 4}, {6}},
     [](Variables v) {
       return Recipe{{Shape{v[0]}, Shape{v[1]}},
                     {{"num_embeddings", {10}}, {"embedding_dim", {v[2]}}}};
     }},
    {"concat",
     {{2, 3}, {2, 3}, {0, 4}, {1, 5}},
     [](Variables v) { return Recipe{{Shape{v[0], v[2]}, Shape{v[1], v[3]}}, {{"dim", {1}}}}; }},
    {"reshape",
     {{2, 3, 4, 0}, {6, 5}, {2, 3, 4, 5, 0}},
     [](Variables v) { return Recipe{{Shape{v[0], v[1]}}, {{"shape", {v[2], -1}}}}; }},
    {"slice",
     {{0, 4, 9}, {-20, -3, 0, 2, 7}, {-2, 0, 5, 8, 100}, {1, 2, 5, 0}},
     [](Variables v) {
       return Recipe{{Shape{v[0], 3}}, {{"start", {v[1]}}, {"end", {v[2]}}, {"step", {v[3]}}}};
     }},
    {"pixel_shuffle",
     {{4, 8, 9, 12}, {1, 5}, {1, 2, 3, 0}},
     [](Variables v) { return Recipe{{Shape{2, v[0], v[1], 3}}, {{"upscale_factor", {v[2]}}}}; }},
    {"pad",
     {{4, 7}, {-5, -2, 0, 3}, {-1, 0, 2}},
     [](Variables v) { return Recipe{{Shape{2, v[0]}}, {{"padding", {v[1], v[2]}}}}; }},
    {"interpolate",
     {{1, 2}, {3, 5, 0}, {0, 1, 8, -1}},
     [](Variables v) { return Recipe{{Shape{v[0], 2, v[1], 4}}, {{"size", {v[2], 6}}}}; }},
};

std::string described(const Column& lane) {
  std::string text;
  for (const std::int64_t value : lane) text += std::to_string(value) + " ";
  return text;
}

}  // namespace

TEST_CASE("rules over variables agree with rules over constants") {
  std::mt19937_64 engine(31415926);
  for (const Case& example : cases) {
    CAPTURE(std::string(example.op));
    Graph graph;
    std::vector<Quantity> variables;
    for (std::size_t index = 0; index < example.domains.size(); ++index) {
      variables.push_back(graph.program().variable("v" + std::to_string(index)));
    }
    const std::vector<Quantity> quantities = built(graph, example.op, example.recipe(variables));
    std::vector<std::uint32_t> roots;
    for (const Quantity& quantity : quantities) roots.push_back(graph.program().id(quantity));

    std::vector<Column> all;
    std::vector<Column> accepted;
    std::vector<Column> results;
    std::optional<std::size_t> first_refused;
    for (std::size_t lane = 0; lane < 400; ++lane) {
      Column values;
      for (const Column& domain : example.domains)
        values.push_back(domain[engine() % domain.size()]);
      CAPTURE(described(values));
      all.push_back(values);
      if (const std::optional<Column> result = expected(example, values)) {
        accepted.push_back(values);
        results.push_back(*result);
        continue;
      }
      if (!first_refused) first_refused = lane;
      // On its own, so that every refused lane must be reported, not only the first.
      const Evaluation alone = evaluated(graph.program(), roots, {values});
      CHECK(alone.bad_lane.has_value());
    }
    // Each case has lanes of both kinds to tell apart.
    CHECK(accepted.size() >= 20);
    CHECK(first_refused.has_value());

    const Evaluation evaluation = evaluated(graph.program(), roots, accepted);
    if (evaluation.bad_lane) {
      CAPTURE(described(accepted[*evaluation.bad_lane]));
      FAIL_CHECK("the rule accepts these constants, but not as values of variables");
      continue;
    }
    for (std::size_t lane = 0; lane < accepted.size(); ++lane) {
      CAPTURE(described(accepted[lane]));
      REQUIRE(results[lane].size() == roots.size());
      for (std::size_t root = 0; root < roots.size(); ++root) {
        CAPTURE(root);
        CHECK(evaluation.values[root][lane] == results[lane][root]);
      }
    }
    CHECK((evaluated(graph.program(), roots, all).bad_lane == first_refused));
  }
}

TEST_CASE("the families are all among the cases") {
  for (const Op& op : operations()) {
    bool found = op.family == "declared";
    for (const Case& example : cases) found |= find_operation(example.op)->family == op.family;
    CAPTURE(std::string(op.family));
    CHECK(found);
  }
}

}  // namespace netledger
