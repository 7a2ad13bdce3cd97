// Totals of a graph, exact beyond 64 bits, and its peak memory worked out by hand.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "graph/graph.h"
#include "ops/op.h"

namespace netledger {

namespace {

using Tensors = std::vector<TensorIndex>;
using Wide = __int128;

struct Given {
  std::string_view name;
  std::vector<Quantity> values;
};

Outputs add(Graph& graph, std::string_view name, const Tensors& inputs,
            const std::vector<Given>& given = {}, const Placement& placement = {}) {
  const Op* op = find_operation(name);
  REQUIRE(op != nullptr);
  Attributes attributes(op->attributes);
  for (const Given& attribute : given) {
    const std::size_t slot = attributes.find(attribute.name);
    REQUIRE(slot < op->attributes.size());
    attributes.set(slot, attribute.values);
  }
  return graph.add(*op, inputs, attributes, placement);
}

std::string decimal(Wide value) {
  if (value < 0) return "-" + decimal(-value);
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

std::string total(const Counts& counts, Metric metric) {
  return decimal(counts.totals[static_cast<std::size_t>(metric)]);
}

const std::vector<std::int64_t>& column(const Counts& counts, Metric metric) {
  return counts.columns[static_cast<std::size_t>(metric)];
}

using Rows = std::vector<std::int64_t>;

// A tensor of that many bytes.
TensorIndex input_of(Graph& graph, std::int64_t bytes) {
  return graph.add_tensor(TensorKind::input, {bytes}, *find_dtype("uint8"));
}

std::string peak(const Graph& graph) { return decimal(peak_memory(graph)); }

}  // namespace

TEST_CASE("an empty graph costs nothing") {
  const Graph graph;
  const Counts counts = count(graph);
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    CHECK(counts.columns[metric].empty());
    CHECK(decimal(counts.totals[metric]) == "0");
  }
  CHECK(decimal(counts.peak_memory) == "0");
}

TEST_CASE("a row for each layer, and their sums") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {3, 4});
  const TensorIndex y = add(graph, "linear", {x}, {{"out_features", {5}}}).first;
  const TensorIndex z = add(graph, "relu", {y}).first;
  add(graph, "linear", {z}, {{"out_features", {2}}, {"bias", {0}}});
  const Counts counts = count(graph);
  CHECK(column(counts, Metric::params) == Rows{4 * 5 + 5, 0, 5 * 2});
  CHECK(column(counts, Metric::trainable_params) == Rows{25, 0, 10});
  CHECK(column(counts, Metric::buffers) == Rows{0, 0, 0});
  CHECK(column(counts, Metric::macs) == Rows{15 * 4, 0, 6 * 5});
  CHECK(column(counts, Metric::flops) == Rows{15 * 8, 15, 6 * 9});
  CHECK(column(counts, Metric::activations) == Rows{15, 0, 6});
  CHECK(column(counts, Metric::outputs) == Rows{15, 15, 6});
  CHECK(column(counts, Metric::memory_access) == Rows{12 + 25 + 15, 30, 15 + 10 + 6});
  CHECK(column(counts, Metric::memory_access_bytes) == Rows{208, 120, 124});
  CHECK(total(counts, Metric::params) == "35");
  CHECK(total(counts, Metric::macs) == "90");
  CHECK(total(counts, Metric::flops) == "189");
  CHECK(total(counts, Metric::activations) == "21");
  CHECK(total(counts, Metric::outputs) == "36");
  CHECK(total(counts, Metric::memory_access) == "113");
  CHECK(total(counts, Metric::memory_access_bytes) == "452");
}

TEST_CASE("totals are exact beyond 64 bits") {
  Graph graph;
  constexpr std::int64_t large = (std::int64_t{1} << 62) - 1;
  for (int layer = 0; layer < 7; ++layer) {
    add(graph, "opaque", {}, {{"shapes", {1, 0}}, {"macs", {large}}, {"flops", {large - layer}}});
  }
  const Counts counts = count(graph);
  CHECK(column(counts, Metric::macs) == Rows(7, large));
  // 7 * (2^62 - 1), and 21 less.
  CHECK(total(counts, Metric::macs) == "32281802128991715321");
  CHECK(total(counts, Metric::flops) == "32281802128991715300");
  CHECK(total(counts, Metric::params) == "0");
}

