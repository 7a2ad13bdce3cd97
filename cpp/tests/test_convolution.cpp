// Convolutions against numbers worked out by hand; the arithmetic is written out.
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

using Sizes = std::vector<std::int64_t>;

// An attribute by its name: numbers, or the index of a word.
struct Given {
  std::string_view name;
  std::vector<Quantity> values;
  bool word = false;
};

struct Cost {
  Sizes output;
  std::int64_t params;
  std::int64_t macs;
  std::int64_t flops;
  std::int64_t activations;
  std::int64_t memory_access;
  std::int64_t memory_access_bytes;
};

Cost cost(std::string_view op_name, const Shape& input, const std::vector<Given>& given) {
  const Op* op = find_operation(op_name);
  REQUIRE(op != nullptr);
  Attributes attributes(op->attributes);
  for (const Given& attribute : given) {
    const std::size_t slot = attributes.find(attribute.name);
    REQUIRE(slot < op->attributes.size());
    if (attribute.word) {
      attributes.set_word(slot, static_cast<std::size_t>(attribute.values[0].constant()));
    } else {
      attributes.set(slot, attribute.values);
    }
  }
  Graph graph;
  const TensorIndex x = graph.add_tensor(TensorKind::input, input);
  const std::vector<TensorIndex> inputs = {x};
  const Outputs outputs = graph.add(*op, inputs, attributes);
  REQUIRE(outputs.count == 1);
  const Account account = graph.account(0);
  const auto metric = [&account](Metric which) {
    const Quantity& quantity = account[static_cast<std::size_t>(which)];
    REQUIRE(quantity.is_constant());
    return quantity.constant();
  };
  Cost result{.output = {},
              .params = metric(Metric::params),
              .macs = metric(Metric::macs),
              .flops = metric(Metric::flops),
              .activations = metric(Metric::activations),
              .memory_access = metric(Metric::memory_access),
              .memory_access_bytes = metric(Metric::memory_access_bytes)};
  for (const Quantity& size : graph.shape(outputs.first)) result.output.push_back(size.constant());
  std::int64_t elements = 1;
  for (const std::int64_t size : result.output) elements *= size;
  CHECK(metric(Metric::outputs) == elements);
  CHECK(metric(Metric::trainable_params) == result.params);
  CHECK(metric(Metric::buffers) == 0);
  return result;
}

std::string refusal(std::string_view op_name, const Shape& input, const std::vector<Given>& given) {
  try {
    (void)cost(op_name, input, given);
  } catch (const LayerRefused& refused) {
    return refused.rule;
  }
  return "not refused";
}

constexpr std::int64_t same = 0;
constexpr std::int64_t valid = 1;

}  // namespace

TEST_CASE("the first layer of a residual network") {
  // (224 + 2 * 3 - 7) / 2 + 1 = 112, rounded down.
  const Cost conv = cost("conv2d", {1, 3, 224, 224},
                         {{"out_channels", {64}},
                          {"kernel_size", {7}},
                          {"stride", {2}},
                          {"padding", {3}},
                          {"bias", {0}}});
  CHECK(conv.output == Sizes{1, 64, 112, 112});
  CHECK(conv.params == 64 * 3 * 7 * 7);
  CHECK(conv.macs == 64 * 112 * 112 * (3 * 7 * 7));
  CHECK(conv.macs == 118013952);
  CHECK(conv.flops == 64 * 112 * 112 * (2 * 147 - 1));
  CHECK(conv.activations == 64 * 112 * 112);
  CHECK(conv.memory_access == 3 * 224 * 224 + 64 * 112 * 112 + 9408);
  CHECK(conv.memory_access_bytes == 4 * conv.memory_access);
}

TEST_CASE("a bias is a parameter per channel and an addition per output") {
  const Cost with = cost("conv2d", {2, 4, 5, 6}, {{"out_channels", {8}}, {"kernel_size", {3}}});
  const Cost without =
      cost("conv2d", {2, 4, 5, 6}, {{"out_channels", {8}}, {"kernel_size", {3}}, {"bias", {0}}});
  CHECK(with.output == Sizes{2, 8, 3, 4});
  CHECK(with.params == 8 * 4 * 9 + 8);
  CHECK(without.params == 8 * 4 * 9);
  CHECK(with.macs == 2 * 8 * 3 * 4 * 36);
  CHECK(with.macs == without.macs);
  CHECK(with.flops == 192 * (2 * 36));
  CHECK(without.flops == 192 * (2 * 36 - 1));
  CHECK(with.memory_access == without.memory_access + 8);
}

TEST_CASE("groups divide the products") {
  const Cost depthwise =
      cost("conv2d", {1, 6, 8, 8},
           {{"out_channels", {12}}, {"kernel_size", {3}}, {"padding", {1}}, {"groups", {6}}});
  CHECK(depthwise.output == Sizes{1, 12, 8, 8});
  CHECK(depthwise.params == 12 * 1 * 9 + 12);
  CHECK(depthwise.macs == 12 * 64 * 9);
  CHECK(depthwise.flops == 12 * 64 * 18);
  const Cost grouped =
      cost("conv2d", {1, 6, 8, 8}, {{"out_channels", {12}}, {"kernel_size", {1}}, {"groups", {3}}});
  CHECK(grouped.params == 12 * 2 + 12);
  CHECK(grouped.macs == 12 * 64 * 2);
}

