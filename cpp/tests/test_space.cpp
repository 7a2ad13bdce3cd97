// Spaces: what is present where, and the plans they compile to, against the graph of each
// configuration.
#include "space/space.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

namespace netledger {

namespace {

using Codes = std::vector<std::uint32_t>;

// Adds layers of one input to a Graph or a Space.
template <class Target>
class Builder {
 public:
  explicit Builder(Target& target) : target_(target) {}
  TensorIndex input(std::initializer_list<Quantity> sizes) {
    return target_.add_tensor(TensorKind::input, Shape(sizes), float32, "x", true);
  }
  TensorIndex conv(TensorIndex x, const Quantity& out_channels, const Quantity& kernel,
                   const Quantity& stride, const Quantity& groups) {
    const Op& op = *find_operation("conv2d");
    Attributes attributes(op.attributes);
    attributes.set(attributes.find("out_channels"), {out_channels});
    attributes.set(attributes.find("kernel_size"), {kernel});
    attributes.set(attributes.find("stride"), {stride});
    attributes.set(attributes.find("padding"), {kernel / 2});
    attributes.set(attributes.find("groups"), {groups});
    return target_.add(op, std::span(&x, 1), attributes, Placement{}).first;
  }
  TensorIndex relu(TensorIndex x) {
    const Op& op = *find_operation("relu");
    Attributes attributes(op.attributes);
    return target_.add(op, std::span(&x, 1), attributes, Placement{}).first;
  }

 private:
  Target& target_;
};

struct Total {
  std::vector<std::int64_t> values;
  Refusal refusal = accepted;
  friend bool operator==(const Total&, const Total&) = default;
};

// A plan without lanes, read table by table.
Total total_of(const Plan& plan, const Codes& codes) {
  REQUIRE(plan.lanes == nullptr);
  Total total{plan.constants};
  for (const Factor& factor : plan.factors) {
    std::size_t entry = 0;
    for (const VariableIndex variable : factor.variables) {
      entry = entry * plan.variables[variable].size + codes[variable];
    }
    for (std::size_t metric = 0; metric < plan.metrics.size(); ++metric) {
      if (!factor.values[metric].empty()) total.values[metric] += factor.values[metric][entry];
    }
    if (factor.refusals.empty() || factor.refusals[entry] == accepted) continue;
    if (total.refusal == accepted || factor.refusals[entry] < total.refusal) {
      total.refusal = factor.refusals[entry];
    }
  }
  return total;
}

void for_every(const std::vector<PlanVariable>& variables,
               const std::function<void(const Codes&)>& visit) {
  Codes codes(variables.size());
  for (bool done = false; !done;) {
    visit(codes);
    done = true;
    for (std::size_t index = codes.size(); index-- > 0;) {
      if (++codes[index] < variables[index].size) {
        done = false;
        break;
      }
      codes[index] = 0;
    }
  }
}

std::vector<std::int64_t> totals_of(const Graph& graph) {
  const Counts counts = count(graph);
  std::vector<std::int64_t> values;
  for (const Metric metric : {Metric::params, Metric::macs, Metric::memory_access_bytes}) {
    values.push_back(static_cast<std::int64_t>(counts.totals[static_cast<std::size_t>(metric)]));
  }
  return values;
}

const std::vector<std::string> metrics{"params", "macs", "memory_access_bytes"};

}  // namespace

TEST_CASE("a plan gives what the graph of each configuration counts") {
  Space space;
  Builder build(space);
  const Quantity size = 16 + 8 * space.add_variable("size", 3);
  const Quantity kernel = 3 + 2 * space.add_variable("kernel", 3);
  const Quantity width = 8 * (1 + space.add_variable("width", 2));
  const Quantity depth = space.add_variable("depth", 3);
  TensorIndex x = build.input({1, 3, size, size});
  x = build.conv(x, width, kernel, 2, 1);
  space.enter((depth > 0).truth(), 1);
  const TensorIndex once = build.conv(x, width, kernel, 1, width);
  space.leave();
  x = space.merge((depth > 0).truth(), std::vector{x, once});
  space.enter((depth > 1).truth(), depth);
  const TensorIndex more = build.conv(x, width, 1, 1, 1);
  space.leave();
  x = space.merge((depth > 1).truth(), std::vector{x, more});
  space.graph().add_output(build.relu(x));
  const Plan plan = space.compile(metrics);
  CHECK(plan.factors.size() < 8);

  for_every(plan.variables, [&](const Codes& codes) {
    Graph graph;
    Builder concrete(graph);
    const std::int64_t s = 16 + 8 * codes[0];
    const std::int64_t k = 3 + 2 * codes[1];
    const std::int64_t w = 8 * (1 + codes[2]);
    TensorIndex y = concrete.input({1, 3, s, s});
    y = concrete.conv(y, w, k, 2, 1);
    if (codes[3] > 0) y = concrete.conv(y, w, k, 1, w);
    for (std::uint32_t repeat = 0; codes[3] > 1 && repeat < codes[3]; ++repeat) {
      y = concrete.conv(y, w, 1, 1, 1);
    }
    graph.add_output(concrete.relu(y));
    const Total total = total_of(plan, codes);
    CHECK(total == Total{totals_of(graph)});
    for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
      CHECK(plan.bounds[metric].first <= total.values[metric]);
      CHECK(total.values[metric] <= plan.bounds[metric].second);
    }
  });
}