TEST_CASE("a row at the very limit is counted") {
  Graph graph;
  constexpr std::int64_t highest = 9223372036854775807;
  for (int layer = 0; layer < 3; ++layer) {
    add(graph, "opaque", {}, {{"shapes", {1, 0}}, {"macs", {highest}}});
  }
  const Counts counts = count(graph);
  CHECK(column(counts, Metric::macs) == Rows(3, highest));
  CHECK(total(counts, Metric::macs) == "27670116110564327421");
}

TEST_CASE("a claim shows in the counts") {
  Graph graph;
  const TensorIndex w = graph.add_tensor(TensorKind::parameter, {3, 5});
  add(graph, "uncalled", {});
  graph.claim(w, 0);
  const Counts counts = count(graph);
  CHECK(column(counts, Metric::params) == Rows{15});
  CHECK(total(counts, Metric::memory_access) == "0");
}

TEST_CASE("a graph with variables is not counted") {
  Graph graph;
  const Quantity n = graph.program().variable("n");
  const TensorIndex x = graph.add_tensor(TensorKind::input, {n});
  add(graph, "relu", {x});
  CHECK_THROWS_WITH_AS(count(graph), "the graph has variables: give them values before counting",
                       GraphError);
}

TEST_CASE("the peak of a chain is its largest pair of neighbours") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  const TensorIndex a = add(graph, "repeat", {x}, {{"repeats", {3}}}).first;  // 30
  const TensorIndex b = add(graph, "repeat", {a}, {{"repeats", {2}}}).first;  // 60
  add(graph, "sum", {b});                                                     // 1
  // 10 + 30, then 30 + 60, then 60 + 1.
  CHECK(peak(graph) == "90");
  CHECK(decimal(count(graph).peak_memory) == "90");
}

TEST_CASE("the element types decide the bytes") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {10}, *find_dtype("float64"));
  const std::vector<DTypeIndex> half = {*find_dtype("float16")};
  add(graph, "cast", {x}, {}, {.dtypes = half});
  CHECK(peak(graph) == "100");
}

TEST_CASE("a tensor that is read later stays alive until then") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  const TensorIndex a = add(graph, "relu", {x}).first;    // x, a: 20
  const TensorIndex b = add(graph, "relu", {a}).first;    // x, a, b: 30
  const TensorIndex c = add(graph, "relu", {b}).first;    // x, b, c: 30
  const TensorIndex d = add(graph, "add", {c, x}).first;  // x, c, d: 30
  add(graph, "relu", {d});                                // d, e: 20
  CHECK(peak(graph) == "30");
  // Reading a once more at the end keeps it alive: x, a, b, c are 40.
  add(graph, "relu", {a});
  CHECK(peak(graph) == "40");
}

TEST_CASE("outputs of the model live to the end") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  const TensorIndex a = add(graph, "relu", {x}).first;  // x, a: 20
  const TensorIndex b = add(graph, "relu", {a}).first;  // a, b: 20
  const TensorIndex c = add(graph, "relu", {b}).first;  // b, c: 20
  CHECK(peak(graph) == "20");
  graph.add_output(c);
  CHECK(peak(graph) == "20");
  // a stays: a, b, c are 30.
  graph.add_output(a);
  CHECK(peak(graph) == "30");
  // An input that is also an output stays: x, a, b, c.
  graph.add_output(x);
  CHECK(peak(graph) == "40");
}

TEST_CASE("an output that is a view keeps its storage alive") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  const TensorIndex a = add(graph, "repeat", {x}, {{"repeats", {10}}}).first;  // 110
  const TensorIndex v = add(graph, "slice", {a}, {{"end", {1}}}).first;        // 100
  const TensorIndex b = add(graph, "repeat", {v}, {{"repeats", {7}}}).first;   // 107
  add(graph, "repeat", {b}, {{"repeats", {9}}});                               // 7 + 63
  CHECK(peak(graph) == "110");
  graph.add_output(v);
  // The last layer has all of a, not only the one element of the view: 100 + 7 + 63.
  CHECK(peak(graph) == "170");
}

