// CodeWriter: rows of codes from the choices of parts of their variables, eight bytes at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/codes.h"

namespace netledger {

// For every choice of bits a word of bytes: those of each bit are all ones.
template <std::size_t Bits>
constexpr std::array<std::uint64_t, std::size_t{1} << Bits> make_masks() {
  constexpr std::size_t bits_each = 64 / Bits;
  std::array<std::uint64_t, std::size_t{1} << Bits> masks{};
  for (std::size_t bits = 0; bits < masks.size(); ++bits) {
    for (std::size_t bit = 0; bit < Bits; ++bit) {
      const std::uint64_t ones = (std::uint64_t{1} << bits_each) - 1;
      if ((bits >> bit & 1U) != 0) masks[bits] |= ones << (bits_each * bit);
    }
  }
  return masks;
}

inline constexpr std::array<std::uint64_t, 256> byte_masks = make_masks<8>();
inline constexpr std::array<std::uint64_t, 16> word_masks = make_masks<4>();

// Eight bytes: byte b (of 16-bit codes: bytes 2b and 2b + 1) is all ones where bit b is set.
[[nodiscard]] inline std::uint64_t expand_mask(std::uint32_t bits, CodeWidth width) noexcept {
  return width == CodeWidth::byte ? byte_masks[bits & 0xFFU] : word_masks[bits & 0xFU];
}

// Some variables, ascending, and the combinations of their codes, one after another.
struct CodePart {
  std::vector<VariableIndex> variables;
  std::vector<std::uint16_t> codes;

  [[nodiscard]] std::size_t size() const noexcept { return codes.size() / variables.size(); }
};

class CodeWriter {
 public:
  // The parts' variables are all columns, each once.
  CodeWriter(std::span<const CodePart> parts, CodeWidth width);

  [[nodiscard]] std::size_t part_count() const noexcept { return part_count_; }
  // Writes rows `first` and on: choices[row * part_count() + part] says which combination.
  void write(std::span<const std::uint32_t> choices, const CodeOutput& output,
             std::size_t first) const noexcept;
  // Overwrites only the variables whose bit is set in the part's mask; bit 0 is its first variable.
  // Parts have at most 8 variables.
  void overwrite(std::span<const std::uint32_t> choices, std::span<const std::uint8_t> masks,
                 const CodeOutput& output, std::size_t first) const noexcept;

 private:
  // Neighbouring variables of one part that are written together, as one word.
  struct Segment {
    std::uint32_t part;
    // The number of the first of them in the part.
    std::uint32_t place;
    std::uint32_t offset;
    std::uint32_t bytes;
    std::size_t words;
  };

  std::size_t part_count_;
  CodeWidth width_;
  // By column: each overwrites the columns behind it, which are written after it.
  std::vector<Segment> segments_;
  std::vector<std::uint64_t> words_;
};

}  // namespace netledger