TEST_CASE("every dimension has its own kernel, stride, padding and dilation") {
  // 9 + 2 * 2 - (3 - 1) - 1 = 10, 10 / 2 + 1 = 6; 11 + 0 - 3 * (2 - 1) - 1 = 7, 7 / 3 + 1 = 3.
  const Cost conv = cost("conv2d", {1, 2, 9, 11},
                         {{"out_channels", {5}},
                          {"kernel_size", {3, 2}},
                          {"stride", {2, 3}},
                          {"padding", {2, 0}},
                          {"dilation", {1, 3}}});
  CHECK(conv.output == Sizes{1, 5, 6, 3});
  CHECK(conv.params == 5 * 2 * 6 + 5);
  CHECK(conv.macs == 5 * 6 * 3 * (2 * 6));
}

TEST_CASE("padding before and after may differ") {
  // 7 + 1 + 2 - 4 = 6, + 1 = 7; 7 + 0 + 3 - 4 = 6, + 1 = 7.
  const Cost conv = cost("conv2d", {1, 1, 7, 7},
                         {{"out_channels", {1}}, {"kernel_size", {4}}, {"padding", {1, 2, 0, 3}}});
  CHECK(conv.output == Sizes{1, 1, 7, 7});
  const Cost uneven =
      cost("conv2d", {1, 1, 7, 7},
           {{"out_channels", {1}}, {"kernel_size", {4}}, {"padding", {1, 1, 5, 0}}});
  CHECK(uneven.output == Sizes{1, 1, 6, 9});
}

TEST_CASE("padding in words") {
  for (const std::int64_t kernel : {1, 2, 3, 4, 5}) {
    // With dilation 1 an even kernel needs an odd number of elements, one more after than before.
    for (const std::int64_t dilation : {1, 2}) {
      CAPTURE(kernel);
      CAPTURE(dilation);
      const Cost kept = cost("conv1d", {1, 1, 9},
                             {{"out_channels", {1}},
                              {"kernel_size", {kernel}},
                              {"padding", {same}, true},
                              {"dilation", {dilation}}});
      CHECK(kept.output == Sizes{1, 1, 9});
      const Cost cut = cost("conv1d", {1, 1, 9},
                            {{"out_channels", {1}},
                             {"kernel_size", {kernel}},
                             {"padding", {valid}, true},
                             {"dilation", {dilation}}});
      CHECK(cut.output == Sizes{1, 1, 9 - dilation * (kernel - 1)});
    }
  }
  CHECK(refusal("conv1d", {1, 1, 9},
                {{"out_channels", {1}},
                 {"kernel_size", {3}},
                 {"padding", {same}, true},
                 {"stride", {2}}}) == "padding='same' needs stride 1, got 2");
}

TEST_CASE("one and three dimensions, and no batch") {
  const Cost one = cost("conv1d", {2, 3, 10}, {{"out_channels", {4}}, {"kernel_size", {3}}});
  CHECK(one.output == Sizes{2, 4, 8});
  CHECK(one.macs == 2 * 4 * 8 * 9);
  const Cost three = cost("conv3d", {1, 2, 4, 5, 6},
                          {{"out_channels", {3}}, {"kernel_size", {1, 2, 3}}, {"bias", {0}}});
  CHECK(three.output == Sizes{1, 3, 4, 4, 4});
  CHECK(three.params == 3 * 2 * 6);
  CHECK(three.macs == 3 * 64 * 12);
  CHECK(three.flops == 3 * 64 * 23);
  const Cost alone = cost("conv2d", {3, 8, 8}, {{"out_channels", {4}}, {"kernel_size", {3}}});
  CHECK(alone.output == Sizes{4, 6, 6});
  CHECK(alone.macs == 4 * 36 * 27);
}

TEST_CASE("an empty batch costs only its weights") {
  const Cost empty = cost("conv2d", {0, 3, 8, 8}, {{"out_channels", {4}}, {"kernel_size", {3}}});
  CHECK(empty.output == Sizes{0, 4, 6, 6});
  CHECK(empty.params == 4 * 27 + 4);
  CHECK(empty.macs == 0);
  CHECK(empty.flops == 0);
  CHECK(empty.memory_access == 4 * 27 + 4);
}