TEST_CASE("a view takes no memory, and reading it keeps its storage alive") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {2, 5}, *find_dtype("uint8"));
  const TensorIndex a = add(graph, "relu", {x}).first;                             // x, a: 20
  const TensorIndex v = add(graph, "flatten", {a}).first;                          // a: 10
  const TensorIndex e = add(graph, "expand", {v}, {{"sizes", {1000, 10}}}).first;  // a: 10
  CHECK(peak(graph) == "20");
  add(graph, "sum", {e});  // a and one element: 11
  CHECK(peak(graph) == "20");
  const TensorIndex b = add(graph, "repeat", {x}, {{"repeats", {3, 1}}}).first;
  // x is alive throughout: at most x, b = 40, as a is not read any more.
  CHECK(peak(graph) == "40");
  add(graph, "relu", {b});
  CHECK(peak(graph) == "60");
  // Reading the view again keeps a alive beside b and relu(b): 10 + 30 + 30.
  add(graph, "relu", {v});
  CHECK(peak(graph) == "70");
}

TEST_CASE("an in-place layer takes no memory of its own") {
  for (const bool inplace : {false, true}) {
    Graph graph;
    const TensorIndex x = input_of(graph, 10);
    const TensorIndex a = add(graph, "repeat", {x}, {{"repeats", {4}}}).first;      // 50
    const TensorIndex b = add(graph, "relu", {a}, {}, {.inplace = inplace}).first;  // 40 or 80
    add(graph, "sum", {b});
    CAPTURE(inplace);
    CHECK(peak(graph) == (inplace ? "50" : "80"));
  }
}

TEST_CASE("weights are no activations") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  const TensorIndex w = graph.add_tensor(TensorKind::parameter, {1000, 10}, *find_dtype("uint8"));
  const TensorIndex c = graph.add_tensor(TensorKind::constant, {1000}, *find_dtype("uint8"));
  const Tensors weights = {w};
  const TensorIndex y = add(graph, "linear", {x}, {{"out_features", {1000}}, {"bias", {0}}},
                            {.weights = weights, .explicit_weights = true})
                            .first;
  add(graph, "add", {y, c});
  CHECK(peak(graph) == "2000");
}

TEST_CASE("all inputs are there at the start, and those that nothing reads no longer") {
  Graph graph;
  const TensorIndex x = input_of(graph, 10);
  input_of(graph, 500);
  const TensorIndex late = input_of(graph, 7);
  CHECK(peak(graph) == "517");
  const TensorIndex a = add(graph, "relu", {x}).first;  // 10 + 500 + 7 + 10
  CHECK(peak(graph) == "527");
  // Nothing reads `late` yet, so it is gone by now: 10 + 600.
  const TensorIndex b = add(graph, "repeat", {a}, {{"repeats", {60}}}).first;
  CHECK(peak(graph) == "610");
  add(graph, "concat", {b, late});  // 600 + 7 + 607
  CHECK(peak(graph) == "1214");
}

TEST_CASE("an output that nothing reads is alive while its layer runs") {
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, {4, 5}, *find_dtype("uint8"));
  const TensorIndex values = add(graph, "sort", {x}).first;  // x, values, indices: 60
  add(graph, "repeat", {values}, {{"repeats", {2, 1}}});     // values, 40
  CHECK(peak(graph) == "60");
}

TEST_CASE("the peak is exact beyond 64 bits") {
  Graph graph;
  const TensorIndex x =
      graph.add_tensor(TensorKind::input, {std::int64_t{1} << 57}, *find_dtype("complex128"));
  const TensorIndex y =
      graph.add_tensor(TensorKind::input, {std::int64_t{1} << 58}, *find_dtype("complex128"));
  const TensorIndex z =
      graph.add_tensor(TensorKind::input, {std::int64_t{1} << 59}, *find_dtype("complex128"));
  // 2^61 + 2^62 + 2^63.
  CHECK(decimal(graph.bytes(z)) == "9223372036854775808");
  CHECK(peak(graph) == "16140901064495857664");
  CHECK(x + y + z == 3);
}

}  // namespace netledger
