// Random numbers: known values, and bounds.
#include "space/random.h"

#include <array>
#include <cstdint>

#include <doctest/doctest.h>

#include "space/draws.h"

namespace netledger {

TEST_CASE("draws are those of SplitMix64") {
  // The published generator, begun with 0, gives these.
  CHECK(draw(0, 0) == 0xE220A8397B1DCDAFU);
  CHECK(draw(0, 1) == 0x6E789E6AA1B965F4U);
  CHECK(draw(0, 2) == 0x06C45D188009454FU);
  CHECK(mix(0) == 0);
  CHECK(random_key(1, Purpose::genes) == mix(mix(1) + golden_ratio));
  CHECK(random_key(1, Purpose::crossover) == mix(mix(1) + 4 * golden_ratio));
}

TEST_CASE("bounded draws are the high half of a product") {
  for (std::uint64_t counter = 0; counter < 1000; ++counter) {
    const Wide product = Wide{draw(5, counter)} * 10;
    CHECK(Bound(10)(5, counter) == static_cast<std::uint64_t>(product >> 64U));
    CHECK(Bound(1)(5, counter) == 0);
  }
}

TEST_CASE("draws that would favour some results are drawn again") {
  // 2^64 modulo this bound is 2^63 - 1: about half of all draws are rejected.
  const std::uint64_t bound = (std::uint64_t{1} << 63U) + 1;
  const std::uint64_t rejected = (std::uint64_t{1} << 63U) - 1;
  int again = 0;
  for (std::uint64_t counter = 0; counter < 1000; ++counter) {
    std::uint64_t drawn = draw(6, counter);
    Wide product = Wide{drawn} * bound;
    while (static_cast<std::uint64_t>(product) < rejected) {
      ++again;
      drawn = mix(drawn + golden_ratio);
      product = Wide{drawn} * bound;
    }
    CHECK(Bound(bound)(6, counter) == static_cast<std::uint64_t>(product >> 64U));
  }
  CHECK(again > 300);
}

TEST_CASE("many draws are as those one by one") {
  std::array<std::uint64_t, 100> draws{};
  fill_draws(9, ~std::uint64_t{0} - 50, 7, draws.size(), draws.data());
  for (std::uint64_t index = 0; index < draws.size(); ++index) {
    CHECK(draws[index] == draw(9, ~std::uint64_t{0} - 50 + 7 * index));
  }
}

TEST_CASE("wide draws lie below their bound and reach both halves") {
  const Wide bound = (Wide{5} << 64U) + 3;
  std::array<int, 6> high{};
  for (std::uint64_t counter = 0; counter < 6000; ++counter) {
    const Wide drawn = draw_below(7, counter, bound);
    REQUIRE(drawn < bound);
    ++high[static_cast<std::size_t>(drawn >> 64U)];
  }
  for (std::size_t half = 0; half < 5; ++half) CHECK(high[half] > 1000);
  CHECK(high[5] == 0);
  CHECK(draw_below(7, 3, 10) == Bound(10)(7, 3));
  CHECK(draw_below(7, 3, ~Wide{0}) < ~Wide{0});
}

}  // namespace netledger
