#include "space/codes.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "space/error.h"

namespace netledger {

namespace {

template <class Code>
Code load(const std::byte* place) noexcept {
  Code code = 0;
  std::memcpy(&code, place, sizeof(Code));
  return code;
}

template <class Code>
void read_column(const std::byte* from, std::ptrdiff_t stride, std::size_t rows,
                 std::uint16_t* to) noexcept {
  for (std::size_t row = 0; row < rows; ++row, from += stride) to[row] = load<Code>(from);
}

template <class Code>
void write_column(const std::uint16_t* from, std::size_t rows, std::size_t stride,
                  std::byte* to) noexcept {
  for (std::size_t row = 0; row < rows; ++row, to += stride) {
    const Code code = static_cast<Code>(from[row]);
    std::memcpy(to, &code, sizeof(Code));
  }
}

template <class Code>
const Code* start_of(const CodeView& codes, std::size_t column) noexcept {
  return reinterpret_cast<const Code*>(codes.at(0, column));
}

bool aligned(const CodeView& codes) noexcept {
  const auto place = std::bit_cast<std::uintptr_t>(codes.data);
  return codes.width == CodeWidth::byte || ((place | static_cast<std::uintptr_t>(codes.row_stride) |
                                             static_cast<std::uintptr_t>(codes.column_stride)) %
                                            alignof(std::uint16_t)) == 0;
}

// Of rows one after another; limits are those of some rows.
template <class Code>
bool rows_inside(const CodeView& codes, std::span<const Code> limits) noexcept {
  const Code* const all = start_of<Code>(codes, 0);
  const std::size_t count = codes.rows * codes.columns;
  unsigned beyond = 0;
  for (std::size_t first = 0; first < count; first += limits.size()) {
    const std::size_t some = std::min(limits.size(), count - first);
    Code any = 0;
    for (std::size_t index = 0; index < some; ++index) {
      any = static_cast<Code>(any | static_cast<Code>(all[first + index] > limits[index]));
    }
    beyond |= any;
  }
  return beyond == 0;
}

// Of columns whose codes stand side by side.
template <class Code>
bool columns_inside(const CodeView& codes, std::span<const Code> limits) noexcept {
  for (std::size_t column = 0; column < codes.columns; ++column) {
    const Code* const all = start_of<Code>(codes, column);
    Code largest = 0;
    for (std::size_t row = 0; row < codes.rows; ++row) largest = std::max(largest, all[row]);
    if (largest > limits[column]) return false;
  }
  return true;
}

}  // namespace

std::uint32_t CodeView::code(std::size_t row, std::size_t column) const noexcept {
  const std::byte* const place = at(row, column);
  return width == CodeWidth::byte ? load<std::uint8_t>(place) : load<std::uint16_t>(place);
}

CodeView CodeOutput::view() const noexcept {
  const auto size = static_cast<std::ptrdiff_t>(width);
  return {data, rows, columns, static_cast<std::ptrdiff_t>(columns) * size, size, width};
}

std::int64_t ValueColumns::at(std::size_t row, std::size_t column) const noexcept {
  return load<std::int64_t>(reinterpret_cast<const std::byte*>(data[column]) +
                            static_cast<std::ptrdiff_t>(row) * strides[column]);
}

void CodeColumns::read(const CodeView& codes, std::size_t first, std::size_t rows) noexcept {
  for (std::size_t index = 0; index < codes.columns; ++index) {
    const std::byte* const from = codes.at(first, index);
    if (codes.width == CodeWidth::byte) {
      read_column<std::uint8_t>(from, codes.row_stride, rows, column(index));
    } else {
      read_column<std::uint16_t>(from, codes.row_stride, rows, column(index));
    }
  }
}

void CodeColumns::write(const CodeOutput& output, std::size_t first,
                        std::size_t rows) const noexcept {
  const std::size_t width = static_cast<std::size_t>(output.width);
  for (std::size_t index = 0; index < output.columns; ++index) {
    std::byte* const to = output.row(first) + index * width;
    if (output.width == CodeWidth::byte) {
      write_column<std::uint8_t>(column(index), rows, output.columns * width, to);
    } else {
      write_column<std::uint16_t>(column(index), rows, output.columns * width, to);
    }
  }
}

CodeView CodeColumns::view(std::size_t rows) const noexcept {
  constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(std::uint16_t));
  return {storage_.data(),
          rows,
          storage_.size() / block,
          size,
          size * static_cast<std::ptrdiff_t>(block),
          CodeWidth::word};
}

CodeRanges::CodeRanges(std::vector<std::string> names, std::vector<std::uint32_t> sizes)
    : names_(std::move(names)), sizes_(std::move(sizes)) {
  find_limits();
}