TEST_CASE("a size does not depend on a kernel that its padding makes up for") {
  Space space;
  Builder build(space);
  const Quantity size = 8 * (1 + space.add_variable("size", 4));
  TensorIndex x = build.input({1, 4, size, size});
  for (int layer = 0; layer < 20; ++layer) {
    const Quantity kernel = 3 + 2 * space.add_variable("kernel_" + std::to_string(layer), 3);
    x = build.conv(x, 4, kernel, 1, 4);
  }
  CHECK(space.graph().shape(x)[2].same_as(size));
  const Plan plan = space.compile(std::vector<std::string>{"macs"});
  CHECK(plan.factors.size() == 20);
  CHECK(plan.lanes == nullptr);
}

TEST_CASE("a layer refuses some configurations, or all") {
  Space space;
  Builder build(space);
  const Quantity size = 3 + space.add_variable("size", 4);
  const Quantity groups = 1 + space.add_variable("groups", 3);
  const TensorIndex x = build.input({1, 4, size, size});

  SUBCASE("some: the first step that does is kept") {
    (void)build.conv(x, 4, 3, 1, groups);
    space.require((size * groups < 18).truth(), "size * groups is below 18");
    const Plan plan = space.compile(metrics);
    for_every(plan.variables, [&](const Codes& codes) {
      const std::uint32_t divides = codes[1] + 1 != 3 ? 1 : 0;
      const bool small = (3 + codes[0]) * (1 + codes[1]) < 18;
      const Refusal expected = divides == 0 ? 1U : (small ? accepted : 2U);
      CHECK(total_of(plan, codes).refusal == expected);
    });
    CHECK(space.steps()[0].text == "layer 'conv2d_0' (conv2d)");
    CHECK(space.steps()[1].text == "size * groups is below 18");
  }
  SUBCASE("all: it is not added") {
    CHECK_THROWS_AS(build.conv(x, 4, 3, 1, 5 + groups - 1), LayerRefused);
    CHECK(space.graph().node_count() == 0);
    CHECK(space.program().requirements().empty());
  }
  SUBCASE("all in which it is present") {
    space.enter((groups == 3).truth(), 1);
    CHECK_THROWS_AS(build.conv(x, 4, 3, 1, groups), LayerRefused);
    space.leave();
    space.enter((groups < 3).truth(), 1);
    (void)build.conv(x, 4, 3, 1, groups);
    space.leave();
    for (const Factor& factor : space.compile(metrics).factors) CHECK(factor.refusals.empty());
  }
  SUBCASE("a constraint that nothing meets") {
    CHECK_THROWS_AS(space.require((size < 3).truth(), "size is below 3"), SpaceError);
  }
}

