#include "query/prepared_slice.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace netledger {

template <class Count>
PreparedSlice<Count>::PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice,
                                    const ProductOrder& order, Progress& progress)
    : slice_(std::move(slice)), order_(order.order), chain_(slice_->chain(order_)) {
  chain_.multiply(true, progress);
  finish();
}

template <class Count>
PreparedSlice<Count>::PreparedSlice(std::shared_ptr<const SliceTables<Algebra>> slice,
                                    const ProductOrder& order,
                                    std::vector<Polynomial<Algebra>> tables)
    : slice_(std::move(slice)), order_(order.order), chain_(slice_->chain(order_)) {
  chain_.restore(std::move(tables));
  finish();
}

template <class Count>
void PreparedSlice<Count>::finish() {
  ranked_ = std::make_unique<RankedTable<Count>>(chain_.result());
  for (const std::size_t part : order_) listed_.push_back(list(part));
}

template <class Count>
auto PreparedSlice<Count>::list(std::size_t part) const -> std::unique_ptr<Listed> {
  const Polynomial<Algebra>& table = *slice_->parts()[part];
  Sum<Count> total{0};
  for (std::size_t place = 0; place < table.places(); ++place) {
    total += widened(table.coefficient(place));
    if (!(total < Sum<Count>{most_listed})) return nullptr;
  }
  Listed listed{.variables = slice_->variables(part), .begins = {}, .codes = {}};
  std::vector<std::uint16_t> codes = slice_->slice().codes;
  for (std::size_t place = 0; place < table.places(); ++place) {
    listed.begins.push_back(listed.codes.size());
    const std::uint64_t count = lowest_word(table.coefficient(place));
    for (std::uint64_t number = 0; number < count; ++number) {
      slice_->find(part, table.cost(place), Count{number}, codes);
      for (const VariableIndex variable : listed.variables) listed.codes.push_back(codes[variable]);
    }
  }
  return std::make_unique<Listed>(std::move(listed));
}

namespace {

// Networks of nearby numbers, or costs, read the same parts of large tables. One after the other
// they find them in the cache; otherwise nearly every look-up waits for memory.
template <class Item, class Key>
void bring_together(std::vector<Item>& items, std::vector<Item>& room, const Key& key) {
  constexpr std::size_t buckets = 4096;
  if (items.size() < 2) return;
  double low = key(items.front());
  double high = low;
  for (const Item& item : items) {
    low = std::min(low, key(item));
    high = std::max(high, key(item));
  }
  const double scale = high > low ? (buckets - 1) / (high - low) : 0;
  const auto bucket_of = [&](const Item& item) {
    return static_cast<std::size_t>((key(item) - low) * scale);
  };
  std::array<std::size_t, buckets + 1> begins{};
  for (const Item& item : items) ++begins[bucket_of(item) + 1];
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) begins[bucket + 1] += begins[bucket];
  room.resize(items.size());
  for (const Item& item : items) room[begins[bucket_of(item)]++] = item;
  items.swap(room);
}

}  // namespace

template <class Count>
auto PreparedSlice<Count>::located(std::span<const Request> requests) const
    -> std::vector<Pending> {
  std::vector<Request> ordered(requests.begin(), requests.end());
  std::vector<Request> room;
  bring_together(ordered, room, [](const Request& request) { return approximate(request.number); });
  std::vector<Pending> pending;
  pending.reserve(ordered.size());
  for (const Request& request : ordered) {
    const auto [cost, asked] = ranked_->find(request.number);
    pending.push_back({cost, asked, request.row});
  }
  return pending;
}

template <class Count>
template <class Code>
void PreparedSlice<Count>::write_share(std::size_t place, const ProductChain<Algebra>::Part& share,
                                       std::span<std::uint16_t> codes, Code* row) const {
  if (listed_[place] == nullptr) {
    const std::size_t part = order_[place];
    slice_->find(part, share.cost, share.asked, codes);
    for (const VariableIndex variable : slice_->variables(part)) {
      row[variable] = static_cast<Code>(codes[variable]);
    }
    return;
  }
  const Listed& listed = *listed_[place];
  const std::uint16_t* code = listed.codes.data() + listed.begins[share.place] +
                              lowest_word(share.asked) * listed.variables.size();
  for (const VariableIndex variable : listed.variables) row[variable] = static_cast<Code>(*code++);
}

template <class Count>
template <class Code>
void PreparedSlice<Count>::write_shares(std::vector<Pending> pending,
                                        const CodeOutput& output) const {
  std::vector<Pending> room;
  std::vector<std::uint16_t> codes = slice_->slice().codes;
  const auto row_of = [&output](std::size_t row) {
    return reinterpret_cast<Code*>(output.row(row));
  };
  const std::vector<VariableIndex>& given = slice_->given();
  for (const Pending& request : pending) {
    for (const VariableIndex variable : given) {
      row_of(request.row)[variable] = static_cast<Code>(codes[variable]);
    }
  }
  if (order_.empty()) return;
  for (std::size_t place = chain_.parts().size() - 1; place > 0; --place) {
    for (Pending& request : pending) {
      const auto share = chain_.take_share(place, request.cost, request.asked);
      write_share(place, share, codes, row_of(request.row));
    }
    bring_together(pending, room,
                   [](const Pending& request) { return static_cast<double>(request.cost); });
  }
  for (const Pending& request : pending) {
    write_share(0, chain_.first_share(request.cost, request.asked), codes, row_of(request.row));
  }
}

template <class Count>
void PreparedSlice<Count>::write(std::span<const Request> requests,
                                 const CodeOutput& output) const {
  std::vector<Pending> pending = located(requests);
  if (output.width == CodeWidth::byte) {
    write_shares<std::uint8_t>(std::move(pending), output);
  } else {
    write_shares<std::uint16_t>(std::move(pending), output);
  }
}

template class PreparedSlice<std::uint64_t>;
template class PreparedSlice<Wide>;
template class PreparedSlice<WideCount<4>>;
template class PreparedSlice<WideCount<16>>;

}  // namespace netledger
