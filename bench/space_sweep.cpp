// How fast configurations are counted, drawn and enumerated, on a plan like that of
// once-for-all's MobileNetV3 with mixed resolutions. Every way is first compared with the closed
// form of the cost.
//
//     bench_space_sweep [configurations] [repetitions]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "space/candidates.h"
#include "space/digits.h"
#include "space/packed.h"
#include "space/reductions.h"
#include "space/source.h"
#include "space/sweep.h"

namespace {

using namespace netledger;

constexpr std::size_t stages = 5;
constexpr std::size_t blocks = 4;
constexpr std::uint32_t resolutions = 25;
constexpr std::array<std::int64_t, 9> widths{16, 16, 24, 40, 80, 112, 160, 960, 1280};
constexpr std::array<std::int64_t, stages> strides{2, 2, 2, 1, 2};
constexpr std::array<bool, stages> squeezes{false, true, false, true, true};
constexpr std::array<std::int64_t, 3> kernels{3, 5, 7};
constexpr std::array<std::int64_t, 3> expansions{3, 4, 6};

// Variables: depths by stage, kernels and expansions by block, the resolution.
constexpr VariableIndex depth_of(std::size_t stage) { return static_cast<VariableIndex>(stage); }
constexpr VariableIndex kernel_of(std::size_t stage, std::size_t index) {
  return static_cast<VariableIndex>(stages + blocks * stage + index);
}
constexpr VariableIndex expansion_of(std::size_t stage, std::size_t index) {
  return kernel_of(stages, 0) + static_cast<VariableIndex>(blocks * stage + index);
}
constexpr VariableIndex resolution_variable = expansion_of(stages, 0);

struct Cost {
  std::int64_t params = 0;
  std::int64_t macs = 0;
};

std::int64_t make_divisible(std::int64_t value) {
  const std::int64_t near = std::max<std::int64_t>(8, (value + 4) / 8 * 8);
  return 10 * near < 9 * value ? near + 8 : near;
}

// Of the network's input: stage -1 is behind the stem.
std::int64_t size_behind(std::size_t resolution, int stage) {
  std::int64_t size = (128 + 4 * static_cast<std::int64_t>(resolution) + 1) / 2;
  for (int index = 0; index <= stage; ++index) {
    if (strides[static_cast<std::size_t>(index)] == 2) size = (size - 1) / 2 + 1;
  }
  return size;
}

Cost block_cost(std::size_t stage, std::size_t index, std::int64_t kernel, std::int64_t expansion,
                std::size_t resolution) {
  const std::int64_t out = widths[stage + 2];
  const std::int64_t in = index == 0 ? widths[stage + 1] : out;
  const std::int64_t mid = make_divisible(in * expansion);
  const std::int64_t after = size_behind(resolution, static_cast<int>(stage));
  const std::int64_t before =
      index == 0 ? size_behind(resolution, static_cast<int>(stage) - 1) : after;
  Cost cost{mid * (in + kernel * kernel + out + 4) + 2 * out,
            in * mid * before * before + mid * (kernel * kernel + out) * after * after};
  if (squeezes[stage]) {
    const std::int64_t squeezed = make_divisible(mid / 4);
    cost.params += 2 * mid * squeezed + squeezed + mid;
    cost.macs += 2 * mid * squeezed;
  }
  return cost;
}

Cost fixed_cost(std::size_t resolution) {
  const auto& w = widths;
  const std::int64_t first = size_behind(resolution, -1);
  const std::int64_t last = size_behind(resolution, 4);
  return {27 * w[0] + 2 * w[0] + 9 * w[0] + 2 * w[0] + w[0] * w[1] + 2 * w[1] + w[6] * w[7] +
              2 * w[7] + w[7] * w[8] + 1000 * w[8] + 1000,
          (27 * w[0] + 9 * w[0] + w[0] * w[1]) * first * first + w[6] * w[7] * last * last +
              w[7] * w[8] + 1000 * w[8]};
}

Cost closed_form(const std::uint8_t* codes) {
  Cost total = fixed_cost(codes[resolution_variable]);
  for (std::size_t stage = 0; stage < stages; ++stage) {
    for (std::size_t index = 0; index < 2U + codes[depth_of(stage)]; ++index) {
      const Cost cost =
          block_cost(stage, index, kernels[codes[kernel_of(stage, index)]],
                     expansions[codes[expansion_of(stage, index)]], codes[resolution_variable]);
      total.params += cost.params;
      total.macs += cost.macs;
    }
  }
  return total;
}

void add_block(Plan& plan, std::size_t stage, std::size_t index) {
  Factor factor;
  // The first two blocks are always there.
  const bool elastic = index >= 2;
  factor.variables = {kernel_of(stage, index), expansion_of(stage, index), resolution_variable};
  if (elastic) factor.variables.insert(factor.variables.begin(), depth_of(stage));
  factor.values.resize(2);
  for (std::size_t depth = elastic ? 0 : 2; depth < 3; ++depth) {
    for (const std::int64_t kernel : kernels) {
      for (const std::int64_t expansion : expansions) {
        for (std::size_t resolution = 0; resolution < resolutions; ++resolution) {
          const Cost cost =
              index < 2 + depth ? block_cost(stage, index, kernel, expansion, resolution) : Cost{};
          factor.values[0].push_back(cost.params);
          factor.values[1].push_back(cost.macs);
        }
      }
    }
  }
  factor.entries = factor.values[0].size();
  plan.factors.push_back(std::move(factor));
}

Plan make_plan() {
  Plan plan;
  plan.metrics = {"params", "macs"};
  plan.constants = {0, 0};
  plan.variables.resize(resolution_variable + 1, {"gene", 3, 0, 0});
  plan.variables[resolution_variable] = {"resolution", resolutions, 0, 0};
  plan.activities.resize(plan.variables.size());
  Factor fixed{{resolution_variable}, resolutions, {{}, {}}, {}, {}};
  for (std::size_t resolution = 0; resolution < resolutions; ++resolution) {
    fixed.values[0].push_back(fixed_cost(resolution).params);
    fixed.values[1].push_back(fixed_cost(resolution).macs);
  }
  plan.factors.push_back(std::move(fixed));
  for (std::size_t stage = 0; stage < stages; ++stage) {
    std::vector<VariableIndex> linked{depth_of(stage)};
    for (std::size_t index = 0; index < blocks; ++index) linked.push_back(kernel_of(stage, index));
    for (std::size_t index = 0; index < blocks; ++index) {
      linked.push_back(expansion_of(stage, index));
    }
    plan.links.push_back(std::move(linked));
    for (std::size_t index = 0; index < blocks; ++index) {
      add_block(plan, stage, index);
      if (index < 2) continue;
      Activity activity{{depth_of(stage)}, {}};
      for (std::size_t depth = 0; depth < 3; ++depth) activity.active.push_back(index < 2 + depth);
      plan.activities[kernel_of(stage, index)] = activity;
      plan.activities[expansion_of(stage, index)] = activity;
    }
  }
  return plan;
}

// -- measuring -----------------------------------------------------------------------------------

double wall_time() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Of one thread: what else runs on the machine does not count.
double processor_time() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds_of(double (*clock)(), const std::function<void()>& work) {
  const double start = clock();
  work();
  return clock() - start;
}

void report(const char* name, double count, int repetitions, const std::function<void()>& work,
            unsigned threads = 1) {
  double best = std::numeric_limits<double>::max();
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    best = std::min(best, seconds_of(threads == 1 ? processor_time : wall_time, work));
  }
  std::printf("%-44s %8.1f M/s\n", name, count / best / 1e6);
  std::fflush(stdout);
}

