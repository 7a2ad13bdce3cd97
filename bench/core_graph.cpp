// How fast the core builds, propagates and counts graphs of a million layers, and how much memory
// such a graph takes. Every total is compared first with a sum that knows nothing of the core.
//
//     bench_core_graph [layers] [repetitions]
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace {

using netledger::Attributes;
using netledger::Graph;
using netledger::Metric;
using netledger::Op;
using netledger::TensorIndex;
using Totals = std::array<__int128, netledger::metric_count>;

constexpr std::int64_t float32_bytes = 4;

enum class Kind : std::uint8_t { input, conv2d, batch_norm, relu, add, max_pool2d, pool, flatten, linear };

// One layer, or one input of the network, with nothing but plain integers.
struct Step {
  Kind kind;
  TensorIndex first = 0;   // its input, or of `add` the first of two
  TensorIndex second = 0;
  std::int64_t channels = 0;  // of the output
  std::int64_t size = 0;      // height and width of a new input
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
};

// A tensor of the sum below: (1, channels, side, side), or (1, channels) after `flatten`.
struct Side {
  std::int64_t channels;
  std::int64_t side;
  [[nodiscard]] std::int64_t elements() const { return channels * side * side; }
};

// The layers to add, and what they cost. Tensors are numbered as the graph will number them.
class Plan {
 public:
  explicit Plan(std::size_t layers) : layers_(layers) { steps_.reserve(layers + layers / 16); }

  [[nodiscard]] bool complete() const { return count_ >= layers_; }
  [[nodiscard]] std::size_t layers() const { return count_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] std::int64_t channels(TensorIndex tensor) const { return tensors_[tensor].channels; }
  [[nodiscard]] std::int64_t side(TensorIndex tensor) const { return tensors_[tensor].side; }
  void forget_tensors() { tensors_ = {}; }

  TensorIndex input(std::int64_t channels, std::int64_t size) {
    steps_.push_back({.kind = Kind::input, .channels = channels, .size = size});
    return tensor({channels, size});
  }

  TensorIndex conv2d(TensorIndex x, std::int64_t channels, std::int64_t kernel, std::int64_t stride,
                     std::int64_t groups) {
    const std::int64_t padding = kernel / 2;
    const Side out{channels, (side(x) + 2 * padding - kernel) / stride + 1};
    const std::int64_t products = this->channels(x) / groups * kernel * kernel;
    const std::int64_t outputs = out.elements();
    add_layer({.kind = Kind::conv2d,
               .first = x,
               .channels = channels,
               .kernel = kernel,
               .stride = stride,
               .padding = padding,
               .groups = groups},
              {.parameters = channels * products,
               .macs = outputs * products,
               .flops = outputs * (2 * products - 1),
               .activations = outputs,
               .moved = tensors_[x].elements() + outputs});
    return tensor(out);
  }

  TensorIndex batch_norm(TensorIndex x) {
    const std::int64_t elements = tensors_[x].elements();
    add_layer({.kind = Kind::batch_norm, .first = x},
              {.parameters = 2 * channels(x),
               .buffers = 2 * channels(x) + 1,
               .flops = 2 * elements,
               .moved = 2 * elements});
    return tensor(tensors_[x]);
  }

  TensorIndex relu(TensorIndex x) {
    const std::int64_t elements = tensors_[x].elements();
    add_layer({.kind = Kind::relu, .first = x}, {.flops = elements, .moved = 2 * elements});
    return tensor(tensors_[x]);
  }

  TensorIndex add(TensorIndex x, TensorIndex y) {
    const std::int64_t elements = tensors_[x].elements();
    add_layer({.kind = Kind::add, .first = x, .second = y},
              {.flops = elements, .moved = 3 * elements});
    return tensor(tensors_[x]);
  }

  TensorIndex max_pool2d(TensorIndex x) {
    const Side out{channels(x), (side(x) + 2 - 3) / 2 + 1};
    add_layer({.kind = Kind::max_pool2d, .first = x, .kernel = 3, .stride = 2, .padding = 1},
              {.flops = out.elements() * 8, .moved = tensors_[x].elements() + out.elements()});
    return tensor(out);
  }

  // The mean of every channel.
  TensorIndex pool(TensorIndex x) {
    const Side out{channels(x), 1};
    const std::int64_t elements = tensors_[x].elements();
    add_layer({.kind = Kind::pool, .first = x},
              {.flops = elements, .moved = elements + out.elements()});
    return tensor(out);
  }

  TensorIndex flatten(TensorIndex x) {
    add_layer({.kind = Kind::flatten, .first = x}, {});
    return tensor(tensors_[x]);
  }

  TensorIndex linear(TensorIndex x, std::int64_t features) {
    const std::int64_t inputs = channels(x);
    add_layer({.kind = Kind::linear, .first = x, .channels = features},
              {.parameters = features * inputs + features,
               .macs = features * inputs,
               .flops = 2 * features * inputs,
               .activations = features,
               .moved = inputs + features});
    return tensor({features, 1});
  }

 private:
  struct Cost {
    std::int64_t parameters = 0;
    std::int64_t buffers = 0;
    std::int64_t macs = 0;
    std::int64_t flops = 0;
    std::int64_t activations = 0;
    // Elements of inputs and outputs; weights move too.
    std::int64_t moved = 0;
  };

  TensorIndex tensor(Side side) {
    tensors_.push_back(side);
    return static_cast<TensorIndex>(tensors_.size() - 1);
  }

  void add_layer(const Step& step, const Cost& cost) {
    const auto total = [this](Metric metric) -> __int128& {
      return totals_[static_cast<std::size_t>(metric)];
    };
    steps_.push_back(step);
    ++count_;
    outputs_pending_ = step.kind;
    const std::int64_t traffic = cost.moved + cost.parameters + cost.buffers;
    total(Metric::params) += cost.parameters;
    total(Metric::trainable_params) += cost.parameters;
    total(Metric::buffers) += cost.buffers;
    total(Metric::macs) += cost.macs;
    total(Metric::flops) += cost.flops;
    total(Metric::activations) += cost.activations;
    total(Metric::memory_access) += traffic;
    total(Metric::memory_access_bytes) += traffic * float32_bytes;
  }

  std::size_t layers_;
  std::size_t count_ = 0;
  std::vector<Step> steps_;
  std::vector<Side> tensors_;
  Totals totals_{};
};

}  // namespace