TEST_CASE("a transposed convolution multiplies each input element with its kernel") {
  // (5 - 1) * 2 - 2 * 1 + (3 - 1) + 1 + 1 = 10.
  const Cost conv = cost("conv_transpose2d", {2, 6, 5, 5},
                         {{"out_channels", {4}},
                          {"kernel_size", {3}},
                          {"stride", {2}},
                          {"padding", {1}},
                          {"output_padding", {1}},
                          {"groups", {2}}});
  CHECK(conv.output == Sizes{2, 4, 10, 10});
  CHECK(conv.params == 6 * 2 * 9 + 4);
  CHECK(conv.macs == 2 * 6 * 25 * (2 * 9));
  CHECK(conv.flops == 2 * conv.macs + 2 * 4 * 100);
  CHECK(conv.activations == 2 * 4 * 100);
  CHECK(conv.memory_access == 2 * 6 * 25 + 2 * 4 * 100 + 6 * 2 * 9 + 4);
}

TEST_CASE("transposed convolutions in one and three dimensions") {
  // (4 - 1) * 3 - 0 + 2 * (2 - 1) + 0 + 1 = 12.
  const Cost one = cost("conv_transpose1d", {1, 2, 4},
                        {{"out_channels", {3}},
                         {"kernel_size", {2}},
                         {"stride", {3}},
                         {"dilation", {2}},
                         {"bias", {0}}});
  CHECK(one.output == Sizes{1, 3, 12});
  CHECK(one.params == 2 * 3 * 2);
  CHECK(one.macs == 2 * 4 * (3 * 2));
  CHECK(one.flops == 2 * 48);
  const Cost three = cost("conv_transpose3d", {1, 1, 2, 2, 2},
                          {{"out_channels", {1}}, {"kernel_size", {2}}, {"stride", {2}}});
  CHECK(three.output == Sizes{1, 1, 4, 4, 4});
  CHECK(three.macs == 8 * 8);
  CHECK(three.flops == 2 * 64 + 64);
}

TEST_CASE("the last window that fits, and the first that does not") {
  CHECK(cost("conv1d", {1, 1, 5}, {{"out_channels", {1}}, {"kernel_size", {5}}}).output ==
        Sizes{1, 1, 1});
  CHECK(refusal("conv1d", {1, 1, 4}, {{"out_channels", {1}}, {"kernel_size", {5}}}) ==
        "the kernel reaches over 5 elements but the padded input has only 4");
  CHECK(refusal("conv_transpose1d", {1, 1, 1},
                {{"out_channels", {1}}, {"kernel_size", {2}}, {"padding", {1}}}) ==
        "the padding 1 leaves no output: its size would be 0");
}

TEST_CASE("what torch refuses is refused, with the facts") {
  CHECK(refusal("conv2d", {1, 6, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"groups", {4}}}) ==
        "in_channels 6 is not divisible by groups 4");
  CHECK(refusal("conv2d", {1, 8, 8, 8},
                {{"out_channels", {6}}, {"kernel_size", {3}}, {"groups", {4}}}) ==
        "out_channels 6 is not divisible by groups 4");
  CHECK(refusal("conv2d", {8, 8}, {{"out_channels", {8}}, {"kernel_size", {3}}}) ==
        "the input must have 4 or 3 dimensions, (N, C, *) or (C, *), got 2");
  CHECK(refusal("conv2d", {1, 8, 8, 8}, {{"out_channels", {8}}, {"kernel_size", {0}}}) ==
        "kernel_size must be positive, got 0");
  CHECK(refusal("conv2d", {1, 8, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"stride", {1, 0}}}) ==
        "stride must be positive, got 0");
  CHECK(refusal("conv2d", {1, 8, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"dilation", {-1}}}) ==
        "dilation must be positive, got -1");
  CHECK(refusal("conv2d", {1, 8, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"padding", {-1}}}) ==
        "padding must not be negative, got -1");
  CHECK(refusal("conv2d", {1, 8, 8, 8}, {{"out_channels", {8}}, {"kernel_size", {3, 3, 3}}}) ==
        "kernel_size must have 1 or 2 entries, got (3, 3, 3)");
  CHECK(refusal("conv2d", {1, 8, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"padding", {1, 1, 1}}}) ==
        "padding must have 1, 2 or 4 entries, got (1, 1, 1)");
  CHECK(refusal("conv2d", {1, 8, 8, 8}, {{"out_channels", {8}}}) ==
        "attribute 'kernel_size' is required");
  CHECK(refusal("conv_transpose2d", {1, 8, 8, 8},
                {{"out_channels", {8}}, {"kernel_size", {3}}, {"output_padding", {1}}}) ==
        "output_padding 1 must be smaller than stride 1 or dilation 1");
}

TEST_CASE("products beyond 64 bits are refused, not wrapped") {
  constexpr std::int64_t channels = std::int64_t{1} << 31;
  CHECK_THROWS_AS(cost("conv1d", {1, channels, 4},
                       {{"out_channels", {channels}}, {"kernel_size", {1}}, {"bias", {0}}}),
                  CountOverflow);
  const Cost large = cost("conv1d", {1, channels, 1},
                          {{"out_channels", {channels / 4}}, {"kernel_size", {1}}, {"bias", {0}}});
  CHECK(large.macs == std::int64_t{1} << 60);
  CHECK(large.flops == channels / 4 * (2 * channels - 1));
  CHECK(large.memory_access == channels + (std::int64_t{1} << 60) + channels / 4);
}

}  // namespace netledger
