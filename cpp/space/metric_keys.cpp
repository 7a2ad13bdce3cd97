#include "space/metric_keys.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "space/error.h"

namespace netledger {

void check_metric(const Plan& plan, MetricId metric) {
  const std::size_t count = metric.real ? plan.real_metrics.size() : plan.metrics.size();
  if (metric.index < count) return;
  throw SpaceError("there is no " + std::string(metric.real ? "real" : "integer") + " metric " +
                   std::to_string(metric.index) + "; the plan has " + std::to_string(count));
}

const std::string& metric_name(const Plan& plan, MetricId metric) {
  return metric.real ? plan.real_metrics[metric.index] : plan.metrics[metric.index];
}

namespace {

std::int64_t limit_key(const Plan& plan, MetricId metric, const MetricValue& limit) {
  if (metric.real && std::isnan(limit.real)) {
    throw SpaceError("the budget of metric '" + metric_name(plan, metric) + "' is not a number");
  }
  return key_of(metric, limit);
}

}  // namespace

KeyReader::KeyReader(const Plan& plan, std::span<const MetricId> metrics,
                     std::span<const Budget> budgets)
    : metrics_(metrics.begin(), metrics.end()), buffers_(metrics.size()) {
  for (const MetricId metric : metrics) check_metric(plan, metric);
  for (const Budget& budget : budgets) {
    check_metric(plan, budget.metric);
    Limits limits{budget.metric};
    if (budget.low) limits.low = limit_key(plan, budget.metric, *budget.low);
    if (budget.high) limits.high = limit_key(plan, budget.metric, *budget.high);
    limits_.push_back(limits);
  }
  rows_.keys.resize(metrics.size());
}

void KeyReader::load(const CostBlock& block, std::size_t first) {
  rows_.first = block.first + first;
  rows_.rows = std::min(KeyRows::most, block.rows - first);
  for (std::size_t index = 0; index < metrics_.size(); ++index) {
    rows_.keys[index] = keys(block, first, metrics_[index], buffers_[index]);
  }
  rows_.kept = nullptr;
  rows_.refused = 0;
  rows_.outside_budgets = 0;
  if (block.refusals != nullptr || !limits_.empty()) decide(block, first);
}

const std::int64_t* KeyReader::keys(const CostBlock& block, std::size_t first, MetricId metric,
                                    Keys& buffer) const {
  if (metric.real) {
    const double* const reals = block.reals[metric.index] + first;
    for (std::size_t row = 0; row < rows_.rows; ++row) buffer[row] = real_key(reals[row]);
    return buffer.data();
  }
  return block.metrics[metric.index] + first;
}

void KeyReader::decide(const CostBlock& block, std::size_t first) {
  const std::size_t rows = rows_.rows;
  std::fill_n(kept_.data(), rows, std::uint8_t{1});
  if (block.refusals != nullptr) {
    const Refusal* const refusals = block.refusals + first;
    for (std::size_t row = 0; row < rows; ++row) kept_[row] = refusals[row] == accepted ? 1 : 0;
  }
  const auto count = [&] {
    return std::accumulate(kept_.data(), kept_.data() + rows, std::size_t{0});
  };
  const std::size_t accepted_rows = count();
  rows_.refused = rows - accepted_rows;
  for (const Limits& limits : limits_) {
    const std::int64_t* const values = keys(block, first, limits.metric, budget_buffer_);
    for (std::size_t row = 0; row < rows; ++row) {
      const bool inside = (values[row] >= limits.low) & (values[row] <= limits.high);
      kept_[row] = static_cast<std::uint8_t>(kept_[row] & static_cast<std::uint8_t>(inside));
    }
  }
  rows_.outside_budgets = accepted_rows - (limits_.empty() ? accepted_rows : count());
  rows_.kept = kept_.data();
}

}  // namespace netledger
