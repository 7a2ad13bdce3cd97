#include "space/reductions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "space/error.h"
#include "space/metric_keys.h"

namespace netledger {

namespace {

// Reduces with one state per thread. A state has begin(first row of a chunk), accept(KeyRows),
// enough() and merge(other state); in whatever order chunks are merged, the result is the same.
template <class State>
std::optional<State> reduce(const Source& source, const KeyReader& keys, const State& empty,
                            const RunOptions& options) {
  std::vector<State> states(std::max(options.threads, 1U), empty);
  const bool finished =
      run_chunks(source.rows(), source.chunk_rows(), options, [&](unsigned thread) -> ChunkWorker {
        struct Worker {
          std::unique_ptr<CostReader> reader;
          KeyReader keys;
        };
        // Shared: a std::function can be copied.
        auto worker = std::make_shared<Worker>(source.reader(), keys);
        return [worker, &state = states[thread]](std::uint64_t first, std::uint64_t rows) {
          state.begin(first);
          worker->reader->read(first, rows, [&](const CostBlock& block) {
            worker->keys.read(block, [&](const KeyRows& part) { state.accept(part); });
          });
          return !state.enough();
        };
      });
  if (!finished) return std::nullopt;
  State result = std::move(states.front());
  for (std::size_t thread = 1; thread < states.size(); ++thread) {
    result.merge(std::move(states[thread]));
  }
  return result;
}

// What most states need not do.
struct AnyChunk {
  void begin(std::uint64_t /*first*/) noexcept {}
};
struct NeverEnough {
  [[nodiscard]] static bool enough() noexcept { return false; }
};

// -- histogram
// ---------------------------------------------------------------------------------------

// Finds the bin of a key: near to it by a table over the key's high bits, then step by step.
class Bins {
 public:
  explicit Bins(const std::vector<std::int64_t>& edges)
      : lowest_(static_cast<std::uint64_t>(edges.front())),
        last_(edges.size() - 2),
        below_(edges.front()) {
    for (std::size_t edge = 1; edge < edges.size(); ++edge) {
      upper_.push_back(static_cast<std::uint64_t>(edges[edge]) - lowest_);
    }
    range_ = upper_.back();
    // No step leads out of the last bin; one more, as a step may be taken from there.
    upper_.back() = std::numeric_limits<std::uint64_t>::max();
    upper_.push_back(std::numeric_limits<std::uint64_t>::max());
    while (range_ >> shift_ >= most_buckets) ++shift_;
    std::uint32_t bin = 0;
    for (std::uint64_t bucket = 0; bucket <= range_ >> shift_; ++bucket) {
      while (bin < last_ && upper_[bin] <= bucket << shift_) ++bin;
      first_bins_.push_back(bin);
    }
  }

  [[nodiscard]] std::size_t count() const noexcept { return last_ + 1; }
  [[nodiscard]] bool below(std::int64_t key) const noexcept { return key < below_; }
  // From the first edge; keys below it are far away, as the difference wraps.
  [[nodiscard]] std::uint64_t distance(std::int64_t key) const noexcept {
    return static_cast<std::uint64_t>(key) - lowest_;
  }
  [[nodiscard]] bool contain(std::uint64_t distance) const noexcept { return distance < range_; }
  // Of a distance that they contain.
  [[nodiscard]] std::size_t find(std::uint64_t distance) const noexcept {
    std::size_t bin = first_bins_[distance >> shift_];
    // Seldom more than one step, and whether it is taken cannot be foreseen.
    bin += static_cast<std::size_t>(distance >= upper_[bin]);
    while (bin < last_ && distance >= upper_[bin]) ++bin;
    return std::min(bin, last_);
  }

 private:
  static constexpr std::uint64_t most_buckets = 4096;

  std::uint64_t lowest_;
  std::uint64_t range_ = 0;
  std::size_t last_;
  std::int64_t below_;
  unsigned shift_ = 0;
  // The distance of each bin's upper edge.
  std::vector<std::uint64_t> upper_;
  std::vector<std::uint32_t> first_bins_;
};

class HistogramState : public AnyChunk, public NeverEnough {
 public:
  explicit HistogramState(const Bins& bins) : bins_(&bins), counts_(bins.count() * lanes) {}

