// The inner loops of a sweep: entries of tables, added up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "space/tables.h"

namespace netledger {

// Entries row by row, `length` of them apart.
struct RowMajorIndices {
  const std::uint16_t* data;
  std::size_t length;

  [[nodiscard]] std::uint32_t operator()(std::size_t table, std::size_t row) const noexcept {
    return data[row * length + table];
  }
};

// Entries table by table.
struct TableMajorIndices {
  const std::uint32_t* data;
  std::size_t length;

  [[nodiscard]] std::uint32_t operator()(std::size_t table, std::size_t row) const noexcept {
    return data[table * length + row];
  }
};

template <std::size_t Tables, class Indices>
void sum_unrolled(const std::uint64_t* words, const Indices& indices, std::size_t rows,
                  std::uint64_t* sums) {
  for (std::size_t row = 0; row < rows; ++row) {
    std::uint64_t sum = 0;
#pragma GCC unroll 16
    for (std::size_t table = 0; table < Tables; ++table) sum += words[indices(table, row)];
    sums[row] = sum;
  }
}

template <class Indices>
void sum_any(const std::uint64_t* words, std::size_t words_per_entry, std::size_t tables,
             const Indices& indices, std::size_t rows, std::uint64_t* sums) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t word = 0; word < words_per_entry; ++word) {
      std::uint64_t sum = 0;
      for (std::size_t table = 0; table < tables; ++table) {
        sum += words[indices(table, row) * words_per_entry + word];
      }
      sums[row * words_per_entry + word] = sum;
    }
  }
}

// sums[row * words + word], over all tables.
template <class Indices>
void sum_words(const CostTables& tables, const Indices& indices, std::size_t rows,
               std::uint64_t* sums) {
  constexpr std::size_t most_unrolled = 16;
  const std::size_t count = tables.tables().size();
  if (tables.words_per_entry() != 1 || count == 0 || count > most_unrolled) {
    sum_any(tables.words(), tables.words_per_entry(), count, indices, rows, sums);
    return;
  }
  using Sum = void (*)(const std::uint64_t*, const Indices&, std::size_t, std::uint64_t*);
  static constexpr Sum unrolled[] = {
      sum_unrolled<1, Indices>,  sum_unrolled<2, Indices>,  sum_unrolled<3, Indices>,
      sum_unrolled<4, Indices>,  sum_unrolled<5, Indices>,  sum_unrolled<6, Indices>,
      sum_unrolled<7, Indices>,  sum_unrolled<8, Indices>,  sum_unrolled<9, Indices>,
      sum_unrolled<10, Indices>, sum_unrolled<11, Indices>, sum_unrolled<12, Indices>,
      sum_unrolled<13, Indices>, sum_unrolled<14, Indices>, sum_unrolled<15, Indices>,
      sum_unrolled<16, Indices>};
  unrolled[count - 1](tables.words(), indices, rows, sums);
}

// A metric's totals from the summed words.
inline void read_totals(const std::uint64_t* sums, std::size_t words_per_entry,
                        const MetricField& field, std::size_t rows, std::int64_t* totals) {
  if (words_per_entry == 1) {
    for (std::size_t row = 0; row < rows; ++row) totals[row] = field.total(sums + row);
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    totals[row] = field.total(sums + row * words_per_entry);
  }
}

}  // namespace netledger
