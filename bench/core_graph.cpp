// How fast the core builds, propagates and counts graphs of a million layers, and how much memory
// such graphs take. Every total is first compared with a sum that knows nothing of the core.
//
//     bench_core_graph [layers] [repetitions]
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace {

using netledger::Attributes;
using netledger::Graph;
using netledger::Metric;
using netledger::Op;
using netledger::Outputs;
using netledger::Quantity;
using netledger::TensorIndex;
using Totals = std::array<__int128, netledger::metric_count>;

// -- the networks, and their sum in plain integers -----------------------------------------------

enum class Kind : std::uint8_t {
  input,
  conv2d,
  batch_norm,
  relu,
  add,
  max_pool2d,
  adaptive_avg_pool2d,
  flatten,
  linear,
};

// A layer, or an input.
struct Step {
  Kind kind;
  TensorIndex first = 0;   // its input
  TensorIndex second = 0;  // the other input of `add`
  int channels = 0;
  int size = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int groups = 1;
};

// The tensor (1, channels, size, size), or (1, channels) after `flatten`.
struct Map {
  int channels;
  int size;
  [[nodiscard]] std::int64_t elements() const { return std::int64_t{channels} * size * size; }
};

struct Cost {
  std::int64_t parameters = 0;
  std::int64_t buffers = 0;
  std::int64_t unread = 0;  // buffers that inference does not read
  std::int64_t macs = 0;
  std::int64_t flops = 0;
  bool contraction = false;
  bool view = false;
};

// The layers to add and what they cost in all. Tensors have the numbers that a graph gives them.
class Plan {
 public:
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] std::size_t layers() const { return layers_; }
  [[nodiscard]] const Map& map(TensorIndex tensor) const { return maps_[tensor]; }

  TensorIndex input(const Map& map) {
    steps_.push_back({.kind = Kind::input, .channels = map.channels, .size = map.size});
    return append(map);
  }

  TensorIndex conv2d(TensorIndex x, int channels, int kernel, int stride, int groups) {
    const int padding = kernel / 2;
    const Map y{channels, (map(x).size + 2 * padding - kernel) / stride + 1};
    const std::int64_t products = std::int64_t{map(x).channels} / groups * kernel * kernel;
    return layer({.kind = Kind::conv2d,
                  .first = x,
                  .channels = channels,
                  .kernel = kernel,
                  .stride = stride,
                  .padding = padding,
                  .groups = groups},
                 y,
                 {.parameters = channels * products,
                  .macs = y.elements() * products,
                  .flops = y.elements() * (2 * products - 1),
                  .contraction = true});
  }

  TensorIndex batch_norm(TensorIndex x) {
    const std::int64_t channels = map(x).channels;
    return layer({.kind = Kind::batch_norm, .first = x}, map(x),
                 {.parameters = 2 * channels,
                  .buffers = 2 * channels + 1,
                  .unread = 1,
                  .flops = 2 * map(x).elements()});
  }

  TensorIndex relu(TensorIndex x) {
    return layer({.kind = Kind::relu, .first = x}, map(x), {.flops = map(x).elements()});
  }

  TensorIndex add(TensorIndex x, TensorIndex y) {
    return layer({.kind = Kind::add, .first = x, .second = y}, map(x),
                 {.flops = map(x).elements()});
  }

  TensorIndex max_pool2d(TensorIndex x) {
    const Map y{map(x).channels, (map(x).size + 2 - 3) / 2 + 1};
    return layer({.kind = Kind::max_pool2d, .first = x, .kernel = 3, .stride = 2, .padding = 1}, y,
                 {.flops = 8 * y.elements()});
  }

  TensorIndex global_mean(TensorIndex x) {
    return layer({.kind = Kind::adaptive_avg_pool2d, .first = x}, {map(x).channels, 1},
                 {.flops = map(x).elements()});
  }

  TensorIndex flatten(TensorIndex x) {
    return layer({.kind = Kind::flatten, .first = x}, map(x), {.view = true});
  }

  TensorIndex linear(TensorIndex x, int features) {
    const std::int64_t products = map(x).channels;
    return layer({.kind = Kind::linear, .first = x, .channels = features}, {features, 1},
                 {.parameters = features * products + features,
                  .macs = features * products,
                  .flops = features * 2 * products,
                  .contraction = true});
  }

 private:
  TensorIndex append(Map map) {
    maps_.push_back(map);
    return static_cast<TensorIndex>(maps_.size() - 1);
  }

  TensorIndex layer(const Step& step, Map y, const Cost& cost) {
    const auto add = [this](Metric metric, std::int64_t count) {
      totals_[static_cast<std::size_t>(metric)] += count;
    };
    const std::int64_t second = step.kind == Kind::add ? map(step.second).elements() : 0;
    const std::int64_t moved = map(step.first).elements() + second + cost.parameters +
                               cost.buffers - cost.unread + y.elements();
    add(Metric::params, cost.parameters);
    add(Metric::trainable_params, cost.parameters);
    add(Metric::buffers, cost.buffers);
    add(Metric::macs, cost.macs);
    add(Metric::flops, cost.flops);
    add(Metric::activations, cost.contraction ? y.elements() : 0);
    add(Metric::outputs, y.elements());
    add(Metric::memory_access, cost.view ? 0 : moved);
    add(Metric::memory_access_bytes, cost.view ? 0 : 4 * moved);
    steps_.push_back(step);
    ++layers_;
    return append(y);
  }

  std::vector<Step> steps_;
  std::vector<Map> maps_;
  Totals totals_{};
  std::size_t layers_ = 0;
};

