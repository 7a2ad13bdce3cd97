#include <algorithm>
#include <vector>

#include "graph/graph.h"

namespace netledger {

Counts count(const Graph& graph) {
  Counts counts;
  const std::size_t nodes = graph.nodes_.size();
  for (std::vector<std::int64_t>& column : counts.columns) column.resize(nodes);
  for (std::size_t node = 0; node < nodes; ++node) {
    const Graph::Node& stored = graph.nodes_[node];
    for (std::size_t metric = 0; metric < metric_count; ++metric) {
      const std::int64_t value = stored.account[metric];
      if (value < checked::lowest) {
        throw GraphError("the graph has variables: give them values before counting");
      }
      counts.columns[metric][node] = value;
      counts.totals[metric] += value;
    }
  }
  counts.peak_memory = peak_memory(graph);
  return counts;
}

__int128 peak_memory(const Graph& graph) {
  const std::size_t nodes = graph.node_count();
  const std::size_t tensors = graph.tensor_count();
  constexpr std::uint32_t never = absent;
  std::vector<std::uint32_t> first(tensors, never);
  std::vector<std::uint32_t> last(tensors, 0);
  for (TensorIndex tensor = 0; tensor < tensors; ++tensor) {
    if (graph.kind(tensor) == TensorKind::input) first[tensor] = 0;
  }
  for (NodeIndex node = 0; node < nodes; ++node) {
    const Outputs outputs = graph.outputs(node);
    for (std::uint32_t index = 0; index < outputs.count; ++index) {
      const TensorIndex output = outputs.first + index;
      const TensorIndex storage = graph.storage(output);
      if (storage == output) first[output] = node;
      last[storage] = node;
    }
    for (const std::span<const TensorIndex> used : {graph.inputs(node), graph.weights(node)}) {
      for (const TensorIndex tensor : used) {
        if (tensor != absent) last[graph.storage(tensor)] = node;
      }
    }
  }
  for (const TensorIndex output : graph.outputs()) {
    last[graph.storage(output)] = nodes == 0 ? 0 : static_cast<std::uint32_t>(nodes - 1);
  }
  std::vector<__int128> change(nodes + 2, 0);
  for (TensorIndex tensor = 0; tensor < tensors; ++tensor) {
    if (first[tensor] == never) continue;
    const __int128 bytes = graph.bytes(tensor);
    change[first[tensor]] += bytes;
    change[std::max(last[tensor], first[tensor]) + std::size_t{1}] -= bytes;
  }
  __int128 alive = 0;
  __int128 peak = 0;
  for (const __int128 step : change) {
    alive += step;
    peak = std::max(peak, alive);
  }
  return peak;
}

}  // namespace netledger