  void accept(const KeyRows& part) {
    refused_ += part.refused;
    outside_budgets_ += part.outside_budgets;
    const std::int64_t* const keys = part.keys.front();
    const Bins& bins = *bins_;
    std::uint64_t* const counts = counts_.data();
    part.visit([&](std::size_t row) {
      const std::uint64_t distance = bins.distance(keys[row]);
      if (bins.contain(distance)) [[likely]] {
        ++counts[bins.find(distance) * lanes + row % lanes];
      } else {
        ++(bins.below(keys[row]) ? below_ : above_);
      }
    });
  }

  void merge(const HistogramState& other) {
    for (std::size_t bin = 0; bin < counts_.size(); ++bin) counts_[bin] += other.counts_[bin];
    below_ += other.below_;
    above_ += other.above_;
    refused_ += other.refused_;
    outside_budgets_ += other.outside_budgets_;
  }

  [[nodiscard]] Histogram result() const {
    Histogram found{{}, below_, above_, refused_, outside_budgets_};
    for (std::size_t bin = 0; bin < counts_.size(); bin += lanes) {
      found.counts.push_back(
          std::accumulate(counts_.data() + bin, counts_.data() + bin + lanes, std::uint64_t{0}));
    }
    return found;
  }

 private:
  // Neighbours are often in the same bin: they are counted apart, so as not to wait.
  static constexpr std::size_t lanes = 4;

  const Bins* bins_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t below_ = 0;
  std::uint64_t above_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t outside_budgets_ = 0;
};

// -- top k
// -------------------------------------------------------------------------------------------

// The smallest is the best; keys are turned over where the largest is wanted.
struct RankState : AnyChunk, NeverEnough {
  using Entry = std::pair<std::int64_t, std::uint64_t>;

  RankState(std::size_t how_many, bool largest)
      : count(how_many), turn(largest ? ~std::int64_t{0} : 0) {}

  void accept(const KeyRows& part) {
    const std::int64_t* const keys = part.keys.front();
    part.visit([&](std::size_t row) { offer({keys[row] ^ turn, part.first + row}); });
  }

  void offer(const Entry& entry) {
    if (best.size() < count) {
      best.push_back(entry);
      std::ranges::push_heap(best);
    } else if (count > 0 && entry < best.front()) {
      std::ranges::pop_heap(best);
      best.back() = entry;
      std::ranges::push_heap(best);
    }
  }

  void merge(const RankState& other) {
    for (const Entry& entry : other.best) offer(entry);
  }

  std::size_t count;
  std::int64_t turn;
  // A heap, the worst on top.
  std::vector<Entry> best;
};

// -- Pareto front
// ------------------------------------------------------------------------------------

struct FrontState : AnyChunk, NeverEnough {
  struct Point {
    std::vector<std::int64_t> keys;
    std::uint64_t position = 0;
  };

  explicit FrontState(std::span<const Objective> objectives) {
    for (const Objective& objective : objectives) {
      turns.push_back(objective.maximize ? ~std::int64_t{0} : 0);
    }
    candidate.keys.resize(turns.size());
  }

  void accept(const KeyRows& part) {
    part.visit([&](std::size_t row) {
      for (std::size_t index = 0; index < turns.size(); ++index) {
        candidate.keys[index] = part.keys[index][row] ^ turns[index];
      }
      candidate.position = part.first + row;
      offer(candidate);
    });
  }

  // Whether `one` is at least as good in every objective.
  [[nodiscard]] static bool covers(const Point& one, const Point& other) noexcept {
    for (std::size_t index = 0; index < one.keys.size(); ++index) {
      if (one.keys[index] > other.keys[index]) return false;
    }
    return true;
  }

  void offer(const Point& point) {
    for (std::size_t index = 0; index < front.size(); ++index) {
      if (!covers(front[index], point)) continue;
      if (front[index].keys == point.keys) {
        front[index].position = std::min(front[index].position, point.position);
      }
      // What covers much stands first.
      if (index > 0) std::swap(front[index], front[index / 2]);
      return;
    }
    std::erase_if(front, [&](const Point& other) { return covers(point, other); });
    front.push_back(point);
  }

  void merge(const FrontState& other) {
    for (const Point& point : other.front) offer(point);
  }

  // All ones where the objective is maximized: keys are turned over.
  std::vector<std::int64_t> turns;
  std::vector<Point> front;
  Point candidate;
};

// -- filter
// ------------------------------------------------------------------------------------------

struct FilterState : AnyChunk {
  FilterState(std::size_t metrics, std::uint64_t most) : limit(most), keys(metrics) {}

  void accept(const KeyRows& part) {
    part.visit([&](std::size_t row) {
      if (enough()) return;
      positions.push_back(part.first + row);
      for (std::size_t metric = 0; metric < keys.size(); ++metric) {
        keys[metric].push_back(part.keys[metric][row]);
      }
    });
  }

