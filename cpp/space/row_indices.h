// RowIndices: from rows of byte codes to the entries of all tables at once, by shuffling bytes.
//
// A row's bytes are permuted so that the lanes of a vector, 16 bits per table, each get a pair of
// codes of their table; two multiplications make them a part of the entry's number. A few such
// planes add up to the whole.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/tables.h"

namespace netledger {

// What a sweep may use of the processor. Results are the same.
enum class Instructions : std::uint8_t { portable, avx2, avx512 };

// The best of them that this processor has.
[[nodiscard]] Instructions best_instructions() noexcept;

class RowIndices {
 public:
  // Whether all tables' entries can be numbered in 16 bits, and all codes are bytes.
  [[nodiscard]] static bool possible(const CostTables& tables,
                                     std::span<const std::uint32_t> sizes) noexcept;

  // `instructions` are not portable, and the processor has them.
  RowIndices(const CostTables& tables, std::span<const std::uint32_t> sizes,
             Instructions instructions);

  // Indices of a row in `compute`; those behind the number of tables mean nothing.
  [[nodiscard]] std::size_t row_length() const noexcept { return groups_.size() * lanes_; }
  // The indices of `count` rows, row-major; false where some code is out of range, and then the
  // indices must not be used. No byte at or behind `end`, the end of the matrix, is read.
  [[nodiscard]] bool compute(const std::uint8_t* rows, std::ptrdiff_t stride, std::size_t count,
                             const std::uint8_t* end, std::uint16_t* indices) const;

 private:
  static constexpr std::size_t vector_bytes = 64;

  // Bytes of a row that are loaded together.
  struct Chunk {
    std::uint64_t present = 0;
    alignas(vector_bytes) std::array<std::uint8_t, vector_bytes> largest{};
  };
  struct Plane {
    std::size_t chunk = 0;
    alignas(vector_bytes) std::array<std::uint8_t, vector_bytes> shuffle{};
    alignas(vector_bytes) std::array<std::int8_t, vector_bytes> weights{};
    alignas(vector_bytes) std::array<std::uint16_t, vector_bytes / 2> multipliers{};
  };
  // As many tables as a vector has lanes.
  struct Group {
    alignas(vector_bytes) std::array<std::uint16_t, vector_bytes / 2> first{};
    // By chunk.
    std::vector<Plane> planes;
  };
  // One or two codes of a table that lie in one chunk.
  struct Pair {
    std::size_t first_byte;
    std::size_t second_byte;
    std::uint32_t weight;
    std::uint32_t stride;
  };
  friend struct RowKernels;

  [[nodiscard]] std::vector<Pair> pairs(const CostTable& table, std::size_t chunk) const;
  void add_planes(std::span<const CostTable> tables, std::size_t chunk, Group& group) const;
  void set_pair(const Pair& pair, std::size_t lane, Plane& plane) const;

  Instructions instructions_;
  std::size_t chunk_bytes_;
  std::size_t lanes_;
  std::size_t columns_;
  std::vector<Chunk> chunks_;
  std::vector<Group> groups_;
};

}  // namespace netledger
