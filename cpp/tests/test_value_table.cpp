#include "quantity/value_table.h"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

namespace netledger {

using Indices = std::vector<std::uint32_t>;

TEST_CASE("combinations are counted up to a limit") {
  const Indices sizes{2, 3, 5};
  CHECK(combinations(Indices{}, sizes, 10).value() == 1);
  CHECK(combinations(Indices{0, 2}, sizes, 10).value() == 10);
  CHECK_FALSE(combinations(Indices{0, 1, 2}, sizes, 29).has_value());
  CHECK(combinations(Indices{0, 1, 2}, sizes, 30).value() == 30);
}

TEST_CASE("ascending lists are united") {
  CHECK(united(Indices{1, 4}, Indices{0, 4, 7}) == Indices{0, 1, 4, 7});
  CHECK(united(Indices{}, Indices{3}) == Indices{3});
}

TEST_CASE("positions in a table over part of the variables") {
  const Indices sizes{2, 3, 4};
  const Indices part{0, 2};
  const Indices variables{0, 1, 2};
  const Indices positions = positions_in(part, variables, sizes);
  REQUIRE(positions.size() == 24);
  std::size_t combination = 0;
  for (std::uint32_t first = 0; first < 2; ++first) {
    for (std::uint32_t second = 0; second < 3; ++second) {
      for (std::uint32_t third = 0; third < 4; ++third) {
        CHECK(positions[combination++] == first * 4 + third);
      }
    }
  }
  CHECK(positions_in(Indices{}, Indices{1}, sizes) == Indices{0, 0, 0});
}

TEST_CASE("variables that make no difference are left out") {
  const Indices sizes{2, 3, 2};
  SUBCASE("one in the middle") {
    ValueTable table{{0, 1, 2}, {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}};
    drop_irrelevant(table, sizes);
    CHECK(table == ValueTable{{0, 2}, {1, 2, 3, 4}});
  }
  SUBCASE("all of them") {
    ValueTable table{{0, 1}, {7, 7, 7, 7, 7, 7}};
    drop_irrelevant(table, sizes);
    CHECK(table == ValueTable{{}, {7}});
  }
  SUBCASE("none of them") {
    const ValueTable before{{0, 2}, {0, 1, 1, 0}};
    ValueTable table = before;
    drop_irrelevant(table, sizes);
    CHECK(table == before);
  }
}

}  // namespace netledger