  // A thread's chunks ascend: what comes later is behind all that it found.
  [[nodiscard]] bool enough() const noexcept { return positions.size() >= limit; }

  void merge(const FilterState& other) {
    std::vector<std::uint64_t> both_positions;
    std::vector<std::vector<std::int64_t>> both(keys.size());
    std::size_t left = 0;
    std::size_t right = 0;
    while (both_positions.size() < limit &&
           (left < positions.size() || right < other.positions.size())) {
      const bool mine = right == other.positions.size() ||
                        (left < positions.size() && positions[left] < other.positions[right]);
      const FilterState& from = mine ? *this : other;
      const std::size_t index = mine ? left++ : right++;
      both_positions.push_back(from.positions[index]);
      for (std::size_t metric = 0; metric < keys.size(); ++metric) {
        both[metric].push_back(from.keys[metric][index]);
      }
    }
    positions = std::move(both_positions);
    keys = std::move(both);
  }

  std::uint64_t limit;
  std::vector<std::uint64_t> positions;
  std::vector<std::vector<std::int64_t>> keys;
};

// -- extremes
// ----------------------------------------------------------------------------------------

struct ExtremesState : NeverEnough {
  struct OfMetric {
    RankState::Entry minimum{std::numeric_limits<std::int64_t>::max(),
                             std::numeric_limits<std::uint64_t>::max()};
    // The key is turned over: the smallest pair is the first of the largest.
    RankState::Entry maximum = minimum;
    Int128 sum = 0;
    // By chunk, to be added in their order: sums of reals depend on it.
    std::vector<std::pair<std::uint64_t, double>> real_sums;
  };

  explicit ExtremesState(std::span<const MetricId> all)
      : ids(all.begin(), all.end()), metrics(all.size()) {}

  void begin(std::uint64_t first) {
    for (OfMetric& metric : metrics) metric.real_sums.emplace_back(first, 0.0);
  }

  void accept(const KeyRows& part) {
    refused += part.refused;
    outside_budgets += part.outside_budgets;
    count += part.rows - part.refused - part.outside_budgets;
    for (std::size_t index = 0; index < metrics.size(); ++index) {
      accept_metric(part, index);
    }
  }

  void accept_metric(const KeyRows& part, std::size_t index) {
    OfMetric& metric = metrics[index];
    const std::int64_t* const keys = part.keys[index];
    const bool real = ids[index].real;
    double& real_sum = metric.real_sums.back().second;
    part.visit([&](std::size_t row) {
      const std::int64_t key = keys[row];
      if (key < metric.minimum.first) metric.minimum = {key, part.first + row};
      if (~key < metric.maximum.first) metric.maximum = {~key, part.first + row};
      if (real) {
        real_sum += real_of_key(key);
      } else {
        metric.sum += key;
      }
    });
  }

  void merge(const ExtremesState& other) {
    refused += other.refused;
    outside_budgets += other.outside_budgets;
    count += other.count;
    for (std::size_t index = 0; index < metrics.size(); ++index) {
      OfMetric& metric = metrics[index];
      const OfMetric& more = other.metrics[index];
      metric.minimum = std::min(metric.minimum, more.minimum);
      metric.maximum = std::min(metric.maximum, more.maximum);
      metric.sum += more.sum;
      metric.real_sums.insert(metric.real_sums.end(), more.real_sums.begin(), more.real_sums.end());
    }
  }

