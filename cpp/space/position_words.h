// PositionWords: the summed words of neighbouring positions of an enumeration.
//
// Only the last digits change from one position to the next. What the others cost is summed once;
// what both cost together is a vector over the last digits, made again when the others change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/packed.h"

namespace netledger {

class PositionWords {
 public:
  // Positions that `read` gives at most.
  static constexpr std::size_t most_rows = 1024;

  // Whether these tables can be summed this way: one word per entry, only canonical positions.
  [[nodiscard]] static bool possible(const PackedSweeper& sweeper) noexcept;

  // `start` are the digits of the first position. The sweeper, which has tables, outlives it.
  PositionWords(const PackedSweeper& sweeper, std::span<const std::uint16_t> start);

  // The words of positions `first` to `first` + `rows` after the start.
  void read(std::uint64_t first, std::size_t rows, std::uint64_t* words);

 private:
  // Part of a table: `size` words over inner digits, from where the outer ones say.
  struct Slice {
    const DigitTable* table = nullptr;
    // Of the table's digits, how many are outer ones.
    std::size_t outer = 0;
    std::size_t size = 1;

    [[nodiscard]] const std::uint64_t* at(std::span<const std::uint16_t> outer_codes) const;
  };
  // Slices over the same inner digits.
  struct Group {
    std::vector<std::uint32_t> digits;
    std::vector<Slice> slices;
    // Their sum; where it is repeated, as long as `most_rows` more.
    std::vector<std::uint64_t> sum;
    std::size_t period = 1;
    // For each inner position the place in the sum; empty where that is the remainder by `period`.
    std::vector<std::uint32_t> places;
    // The outer digits that it depends on.
    std::vector<std::uint32_t> links;
  };

  void choose_inner();
  void add_table(const DigitTable& table);
  void find_places(Group& group) const;
  void set_outer(std::uint64_t number);
  void fill(Group& group) const;
  void sum_inner(std::size_t first, std::size_t rows, std::uint64_t* words) const;

  const Digits& digits_;
  std::vector<std::uint16_t> start_;
  // The first of the inner digits, and how many combinations they have.
  std::size_t inner_ = 0;
  std::size_t inner_size_ = 1;
  // Where the start lies among them.
  std::size_t offset_ = 0;
  std::vector<Group> groups_;
  std::vector<Slice> outer_slices_;
  // What `read` looked at last.
  std::uint64_t outer_number_ = 0;
  std::vector<std::uint16_t> outer_codes_;
  std::uint64_t base_ = 0;
};

}  // namespace netledger