struct Columns {
  explicit Columns(std::size_t rows) : params(rows), macs(rows) {}
  [[nodiscard]] CostColumns costs() { return {{params.data(), macs.data()}, {}, nullptr}; }

  std::vector<std::int64_t> params;
  std::vector<std::int64_t> macs;
};

void check(const char* name, const Columns& found, const Columns& expected) {
  if (found.params == expected.params && found.macs == expected.macs) return;
  throw std::runtime_error(std::string(name) + ": the costs are not those of the closed form");
}

void bench(std::size_t rows, int repetitions) {
  const Plan plan = make_plan();
  const auto count = static_cast<double>(rows);
  std::printf("compiling tables: %.1f ms\n", 1e3 * seconds_of(processor_time, [&] {
                                               const Sweeper sweeper(plan);
                                               const Digits digits(plan);
                                               const PackedSweeper packed(digits, sweeper);
                                             }));
  const Sweeper sweeper(plan);
  const Digits digits(plan);
  const PackedSweeper packed_sweeper(digits, sweeper);
  const Candidates candidates(digits, sweeper);
  std::printf("tables: %zu of %zu KB; digits' tables: %zu KB\n", sweeper.tables().tables().size(),
              sweeper.tables().bytes() / 1024,
              packed_sweeper.tables() != nullptr ? packed_sweeper.tables()->bytes() / 1024 : 0);

  const std::size_t variables = plan.variables.size();
  std::vector<std::uint8_t> codes(rows * variables);
  const CodeOutput drawn{codes.data(), rows, variables, CodeWidth::byte};
  candidates.random(Law::genes, 1, 0, drawn);
  Columns expected(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const Cost cost = closed_form(codes.data() + row * variables);
    expected.params[row] = cost.params;
    expected.macs[row] = cost.macs;
  }

  Columns found(rows);
  const RunOptions one;
  RunOptions two;
  two.threads = 2;
  const auto source = codes_source(sweeper, drawn.view());
  const auto bench_columns = [&](const char* name, const Source& from, const RunOptions& options) {
    found = Columns(rows);
    columns(from, found.costs(), options);
    check(name, found, expected);
    report(
        name, count, repetitions, [&] { columns(from, found.costs(), options); }, options.threads);
  };
  bench_columns("genes, one thread", *source, one);
  bench_columns("genes, two threads", *source, two);
  for (const auto& [name, instructions] : {std::pair{"genes, portable", Instructions::portable},
                                           {"genes, avx2", Instructions::avx2}}) {
    if (instructions > best_instructions()) continue;
    const Sweeper other(plan, instructions);
    bench_columns(name, *codes_source(other, drawn.view()), one);
  }

  std::vector<std::uint16_t> packed(rows * digits.digits().size());
  digits.pack(drawn.view(), 0, rows, packed.data());
  const std::size_t digit_count = digits.digits().size();
  const CodeView by_row{
      packed.data(),  rows, digit_count, static_cast<std::ptrdiff_t>(2 * digit_count), 2,
      CodeWidth::word};
  bench_columns("packed rows, mixed resolutions", *packed_source(packed_sweeper, by_row), one);
  bench_columns("packed rows, two threads", *packed_source(packed_sweeper, by_row), two);
  std::vector<std::uint16_t> turned(packed.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t digit = 0; digit < digit_count; ++digit) {
      turned[digit * rows + row] = packed[row * digit_count + digit];
    }
  }
  const CodeView by_column{
      turned.data(), rows, digit_count, 2, static_cast<std::ptrdiff_t>(2 * rows), CodeWidth::word};
  bench_columns("packed columns, mixed resolutions", *packed_source(packed_sweeper, by_column),
                one);
  std::fill_n(turned.data() + (digit_count - 1) * rows, rows, std::uint16_t{24});
  report("packed columns, one resolution", count, repetitions,
         [&] { columns(*packed_source(packed_sweeper, by_column), found.costs(), one); });

  // -- candidates --
  std::vector<std::uint8_t> made(codes.size());
  const CodeOutput output{made.data(), rows, variables, CodeWidth::byte};
  report("random genes", count, repetitions, [&] { candidates.random(Law::genes, 1, 0, output); });
  if (made != codes) throw std::runtime_error("random rows changed");
  report("random architectures", count, repetitions,
         [&] { candidates.random(Law::architectures, 1, 0, output); });
  std::vector<MaskTable> masks;
  for (const auto& group : candidates.groups()) {
    // Every mask as likely: no test of the rate, but as fast.
    const std::size_t all = std::size_t{1} << group.size();
    masks.push_back({std::vector<std::uint64_t>(all, std::uint64_t{1} << 55U),
                     std::vector<std::uint8_t>(all, 0)});
  }
  report("mutate", count, repetitions,
         [&] { candidates.mutate(drawn.view(), masks, 1, 0, output); });
  report("crossover", count, repetitions,
         [&] { candidates.crossover(drawn.view(), drawn.view(), 1, 0, output); });
  report("canonical", count, repetitions, [&] { candidates.canonical(drawn.view(), output); });
  std::vector<std::uint64_t> hashes(rows);
  report("hash", count, repetitions, [&] { candidates.hash(drawn.view(), hashes.data()); });
  report("unique", count, 1, [&] { (void)candidates.unique(drawn.view()); });

  // -- whole ranges --
  const std::uint64_t positions = 64 * rows;
  std::vector<std::uint16_t> start(digit_count, 0);
  const auto range = range_source(packed_sweeper, start, positions);
  std::vector<MetricValue> edges;
  for (std::int64_t edge = 0; edge <= 100; ++edge)
    edges.push_back({100'000'000 + 9'000'000 * edge, 0});
  const auto in_range = static_cast<double>(positions);
  report("enumerate, histogram", in_range, 1,
         [&] { (void)histogram(*range, {1, false}, edges, {}, one); });
  report(
      "enumerate, histogram, two threads", in_range, 1,
      [&] { (void)histogram(*range, {1, false}, edges, {}, two); }, 2);
  const Budget budget{{1, false}, std::nullopt, MetricValue{300'000'000, 0}};
  report("enumerate, histogram within a budget", in_range, 1,
         [&] { (void)histogram(*range, {0, false}, edges, {&budget, 1}, one); });
  report("enumerate, top 100", in_range, 1,
         [&] { (void)top_k(*range, {1, false}, 100, true, {&budget, 1}, one); });
  const std::array<Objective, 2> objectives{{{{0, false}, true}, {{1, false}, false}}};
  report("enumerate, pareto", in_range, 1, [&] { (void)pareto(*range, objectives, {}, one); });
  const std::array<MetricId, 2> both{{{0, false}, {1, false}}};
  report("enumerate, extremes", in_range, 1, [&] { (void)extremes(*range, both, {}, one); });
  const auto random = random_source(candidates, sweeper, rows, 1, Law::genes);
  report("random, histogram", count, repetitions,
         [&] { (void)histogram(*random, {1, false}, edges, {}, one); });
}

}  // namespace

int main(int arguments, char** values) {
  const std::size_t rows = arguments > 1 ? std::strtoull(values[1], nullptr, 10) : 1'000'000;
  const int repetitions = arguments > 2 ? std::atoi(values[2]) : 5;
  bench(rows, repetitions);
  return 0;
}