// Numbers of both ends and between, the same in every run.
class Draw {
 public:
  int operator()(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<unsigned>(high - low + 1));
  }

 private:
  std::mt19937 random_{1};
};

// Residual networks one after another, each of its own widths, kernels, groups and resolution.
Plan residual_networks(std::size_t layers) {
  Plan plan;
  Draw between;
  while (plan.layers() < layers) {
    TensorIndex x = plan.input({3, 32 * between(3, 12)});
    const int stem = 8 * between(1, 16);
    x = plan.max_pool2d(plan.relu(plan.batch_norm(plan.conv2d(x, stem, 7, 2, 1))));
    for (int stage = 0; stage < 4; ++stage) {
      const int groups = 1 << between(0, 3);
      const int inner = groups * between(4, 64);
      const int outer = 8 * between(4, 256);
      const int kernel = 2 * between(1, 3) + 1;
      for (int block = 0, blocks = between(2, 6); block < blocks; ++block) {
        const int stride = block == 0 && stage > 0 ? 2 : 1;
        TensorIndex y = plan.relu(plan.batch_norm(plan.conv2d(x, inner, 1, 1, 1)));
        y = plan.relu(plan.batch_norm(plan.conv2d(y, inner, kernel, stride, groups)));
        y = plan.batch_norm(plan.conv2d(y, outer, 1, 1, 1));
        if (block == 0) x = plan.batch_norm(plan.conv2d(x, outer, 1, stride, 1));
        x = plan.relu(plan.add(y, x));
      }
    }
    plan.linear(plan.flatten(plan.global_mean(x)), between(10, 1000));
  }
  return plan;
}

// The worst case: nothing but the layer with the most attributes, each different from the others.
Plan convolutions(std::size_t layers) {
  Plan plan;
  Draw between;
  while (plan.layers() < layers) {
    TensorIndex x = plan.input({8 * between(1, 64), between(64, 512)});
    for (int depth = 0; depth < 40; ++depth) {
      const int stride = plan.map(x).size > 8 ? between(1, 2) : 1;
      const int groups = 1 << between(0, 3);
      x = plan.conv2d(x, 8 * between(1, 512), 2 * between(0, 3) + 1, stride, groups);
    }
  }
  return plan;
}

// -- the core ------------------------------------------------------------------------------------

const Op& operation(std::string_view name) {
  const Op* op = netledger::find_operation(name);
  if (op == nullptr) throw std::logic_error("there is no op " + std::string(name));
  return *op;
}

// The index of an attribute by its name.
std::size_t slot(const Op& op, std::string_view name) {
  const std::size_t found = Attributes(op.attributes).find(name);
  if (found == op.attributes.size()) {
    throw std::logic_error(std::string(op.name) + " has no attribute " + std::string(name));
  }
  return found;
}

// Adds the layers of plans to graphs, every attribute that is not a default set anew.
class Builder {
 public:
  void build(const Plan& plan, Graph& graph) {
    TensorIndex last = 0;
    for (const Step& step : plan.steps()) {
      last = step.kind == Kind::input ? graph.add_tensor(netledger::TensorKind::input,
                                                         {1, step.channels, step.size, step.size})
                                      : add(step, graph);
    }
    graph.add_output(last);
  }

 private:
  TensorIndex add(const Step& step, Graph& graph) {
    const std::array<TensorIndex, 2> inputs = {step.first, step.second};
    const Op& op = prepare(step);
    const std::size_t count = step.kind == Kind::add ? 2 : 1;
    return graph.add(op, std::span(inputs).first(count), attributes_).first;
  }

