// Arenas: items stay where they are, and neighbours stay together across chunks.
#include "graph/arena.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

namespace netledger {

TEST_CASE("items are found at their index, over many chunks") {
  Arena<std::int64_t> arena;
  CHECK(arena.size() == 0);
  constexpr std::int64_t count = 100000;
  for (std::int64_t item = 0; item < count; ++item) CHECK(arena.push_back(3 * item) == 3 * item);
  CHECK(arena.size() == 100000);
  for (std::int64_t item = 0; item < count; ++item) {
    CHECK(arena[static_cast<std::size_t>(item)] == 3 * item);
  }
}

TEST_CASE("items never move") {
  Arena<int> arena;
  const int* const first = &arena.push_back(7);
  for (int item = 0; item < 50000; ++item) arena.push_back(item);
  CHECK(first == &arena[0]);
  CHECK(*first == 7);
}

TEST_CASE("neighbours are never split") {
  Arena<std::size_t> arena;
  // Sizes that share no factor with a chunk's, so that blocks meet every boundary differently.
  for (std::size_t round = 0; round < 40; ++round) {
    const std::size_t count = 997 + 31 * round;
    const std::size_t first = arena.allocate(count);
    CHECK(arena.size() == first + count);
    for (std::size_t index = 0; index < count; ++index) arena[first + index] = first + index;
    const std::span<std::size_t> together = arena.at(first, count);
    REQUIRE(together.size() == count);
    for (std::size_t index = 0; index < count; ++index) CHECK(together[index] == first + index);
  }
}

TEST_CASE("blocks do not overlap") {
  Arena<std::size_t> arena;
  std::size_t end = 0;
  for (std::size_t round = 0; round < 200; ++round) {
    const std::size_t count = (round * 7919) % 5000;
    const std::size_t first = arena.allocate(count);
    CHECK(first >= end);
    end = first + count;
    for (std::size_t& item : arena.at(first, count)) item = round;
  }
  CHECK(arena.size() == end);
}

TEST_CASE("neighbours may be more than a chunk holds") {
  Arena<std::int32_t> arena;
  arena.push_back(-1);
  constexpr std::size_t count = 70000;
  const std::size_t first = arena.allocate(count);
  const std::span<std::int32_t> large = arena.at(first, count);
  for (std::size_t index = 0; index < count; ++index) {
    large[index] = static_cast<std::int32_t>(index);
  }
  arena.push_back(-2);
  CHECK(arena[0] == -1);
  CHECK(arena[first] == 0);
  CHECK(arena[first + 40000] == 40000);
  CHECK(arena[first + count - 1] == 69999);
  CHECK(arena[arena.size() - 1] == -2);
}

TEST_CASE("no neighbours are an empty span") {
  Arena<int> arena;
  const std::size_t first = arena.allocate(0);
  CHECK(arena.size() == 0);
  CHECK(arena.at(first, 0).empty());
  const Arena<int>& constant = arena;
  CHECK(constant.at(0, 0).empty());
}

TEST_CASE("an arena that 32 bits cannot index is refused") {
  Arena<char> arena;
  CHECK_THROWS_AS(arena.allocate(std::size_t{1} << 33), std::length_error);
  CHECK(arena.size() == 0);
  CHECK(arena.push_back('a') == 'a');
  CHECK(arena.size() == 1);
}

}  // namespace netledger
