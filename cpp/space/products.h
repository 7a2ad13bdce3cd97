// Products: a table over two digits as a sum of few products of tables over one, modulo 2^64.
//
// Costs at many resolutions are combinations of those at few. A table that would not fit a cache
// becomes a few words for each row, and as many for each column.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace netledger {

// words[row][column] = the sum of left[row][i] * right[column][i], modulo 2^64.
struct Products {
  static constexpr std::size_t terms = 4;
  using Terms = std::array<std::uint64_t, terms>;

  std::vector<Terms> left;
  std::vector<Terms> right;
};

// Nothing where `Products::terms` products are not enough. `words` are row-major.
[[nodiscard]] std::optional<Products> find_products(std::span<const std::uint64_t> words,
                                                    std::size_t columns);

}  // namespace netledger
