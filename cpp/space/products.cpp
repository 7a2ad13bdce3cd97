#include "space/products.h"

#include <algorithm>
#include <bit>

namespace netledger {

namespace {

// The inverse of an odd number modulo 2^64, by Newton's method: each step doubles the right bits.
std::uint64_t inverse(std::uint64_t odd) noexcept {
  std::uint64_t found = odd;
  for (int step = 0; step < 5; ++step) found *= 2 - odd * found;
  return found;
}

}  // namespace

// Takes one product after another away. The pivot is an entry with the fewest factors of two: all
// others are then multiples of it, modulo 2^64, so that its row and column vanish.
std::optional<Products> find_products(std::span<const std::uint64_t> words, std::size_t columns) {
  if (columns == 0) return std::nullopt;
  const std::size_t rows = words.size() / columns;
  std::vector<std::uint64_t> rest(words.begin(), words.end());
  Products products{std::vector<Products::Terms>(rows), std::vector<Products::Terms>(columns)};
  const auto twos = [](std::uint64_t word) { return std::countr_zero(word); };
  for (std::size_t term = 0; term <= Products::terms; ++term) {
    // Of 0 it is 64, the most.
    const auto pivot = std::ranges::min_element(rest, {}, twos);
    if (pivot == rest.end() || *pivot == 0) return products;
    if (term == Products::terms) return std::nullopt;
    const auto place = static_cast<std::size_t>(pivot - rest.begin());
    const int shift = twos(*pivot);
    const std::uint64_t factor = inverse(*pivot >> shift);
    for (std::size_t column = 0; column < columns; ++column) {
      products.right[column][term] = rest[place / columns * columns + column];
    }
    for (std::size_t row = 0; row < rows; ++row) {
      const std::uint64_t left = (rest[row * columns + place % columns] >> shift) * factor;
      products.left[row][term] = left;
      for (std::size_t column = 0; column < columns; ++column) {
        rest[row * columns + column] -= left * products.right[column][term];
      }
    }
  }
  return std::nullopt;
}

}  // namespace netledger
