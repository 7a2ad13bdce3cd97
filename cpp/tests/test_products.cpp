// Products: tables that few products add up to, exactly.
#include "space/products.h"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "space_plans.h"

namespace netledger {

using namespace testing;

TEST_CASE("sums of up to four products are found, whatever their common factors") {
  Dice dice(64);
  for (int round = 0; round < 60; ++round) {
    const auto rows = static_cast<std::size_t>(dice.roll(1, 40));
    const auto columns = static_cast<std::size_t>(dice.roll(1, 12));
    const std::int64_t rank = dice.roll(0, 4);
    std::vector<std::uint64_t> words(rows * columns);
    for (std::int64_t term = 0; term < rank; ++term) {
      const std::int64_t shift = dice.roll(0, 20);
      std::vector<std::uint64_t> right(columns);
      for (auto& word : right) word = static_cast<std::uint64_t>(dice.roll(0, 1 << 30)) << shift;
      for (std::size_t row = 0; row < rows; ++row) {
        const auto left = static_cast<std::uint64_t>(dice.roll(-50000, 1 << 30));
        for (std::size_t column = 0; column < columns; ++column) {
          words[row * columns + column] += left * right[column];
        }
      }
    }
    const auto found = find_products(words, columns);
    REQUIRE(found);
    REQUIRE(found->left.size() == rows);
    REQUIRE(found->right.size() == columns);
    for (std::size_t entry = 0; entry < words.size(); ++entry) {
      std::uint64_t sum = 0;
      for (std::size_t term = 0; term < Products::terms; ++term) {
        sum += found->left[entry / columns][term] * found->right[entry % columns][term];
      }
      REQUIRE(sum == words[entry]);
    }
  }
}

TEST_CASE("tables that need more are left as they are") {
  std::vector<std::uint64_t> words(25);
  for (std::size_t place = 0; place < 5; ++place) words[6 * place] = 1;
  CHECK_FALSE(find_products(words, 5));
  words[24] = 0;
  CHECK(find_products(words, 5));
}

}  // namespace netledger