TEST_CASE("variables are active where they are declared") {
  Space space;
  const Quantity depth = space.add_variable("depth", 3);
  space.enter((depth > 1).truth(), 1);
  (void)space.add_variable("kernel", 4);
  space.leave();
  const Plan plan = space.compile({});
  CHECK(plan.activities[0].active.empty());
  CHECK(plan.activities[1].variables == std::vector<VariableIndex>{0});
  CHECK(plan.activities[1].active == std::vector<std::uint8_t>{0, 0, 1});
}

TEST_CASE("a given parameter counts once, where some layer reads it") {
  Space space;
  Builder build(space);
  const Quantity code = space.add_variable("code", 3);
  const TensorIndex weight =
      space.add_tensor(TensorKind::parameter, {4, 3, 1, 1}, float32, "weight", true);
  const TensorIndex x = build.input({1, 3, 8, 8});
  const Op& op = *find_operation("conv2d");
  for (const std::int64_t present : {1, 2}) {
    space.enter((code == present).truth(), 2);
    Attributes attributes(op.attributes);
    attributes.set(0, {4});
    attributes.set(1, {1});
    attributes.set(attributes.find("bias"), {0});
    (void)space.add(op, std::span(&x, 1), attributes,
                    {.weights = std::span(&weight, 1), .explicit_weights = true});
    space.leave();
  }
  const Plan plan = space.compile(std::vector<std::string>{"params", "macs"});
  CHECK(total_of(plan, {0}) == Total{{0, 0}});
  CHECK(total_of(plan, {1}) == Total{{12, 2 * 768}});
  CHECK(total_of(plan, {2}) == Total{{12, 2 * 768}});
}

TEST_CASE("what depends on too many variables goes to the lanes") {
  Space space;
  Builder build(space);
  TensorIndex x = build.input({1, 8, 32, 32});
  std::vector<Quantity> widths;
  for (int layer = 0; layer < 3; ++layer) {
    widths.push_back(8 * (1 + space.add_variable("width_" + std::to_string(layer), 100)));
  }
  const Quantity total_width = widths[0] + widths[1] + widths[2];
  x = build.conv(x, total_width, 3, 1, 1);
  space.require((total_width < 2000).truth(), "the widths are below 2000 together");
  const Plan plan = space.compile(std::vector<std::string>{"macs"});
  REQUIRE(plan.lanes != nullptr);
  CHECK(plan.lanes->program.variables() == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(plan.lanes->steps == std::vector<Refusal>{2});
  CHECK(plan.bounds[0].second == std::int64_t{2400} * 8 * 9 * 32 * 32);
}

TEST_CASE("a total that can pass 64 bits is refused") {
  Space space;
  Builder build(space);
  const Quantity size = 1 + space.add_variable("size", 2) * (std::int64_t{1} << 23);
  TensorIndex x = build.input({1, 64, size, size});
  for (int layer = 0; layer < 4; ++layer) x = build.conv(x, 64, 3, 1, 1);
  const std::vector<std::string> asked{"macs"};
  CHECK_THROWS_AS(space.compile(asked), CountOverflow);
}

TEST_CASE("what cannot be merged") {
  Space space;
  Builder build(space);
  const Quantity code = space.add_variable("code", 2);
  const TensorIndex x = build.input({1, 3, 8, 8});
  const TensorIndex flat = build.input({1, 3});
  CHECK_THROWS_AS(space.merge(code, std::vector{x, flat}), SpaceError);
  CHECK_THROWS_AS(space.merge(code + 1, std::vector{x, x}), SpaceError);
  CHECK_THROWS_AS(space.merge(0, {}), SpaceError);
  CHECK_THROWS_AS(space.leave(), SpaceError);
}

}  // namespace netledger
