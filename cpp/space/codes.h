// Codes of configurations: matrices of them as they come, and blocks of columns to work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "space/plan.h"

namespace netledger {

enum class CodeWidth : std::uint8_t { byte = 1, word = 2 };

// A matrix of codes in someone else's memory: a row per configuration, a column per variable (or,
// packed, per digit). Strides are in bytes and may be anything.
struct CodeView {
  const void* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t column_stride = 0;
  CodeWidth width = CodeWidth::byte;

  [[nodiscard]] const std::byte* at(std::size_t row, std::size_t column) const noexcept {
    return static_cast<const std::byte*>(data) + static_cast<std::ptrdiff_t>(row) * row_stride +
           static_cast<std::ptrdiff_t>(column) * column_stride;
  }
  [[nodiscard]] std::uint32_t code(std::size_t row, std::size_t column) const noexcept;
  // The rows from `first` on.
  [[nodiscard]] CodeView from(std::size_t first, std::size_t count) const noexcept {
    return {at(first, 0), count, columns, row_stride, column_stride, width};
  }
  // Whether the codes of a row stand side by side.
  [[nodiscard]] bool rows_are_contiguous() const noexcept {
    return column_stride == static_cast<std::ptrdiff_t>(width);
  }
};

// Where codes are written: row-major, without gaps.
struct CodeOutput {
  void* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  CodeWidth width = CodeWidth::byte;

  [[nodiscard]] std::byte* row(std::size_t index) const noexcept {
    return static_cast<std::byte*>(data) + index * columns * static_cast<std::size_t>(width);
  }
  [[nodiscard]] CodeView view() const noexcept;
  // The rows from `first` on.
  [[nodiscard]] CodeOutput from(std::size_t first, std::size_t count) const noexcept {
    return {row(first), count, columns, width};
  }
};

// Configurations by value: a column of 64-bit codes, or of values where the variable is free, for
// each variable of the plan. Strides are in bytes.
struct ValueColumns {
  std::size_t rows = 0;
  std::vector<const std::int64_t*> data;
  std::vector<std::ptrdiff_t> strides;

  [[nodiscard]] std::int64_t at(std::size_t row, std::size_t column) const noexcept;
};

// Some rows of a matrix turned into columns, at most `block` of them.
class CodeColumns {
 public:
  static constexpr std::size_t block = 256;

  explicit CodeColumns(std::size_t columns) : storage_(columns * block) {}

  [[nodiscard]] std::uint16_t* column(std::size_t index) noexcept {
    return storage_.data() + index * block;
  }
  [[nodiscard]] const std::uint16_t* column(std::size_t index) const noexcept {
    return storage_.data() + index * block;
  }
  // Its first rows.
  [[nodiscard]] CodeView view(std::size_t rows) const noexcept;
  void read(const CodeView& codes, std::size_t first, std::size_t rows) noexcept;
  void write(const CodeOutput& output, std::size_t first, std::size_t rows) const noexcept;

 private:
  std::vector<std::uint16_t> storage_;
};

// The range of the codes in each column, with what errors call the columns.
class CodeRanges {
 public:
  // Of the plan's variables. A free one has no codes: its size is 0.
  explicit CodeRanges(const Plan& plan);
  CodeRanges(std::vector<std::string> names, std::vector<std::uint32_t> sizes);

  [[nodiscard]] std::span<const std::uint32_t> sizes() const noexcept { return sizes_; }
  [[nodiscard]] const std::string& name(std::size_t column) const { return names_[column]; }
  // The largest code of any column.
  [[nodiscard]] std::uint32_t largest_code() const noexcept;

  // Throws SpaceError where the matrix has another number of columns, or the plan free variables.
  void check_shape(const CodeView& codes) const;
  // Throws where a code is out of range. `first` is the row that the block begins with.
  void check(const CodeColumns& columns, std::size_t first, std::size_t rows) const;
  // The same of all of a matrix, whose shape is right.
  void check(const CodeView& codes, std::size_t first) const;
  // Throws where an output of this width cannot hold every code, or has another shape.
  void check_output(const CodeOutput& output, std::size_t rows) const;
  [[noreturn]] void refuse(std::size_t row, std::size_t column, std::int64_t code) const;

 private:
  void find_limits();
  [[nodiscard]] bool inside(const CodeView& codes) const noexcept;

  std::vector<std::string> names_;
  std::vector<std::uint32_t> sizes_;
  // The largest codes of some rows one after another, to be compared at once; as bytes only where
  // no size is larger than a byte needs.
  static constexpr std::size_t limit_rows = 32;
  std::vector<std::uint8_t> byte_limits_;
  std::vector<std::uint16_t> word_limits_;
};

}  // namespace netledger