CodeRanges::CodeRanges(const Plan& plan) {
  constexpr std::uint32_t most = 1U << 16U;
  for (const PlanVariable& variable : plan.variables) {
    if (variable.size > most) {
      throw SpaceError("variable '" + variable.name + "' has " + std::to_string(variable.size) +
                       " choices; codes are at most 16 bits wide, for 65536 choices");
    }
    names_.push_back("variable '" + variable.name + "'");
    sizes_.push_back(variable.size);
  }
  find_limits();
}

void CodeRanges::find_limits() {
  // Nothing is inside of a column without any code.
  if (std::ranges::find(sizes_, 0U) != sizes_.end()) return;
  for (std::size_t row = 0; row < limit_rows; ++row) {
    for (const std::uint32_t size : sizes_) {
      byte_limits_.push_back(static_cast<std::uint8_t>(std::min(size, 256U) - 1));
      word_limits_.push_back(static_cast<std::uint16_t>(size - 1));
    }
  }
}

std::uint32_t CodeRanges::largest_code() const noexcept {
  std::uint32_t largest = 0;
  for (const std::uint32_t size : sizes_) largest = std::max(largest, size == 0 ? 0 : size - 1);
  return largest;
}

void CodeRanges::check_shape(const CodeView& codes) const {
  if (codes.columns != sizes_.size()) {
    throw SpaceError("codes have " + std::to_string(codes.columns) + " columns; expected " +
                     std::to_string(sizes_.size()));
  }
  for (std::size_t column = 0; column < sizes_.size(); ++column) {
    if (sizes_[column] == 0) {
      throw SpaceError(names_[column] + " is free: it has values, not codes; give columns by name");
    }
  }
}

void CodeRanges::check(const CodeColumns& columns, std::size_t first, std::size_t rows) const {
  bool inside = true;
  for (std::size_t column = 0; column < sizes_.size(); ++column) {
    if (sizes_[column] == 0) continue;
    const std::uint16_t* const codes = columns.column(column);
    std::uint16_t largest = 0;
    for (std::size_t row = 0; row < rows; ++row) largest = std::max(largest, codes[row]);
    inside = inside && (largest < sizes_[column] || rows == 0);
  }
  if (inside) return;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < sizes_.size(); ++column) {
      const std::uint16_t code = columns.column(column)[row];
      if (sizes_[column] > 0 && code >= sizes_[column]) refuse(first + row, column, code);
    }
  }
}

void CodeRanges::check(const CodeView& codes, std::size_t first) const {
  if (inside(codes)) return;
  for (std::size_t row = 0; row < codes.rows; ++row) {
    for (std::size_t column = 0; column < sizes_.size(); ++column) {
      const std::uint32_t code = codes.code(row, column);
      if (code >= sizes_[column]) refuse(first + row, column, code);
    }
  }
}

// Whether all codes surely are in range, where they stand in an order that is fast to look at.
bool CodeRanges::inside(const CodeView& codes) const noexcept {
  if (word_limits_.empty() || !aligned(codes)) return false;
  const auto size = static_cast<std::ptrdiff_t>(codes.width);
  const bool bytes = codes.width == CodeWidth::byte;
  if (codes.rows_are_contiguous() &&
      codes.row_stride == size * static_cast<std::ptrdiff_t>(codes.columns)) {
    return bytes ? rows_inside<std::uint8_t>(codes, byte_limits_)
                 : rows_inside<std::uint16_t>(codes, word_limits_);
  }
  if (codes.row_stride != size) return false;
  return bytes ? columns_inside<std::uint8_t>(codes, byte_limits_)
               : columns_inside<std::uint16_t>(codes, word_limits_);
}

void CodeRanges::check_output(const CodeOutput& output, std::size_t rows) const {
  if (output.columns != sizes_.size() || output.rows != rows) {
    throw SpaceError("the output has shape (" + std::to_string(output.rows) + ", " +
                     std::to_string(output.columns) + "); expected (" + std::to_string(rows) +
                     ", " + std::to_string(sizes_.size()) + ")");
  }
  for (std::size_t column = 0; column < sizes_.size(); ++column) {
    if (sizes_[column] == 0) throw SpaceError(names_[column] + " is free: it has no codes");
    if (output.width == CodeWidth::byte && sizes_[column] > 256) {
      throw SpaceError(names_[column] + " has " + std::to_string(sizes_[column]) +
                       " choices: its codes need 16 bits");
    }
  }
}

void CodeRanges::refuse(std::size_t row, std::size_t column, std::int64_t code) const {
  const std::uint32_t size = sizes_[column];
  throw SpaceError("row " + std::to_string(row) + ": " + names_[column] + " has " +
                   std::to_string(size) + " choices, coded 0 to " + std::to_string(size - 1) +
                   "; got " + std::to_string(code));
}

}  // namespace netledger
