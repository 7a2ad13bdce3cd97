#include "space/position_words.h"

#include <algorithm>

namespace netledger {

namespace {

// Inner digits are taken until they have so many combinations, as long as they are not too many.
constexpr std::size_t enough_inner = std::size_t{1} << 12U;
constexpr std::size_t most_inner = std::size_t{1} << 20U;

}  // namespace

bool PositionWords::possible(const PackedSweeper& sweeper) noexcept {
  return sweeper.tables() != nullptr && sweeper.tables()->layout().words_per_entry() == 1 &&
         sweeper.digits().whole() && !sweeper.digits().digits().empty();
}

PositionWords::PositionWords(const PackedSweeper& sweeper, std::span<const std::uint16_t> start)
    : digits_(sweeper.digits()), start_(start.begin(), start.end()) {
  choose_inner();
  for (const DigitTable& table : sweeper.tables()->tables()) add_table(table);
  for (Group& group : groups_) find_places(group);
  outer_codes_.assign(start_.begin(), start_.begin() + static_cast<std::ptrdiff_t>(inner_));
  for (Group& group : groups_) fill(group);
  set_outer(0);
}

void PositionWords::choose_inner() {
  inner_ = start_.size();
  while (inner_ > 0 && inner_size_ < enough_inner) {
    const std::size_t size = digits_.digits()[inner_ - 1].size;
    if (inner_size_ * size > most_inner) break;
    offset_ += inner_size_ * start_[inner_ - 1];
    inner_size_ *= size;
    --inner_;
  }
}

void PositionWords::add_table(const DigitTable& table) {
  const auto outer_end = std::ranges::lower_bound(table.digits, inner_);
  Slice slice{&table, static_cast<std::size_t>(outer_end - table.digits.begin()), 1};
  if (outer_end == table.digits.end()) {
    outer_slices_.push_back(slice);
    return;
  }
  const std::vector<std::uint32_t> inner(outer_end, table.digits.end());
  for (const std::uint32_t digit : inner) slice.size *= digits_.digits()[digit].size;
  auto group = std::ranges::find(groups_, inner, &Group::digits);
  if (group == groups_.end()) {
    group = groups_.insert(group, Group{});
    group->digits = inner;
    group->period = slice.size;
  }
  group->slices.push_back(slice);
  group->links.insert(group->links.end(), table.digits.begin(), outer_end);
}

void PositionWords::find_places(Group& group) const {
  // The last digits in a row repeat by themselves.
  const std::size_t count = group.digits.size();
  if (group.digits.front() + count == start_.size()) {
    group.sum.resize(group.period + most_rows);
    return;
  }
  group.sum.resize(group.period);
  group.places.assign(1, 0);
  std::size_t place = 0;
  for (std::size_t digit = inner_; digit < start_.size(); ++digit) {
    const std::uint32_t size = digits_.digits()[digit].size;
    const bool shared = place < count && group.digits[place] == digit;
    std::vector<std::uint32_t> longer;
    longer.reserve(group.places.size() * size);
    for (const std::uint32_t before : group.places) {
      for (std::uint32_t code = 0; code < size; ++code) {
        longer.push_back(shared ? before * size + code : before);
      }
    }
    group.places = std::move(longer);
    if (shared) ++place;
  }
}

const std::uint64_t* PositionWords::Slice::at(std::span<const std::uint16_t> outer_codes) const {
  std::size_t entry = 0;
  for (std::size_t place = 0; place < outer; ++place) {
    entry += std::size_t{outer_codes[table->digits[place]]} * table->strides[place];
  }
  return table->words.data() + entry;
}

void PositionWords::fill(Group& group) const {
  std::uint64_t* const sum = group.sum.data();
  std::fill_n(sum, group.period, std::uint64_t{0});
  for (const Slice& slice : group.slices) {
    const std::uint64_t* const words = slice.at(outer_codes_);
    for (std::size_t index = 0; index < group.period; ++index) sum[index] += words[index];
  }
  for (std::size_t index = group.period; index < group.sum.size(); ++index) {
    sum[index] = sum[index - group.period];
  }
}

// Sets the outer digits to those that are `number` after the start's.
void PositionWords::set_outer(std::uint64_t number) {
  outer_number_ = number;
  std::vector<std::uint16_t> before = outer_codes_;
  std::uint64_t carry = number;
  for (std::size_t digit = inner_; digit-- > 0;) {
    const std::uint64_t size = digits_.digits()[digit].size;
    const std::uint64_t sum = carry % size + start_[digit];
    outer_codes_[digit] = static_cast<std::uint16_t>(sum % size);
    carry = carry / size + sum / size;
  }
  for (Group& group : groups_) {
    if (std::ranges::any_of(group.links, [&](std::uint32_t digit) {
          return before[digit] != outer_codes_[digit];
        })) {
      fill(group);
    }
  }
  base_ = 0;
  for (const Slice& slice : outer_slices_) base_ += *slice.at(outer_codes_);
}

void PositionWords::read(std::uint64_t first, std::size_t rows, std::uint64_t* words) {
  // Counted from the start's outer digits, with all inner ones 0.
  std::uint64_t position = first + offset_;
  while (rows > 0) {
    const std::uint64_t number = position / inner_size_;
    const auto inner = static_cast<std::size_t>(position % inner_size_);
    const std::size_t count = std::min({rows, inner_size_ - inner, most_rows});
    if (number != outer_number_) set_outer(number);
    sum_inner(inner, count, words);
    position += count;
    words += count;
    rows -= count;
  }
}

void PositionWords::sum_inner(std::size_t first, std::size_t rows, std::uint64_t* words) const {
  std::fill_n(words, rows, base_);
  for (const Group& group : groups_) {
    if (group.places.empty()) {
      const std::uint64_t* const sum = group.sum.data() + first % group.period;
      for (std::size_t row = 0; row < rows; ++row) words[row] += sum[row];
    } else {
      const std::uint32_t* const places = group.places.data() + first;
      for (std::size_t row = 0; row < rows; ++row) words[row] += group.sum[places[row]];
    }
  }
}

}  // namespace netledger