  // Sets the attributes and returns the op.
  const Op& prepare(const Step& step) {
    switch (step.kind) {
      case Kind::conv2d:
        attributes_.reset(conv2d_.attributes);
        attributes_.set(out_channels_, {step.channels});
        attributes_.set(kernel_size_, {step.kernel, step.kernel});
        attributes_.set(stride_, {step.stride, step.stride});
        attributes_.set(padding_, {step.padding, step.padding});
        attributes_.set(groups_, {step.groups});
        attributes_.set(bias_, {0});
        return conv2d_;
      case Kind::max_pool2d:
        attributes_.reset(max_pool2d_.attributes);
        attributes_.set(pool_kernel_size_, {step.kernel, step.kernel});
        attributes_.set(pool_stride_, {step.stride, step.stride});
        attributes_.set(pool_padding_, {step.padding, step.padding});
        return max_pool2d_;
      case Kind::adaptive_avg_pool2d:
        attributes_.reset(adaptive_avg_pool2d_.attributes);
        attributes_.set(output_size_, {1});
        return adaptive_avg_pool2d_;
      case Kind::flatten:
        attributes_.reset(flatten_.attributes);
        attributes_.set(start_dim_, {1});
        return flatten_;
      case Kind::linear:
        attributes_.reset(linear_.attributes);
        attributes_.set(out_features_, {step.channels});
        return linear_;
      case Kind::batch_norm:
        attributes_.reset(batch_norm_.attributes);
        return batch_norm_;
      case Kind::add:
        attributes_.reset(add_.attributes);
        return add_;
      case Kind::relu:
      case Kind::input:
        break;
    }
    attributes_.reset(relu_.attributes);
    return relu_;
  }

  const Op& conv2d_ = operation("conv2d");
  const Op& batch_norm_ = operation("batch_norm");
  const Op& relu_ = operation("relu");
  const Op& add_ = operation("add");
  const Op& max_pool2d_ = operation("max_pool2d");
  const Op& adaptive_avg_pool2d_ = operation("adaptive_avg_pool2d");
  const Op& flatten_ = operation("flatten");
  const Op& linear_ = operation("linear");
  std::size_t out_channels_ = slot(conv2d_, "out_channels");
  std::size_t kernel_size_ = slot(conv2d_, "kernel_size");
  std::size_t stride_ = slot(conv2d_, "stride");
  std::size_t padding_ = slot(conv2d_, "padding");
  std::size_t groups_ = slot(conv2d_, "groups");
  std::size_t bias_ = slot(conv2d_, "bias");
  std::size_t pool_kernel_size_ = slot(max_pool2d_, "kernel_size");
  std::size_t pool_stride_ = slot(max_pool2d_, "stride");
  std::size_t pool_padding_ = slot(max_pool2d_, "padding");
  std::size_t output_size_ = slot(adaptive_avg_pool2d_, "output_size");
  std::size_t start_dim_ = slot(flatten_, "start_dim");
  std::size_t out_features_ = slot(linear_, "out_features");
  Attributes attributes_;
};

// -- measuring -----------------------------------------------------------------------------------

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total = 0;
  double resident = 0;
  file >> total >> resident;
  if (!file) throw std::runtime_error("/proc/self/statm cannot be read");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::string decimal(__int128 value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

void require_equal(const Totals& found, const Totals& expected) {
  for (std::size_t metric = 0; metric < netledger::metric_count; ++metric) {
    if (found[metric] == expected[metric]) continue;
    throw std::runtime_error(std::string(netledger::metric_names[metric]) + " is " +
                             decimal(found[metric]) + ", expected " + decimal(expected[metric]));
  }
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC);
}

void measure(const char* name, const Plan& plan, int repetitions) {
  const auto layers = static_cast<double>(plan.layers());
  Builder builder;
  double graph_bytes = 0;
  double first_processor = 0;
  double best_elapsed = std::numeric_limits<double>::infinity();
  double best_processor = std::numeric_limits<double>::infinity();
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const double before = resident_bytes();
    const double processor_start = processor_seconds();
    const auto start = std::chrono::steady_clock::now();
    Graph graph;
    builder.build(plan, graph);
    const netledger::Counts counts = netledger::count(graph);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const double processor = processor_seconds() - processor_start;
    best_processor = std::min(best_processor, processor);
    best_elapsed = std::min(best_elapsed, elapsed.count());
    require_equal(counts.totals, plan.totals());
    if (repetition == 0) {
      first_processor = processor;
      graph_bytes = resident_bytes() - before;
    }
  }
  const auto speed = [layers](double seconds) { return layers / seconds / 1e6; };
  std::printf("%-18s %8zu %10.2f %10.2f %10.2f %12.0f\n", name, plan.layers(), speed(best_elapsed),
              speed(best_processor), speed(first_processor), graph_bytes / layers);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::size_t layers = argc > 1 ? std::stoul(argv[1]) : 1'000'000;
    const int repetitions = argc > 2 ? std::stoi(argv[2]) : 7;
#if defined(__GLIBC__)
    // Graphs after the first are built in the memory that the one before gave back.
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
    std::printf(
        "Millions of layers built, propagated and counted in a second: the best of %d graphs by\n"
        "elapsed time and by processor time, which other programs disturb less, and the first,\n"
        "for which the system has to hand out the memory. Bytes a layer, counts included.\n"
        "%-18s %8s %10s %10s %10s %12s\n",
        repetitions, "", "layers", "elapsed", "processor", "first", "bytes/layer");
    measure("residual networks", residual_networks(layers), repetitions);
    measure("conv2d only", convolutions(layers), repetitions);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