  std::vector<MetricId> ids;
  std::vector<OfMetric> metrics;
  std::uint64_t count = 0;
  std::uint64_t refused = 0;
  std::uint64_t outside_budgets = 0;
};

}  // namespace

bool columns(const Source& source, const CostColumns& costs, const RunOptions& options) {
  const Plan& plan = source.plan();
  if (costs.metrics.size() != plan.metrics.size() ||
      costs.reals.size() != plan.real_metrics.size()) {
    throw SpaceError("costs need a column for each metric of the plan");
  }
  return run_chunks(source.rows(), source.chunk_rows(), options, [&](unsigned) -> ChunkWorker {
    std::shared_ptr<CostReader> reader = source.reader();
    return [reader, &costs](std::uint64_t first, std::uint64_t rows) {
      reader->write(first, rows, costs.from(first));
      return true;
    };
  });
}

std::optional<Histogram> histogram(const Source& source, MetricId metric,
                                   std::span<const MetricValue> edges,
                                   std::span<const Budget> budgets, const RunOptions& options) {
  check_metric(source.plan(), metric);
  std::vector<std::int64_t> keys;
  for (const MetricValue& edge : edges) {
    if (metric.real && std::isnan(edge.real)) throw SpaceError("an edge is not a number");
    keys.push_back(key_of(metric, edge));
  }
  if (keys.size() < 2 || !std::ranges::is_sorted(keys)) {
    throw SpaceError("a histogram needs two or more edges in ascending order");
  }
  const Bins bins(keys);
  auto state = reduce(source, KeyReader(source.plan(), {&metric, 1}, budgets), HistogramState(bins),
                      options);
  if (!state) return std::nullopt;
  return state->result();
}

std::optional<std::vector<Ranked>> top_k(const Source& source, MetricId metric, std::size_t count,
                                         bool largest, std::span<const Budget> budgets,
                                         const RunOptions& options) {
  auto state = reduce(source, KeyReader(source.plan(), {&metric, 1}, budgets),
                      RankState(count, largest), options);
  if (!state) return std::nullopt;
  std::ranges::sort(state->best);
  std::vector<Ranked> ranked;
  for (const auto& [key, position] : state->best) {
    ranked.push_back({position, value_of(metric, key ^ state->turn)});
  }
  return ranked;
}

std::optional<Selected> pareto(const Source& source, std::span<const Objective> objectives,
                               std::span<const Budget> budgets, const RunOptions& options) {
  if (objectives.empty()) throw SpaceError("a Pareto front needs an objective");
  std::vector<MetricId> metrics;
  for (const Objective& objective : objectives) metrics.push_back(objective.metric);
  auto state =
      reduce(source, KeyReader(source.plan(), metrics, budgets), FrontState(objectives), options);
  if (!state) return std::nullopt;
  std::ranges::sort(state->front, [](const auto& left, const auto& right) {
    return std::tie(left.keys, left.position) < std::tie(right.keys, right.position);
  });
  Selected selected;
  selected.values.resize(metrics.size());
  for (const auto& point : state->front) {
    selected.positions.push_back(point.position);
    for (std::size_t index = 0; index < metrics.size(); ++index) {
      selected.values[index].push_back(
          value_of(metrics[index], point.keys[index] ^ state->turns[index]));
    }
  }
  return selected;
}

std::optional<Selected> filter(const Source& source, std::span<const Budget> budgets,
                               std::optional<std::uint64_t> limit, const RunOptions& options) {
  std::vector<MetricId> metrics;
  metrics.reserve(source.plan().metrics.size() + source.plan().real_metrics.size());
  for (std::uint32_t index = 0; index < source.plan().metrics.size(); ++index) {
    metrics.push_back({index, false});
  }
  for (std::uint32_t index = 0; index < source.plan().real_metrics.size(); ++index) {
    metrics.push_back({index, true});
  }
  const std::uint64_t most = limit.value_or(std::numeric_limits<std::uint64_t>::max());
  auto state = reduce(source, KeyReader(source.plan(), metrics, budgets),
                      FilterState(metrics.size(), most), options);
  if (!state) return std::nullopt;
  Selected selected{std::move(state->positions),
                    std::vector<std::vector<MetricValue>>(metrics.size())};
  for (std::size_t index = 0; index < metrics.size(); ++index) {
    selected.values[index].reserve(state->keys[index].size());
    for (const std::int64_t key : state->keys[index]) {
      selected.values[index].push_back(value_of(metrics[index], key));
    }
  }
  return selected;
}

std::optional<Extremes> extremes(const Source& source, std::span<const MetricId> metrics,
                                 std::span<const Budget> budgets, const RunOptions& options) {
  auto state =
      reduce(source, KeyReader(source.plan(), metrics, budgets), ExtremesState(metrics), options);
  if (!state) return std::nullopt;
  Extremes result{state->count, state->refused, state->outside_budgets, {}};
  for (std::size_t index = 0; index < metrics.size(); ++index) {
    auto& metric = state->metrics[index];
    Extremes::OfMetric& found = result.metrics.emplace_back();
    found.minimum = {metric.minimum.second, value_of(metrics[index], metric.minimum.first)};
    found.maximum = {metric.maximum.second, value_of(metrics[index], ~metric.maximum.first)};
    found.sum = metric.sum;
    std::ranges::sort(metric.real_sums);
    for (const auto& [chunk, sum] : metric.real_sums) found.real_sum += sum;
  }
  return result;
}

}  // namespace netledger
