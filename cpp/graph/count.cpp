#include <algorithm>
#include <array>
#include <vector>

#include "graph/graph.h"

namespace netledger {

namespace {

[[noreturn]] void refuse_variables() {
  throw GraphError("the graph has variables: give them values before counting");
}

}  // namespace

Counts count(const Graph& graph) {
  // Rows are read in groups that stay in the cache while every column takes its part of them.
  constexpr std::size_t group = 64;
  std::array<std::int64_t, group> part;
  Counts counts;
  const std::size_t nodes = graph.nodes_.size();
  for (std::vector<std::int64_t>& column : counts.columns) column.reserve(nodes);
  for (std::size_t start = 0; start < nodes; start += group) {
    const auto rows = graph.accounts_.at(start, std::min(group, nodes - start));
    for (std::size_t metric = 0; metric < metric_count; ++metric) {
      __int128 total = 0;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        part[row] = rows[row][metric];
        if (part[row] < checked::lowest) refuse_variables();
        total += part[row];
      }
      counts.totals[metric] += total;
      std::vector<std::int64_t>& column = counts.columns[metric];
      column.insert(column.end(), part.begin(),
                    part.begin() + static_cast<std::ptrdiff_t>(rows.size()));
    }
  }
  counts.peak_memory = peak_memory(graph);
  return counts;
}

__int128 peak_memory(const Graph& graph) {
  // Walks backwards. A storage is alive from where it is first met, which is its last use, until
  // the layer that makes it has been passed.
  std::vector<char> met(graph.tensor_count(), 0);
  __int128 alive = 0;
  const auto meet = [&](TensorIndex tensor) {
    const TensorIndex storage = graph.tensors_[tensor].storage;
    if (met[storage] != 0) return;
    met[storage] = 1;
    const Graph::Tensor& owner = graph.tensors_[storage];
    if (owner.kind != TensorKind::activation && owner.kind != TensorKind::input) return;
    if (owner.elements < checked::lowest) refuse_variables();
    alive += Graph::bytes(owner);
  };
  for (const TensorIndex output : graph.outputs()) meet(output);
  __int128 peak = 0;
  __int128 at_start = alive;
  for (std::size_t node = graph.node_count(); node-- > 0;) {
    const Graph::Node& stored = graph.nodes_[node];
    const TensorIndex first = stored.first_output;
    const TensorIndex end = first + stored.output_count;
    for (TensorIndex output = first; output < end; ++output) meet(output);
    for (const TensorIndex used : graph.links_.at(stored.links, stored.input_count)) meet(used);
    for (const TensorIndex used :
         graph.links_.at(stored.links + stored.input_count, stored.weight_count)) {
      if (used != absent) meet(used);
    }
    peak = std::max(peak, alive);
    at_start = alive;
    for (TensorIndex output = first; output < end; ++output) {
      const Graph::Tensor& made = graph.tensors_[output];
      if (made.storage == output) alive -= Graph::bytes(made);
    }
  }
  // Inputs that nothing reads are there at the start all the same.
  alive = at_start;
  for (TensorIndex tensor = 0; tensor < graph.tensors_.size(); ++tensor) {
    if (graph.tensors_[tensor].kind == TensorKind::input) meet(tensor);
  }
  return std::max(peak, alive);
}

}  // namespace netledger
