#include "query/prepared_slice.h"

#include <algorithm>
#include <utility>

namespace netledger {

template <class Count>
PreparedSlice<Count>::PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice,
                                    Progress& progress)
    : slice_(std::move(slice)), chain_(slice_->chain(slice_->order().order)) {
  chain_.multiply(true, progress);
  finish();
}

template <class Count>
PreparedSlice<Count>::PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice,
                                    std::vector<Polynomial<Algebra>> tables)
    : slice_(std::move(slice)), chain_(slice_->chain(slice_->order().order)) {
  chain_.restore(std::move(tables));
  finish();
}

template <class Count>
void PreparedSlice<Count>::finish() {
  ranked_.emplace(chain_.result());
  for (const std::size_t part : slice_->order().order) listed_.push_back(list(part));
}

template <class Count>
auto PreparedSlice<Count>::list(std::size_t part) const -> std::optional<Listed> {
  Listed listed;
  Sum<Count> total{0};
  for (const auto& term : slice_->parts()[part]->terms()) {
    total += widened(term.coefficient);
    if (!(total < Sum<Count>{most_listed})) return std::nullopt;
  }
  listed.variables = slice_->variables(part);
  std::vector<std::uint16_t> codes = slice_->slice().codes;
  for (const auto& term : slice_->parts()[part]->terms()) {
    listed.costs.push_back(term.cost);
    listed.begins.push_back(listed.codes.size());
    for (Count number{0}; number < term.coefficient; number = Algebra::add(number, Count{1})) {
      slice_->find(part, term.cost, number, codes);
      for (const VariableIndex variable : listed.variables) listed.codes.push_back(codes[variable]);
    }
  }
  return listed;
}

template <class Count>
void PreparedSlice<Count>::find(const Sum<Count>& number, std::span<std::uint16_t> codes,
                                Workspace& workspace) const {
  const auto [cost, asked] = ranked_->find(number);
  const std::vector<std::size_t>& order = slice_->order().order;
  workspace.parts.resize(chain_.parts().size());
  chain_.divide(cost, asked, workspace.parts);
  for (std::size_t place = 0; place < order.size(); ++place) {
    const auto& part = workspace.parts[place];
    if (!listed_[place]) {
      slice_->find(order[place], part.cost, part.asked, codes);
      continue;
    }
    const Listed& listed = *listed_[place];
    const auto of_cost = static_cast<std::size_t>(
        std::ranges::lower_bound(listed.costs, part.cost) - listed.costs.begin());
    const std::uint16_t* found = listed.codes.data() + listed.begins[of_cost] +
                                 lowest_word(part.asked) * listed.variables.size();
    for (const VariableIndex variable : listed.variables) codes[variable] = *found++;
  }
}

template class PreparedSlice<std::uint64_t>;
template class PreparedSlice<Wide>;
template class PreparedSlice<WideCount<4>>;
template class PreparedSlice<WideCount<16>>;

}  // namespace netledger
