// Products of many polynomials: every cost and number of the whole is divided among the parts in
// another way.
#include "query/product_chain.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "query/product_order.h"
#include "tests/query_plans.h"
#include "tests/query_polynomials.h"

namespace netledger {

using testing::check_polynomial;
using testing::dense_of;
using testing::Dice;
using testing::random_terms;
using testing::random_value;
using testing::sparse_of;
using testing::Terms;
using testing::terms_of;
using testing::true_product;

namespace {

template <class Algebra>
struct Parts {
  std::vector<Terms<Algebra>> terms;
  std::vector<Polynomial<Algebra>> polynomials;
  Terms<Algebra> product{{0, Algebra::one()}};

  void add(Terms<Algebra> part, std::uint64_t dense_step) {
    product = true_product<Algebra>(product, part);
    polynomials.push_back(dense_step > 0 ? dense_of<Algebra>(part, dense_step)
                                         : sparse_of<Algebra>(part));
    terms.push_back(std::move(part));
  }
  [[nodiscard]] std::vector<const Polynomial<Algebra>*> pointers() const {
    std::vector<const Polynomial<Algebra>*> all;
    for (const auto& polynomial : polynomials) all.push_back(&polynomial);
    return all;
  }
};

template <class Algebra>
typename Algebra::Value few(Dice& dice) {
  if constexpr (std::is_same_v<Algebra, Least>)
    return dice.roll(-20, 20);
  else
    return typename Algebra::Value(static_cast<std::uint64_t>(dice.roll(1, 3)));
}

// Close together, on lattices of several steps, or so far apart that no table is dense.
template <class Algebra>
Parts<Algebra> random_parts(Dice& dice) {
  Parts<Algebra> parts;
  const bool far = dice.chance(30);
  const auto count = dice.roll(1, far ? 4 : 5);
  for (std::int64_t part = 0; part < count; ++part) {
    const std::int64_t step =
        std::array<std::int64_t, 5>{1, 2, 4, 6, 12}[static_cast<std::size_t>(dice.roll(0, 4))];
    Terms<Algebra> terms;
    const std::int64_t first = dice.roll(-20, 20);
    // The first part has enough places for a dense table.
    const bool dense = !far && (part == 0 || dice.chance(30));
    const std::int64_t most = part == 0 && !far ? 40 : 4;
    for (std::int64_t term = 0; term < most; ++term) {
      const std::int64_t place = far ? dice.roll(0, 3) * (std::int64_t{1} << 34U) + dice.roll(0, 3)
                                     : step * dice.roll(0, most * 2);
      terms[first + place] = few<Algebra>(dice);
    }
    parts.add(std::move(terms), dense ? static_cast<std::uint64_t>(step) : 0);
  }
  return parts;
}

// Whether each way of the whole is that of one combination of the parts' ways.
template <class Algebra>
void check_division(const ProductChain<Algebra>& chain, const Parts<Algebra>& parts) {
  using Value = typename Algebra::Value;
  std::set<std::vector<std::pair<std::int64_t, Value>>> seen;
  std::vector<typename ProductChain<Algebra>::Part> shares(parts.terms.size());
  const auto check = [&](std::int64_t cost, const Value& asked) {
    chain.divide(cost, asked, shares);
    std::vector<std::pair<std::int64_t, Value>> combination;
    std::int64_t sum = 0;
    Value value = Algebra::one();
    for (std::size_t part = 0; part < shares.size(); ++part) {
      const auto& share = shares[part];
      const auto term = parts.terms[part].find(share.cost);
      REQUIRE(term != parts.terms[part].end());
      REQUIRE(parts.polynomials[part].cost(share.place) == share.cost);
      if constexpr (std::is_same_v<Algebra, Least>) {
        REQUIRE(share.asked == term->second);
        value = Algebra::multiply(value, share.asked);
      } else {
        REQUIRE(share.asked < term->second);
      }
      sum += share.cost;
      combination.emplace_back(share.cost, share.asked);
    }
    REQUIRE(sum == cost);
    if constexpr (std::is_same_v<Algebra, Least>) REQUIRE(value == asked);
    REQUIRE(seen.insert(std::move(combination)).second);
  };
  for (const auto& [cost, value] : parts.product) {
    if constexpr (std::is_same_v<Algebra, Least>) {
      check(cost, value);
    } else {
      for (Value number(0); number < value; number += Value(1)) check(cost, number);
    }
  }
  std::vector<typename ProductChain<Algebra>::Part> none(parts.terms.size());
  if (parts.terms.size() > 1) {
    CHECK_THROWS_AS(chain.divide(parts.product.rbegin()->first + 12, Algebra::one(), none),
                    std::logic_error);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a product is divided in as many ways as it counts", Algebra,
                   Counting<std::uint64_t>, Counting<Wide>, Counting<WideCount<4>>,
                   Counting<WideCount<16>>, Least) {
  Dice dice(14);
  std::size_t divided = 0;
  for (int round = 0; round < 60; ++round) {
    const auto parts = random_parts<Algebra>(dice);
    ProductChain<Algebra> chain(parts.pointers());
    Progress progress(0, static_cast<unsigned>(dice.roll(1, 2)), {});
    chain.multiply(false, progress);
    check_polynomial(chain.result(), parts.product);
    check_polynomial(chain.take(), parts.product);
    chain.multiply(true, progress);
    check_polynomial(chain.result(), parts.product);
    REQUIRE(chain.tables().size() + 1 == parts.terms.size());
    Terms<Algebra> before{{0, Algebra::one()}};
    std::size_t bytes = 0;
    for (std::size_t part = 1; part < parts.terms.size(); ++part) {
      before = true_product<Algebra>(before, parts.terms[part - 1]);
      check_polynomial(chain.before(part), before);
      bytes += chain.tables()[part - 1].bytes();
    }
    CHECK(chain.bytes() == bytes);
    std::size_t ways = 0;
    for (const auto& [cost, value] : parts.product) {
      if constexpr (!std::is_same_v<Algebra, Least>) ways += lowest_word(value);
    }
    // Divisions of wide counts take long.
    if (ways > 40'000 / sizeof(typename Algebra::Value)) continue;
    ++divided;
    check_division(chain, parts);
    ProductChain<Algebra> again(parts.pointers());
    again.restore(chain.tables());
    check_polynomial(again.result(), parts.product);
    check_division(again, parts);
  }
  CHECK(divided > 10);
}

TEST_CASE("a product whose parts are on a coarser lattice than the next") {
  using Algebra = Counting<std::uint64_t>;
  Parts<Algebra> parts;
  Terms<Algebra> wide;
  for (std::int64_t place = 0; place < 50; ++place) wide[place * 6] = 1 + (place % 2 == 0);
  parts.add(wide, 6);
  parts.add({{-3, 2}, {1, 1}, {3, 1}, {5, 2}, {8, 1}}, 0);
  parts.add({{0, 1}, {4, 2}}, 0);
  ProductChain<Algebra> chain(parts.pointers());
  Progress progress(0, 1, {});
  chain.multiply(true, progress);
  REQUIRE(chain.before(1).dense());
  REQUIRE(chain.before(1).step() == 6);
  check_division(chain, parts);
}

TEST_CASE("counts that pass 64 bits are noticed, totals that do are not minded") {
  const auto chain_of = [](auto algebra, std::size_t count) {
    using Algebra = decltype(algebra);
    Parts<Algebra> parts;
    static const auto coin = sparse_of<Algebra>({{0, Algebra::one()}, {1, Algebra::one()}});
    return ProductChain<Algebra>(std::vector<const Polynomial<Algebra>*>(count, &coin));
  };
  Progress progress(0, 1, {});
  for (const bool keep : {false, true}) {
    for (std::size_t count = 60; count < 75; ++count) {
      auto chain = chain_of(Counting<std::uint64_t>{}, count);
      const auto row = testing::binomials(count);
      const bool fits =
          std::ranges::all_of(row, [](const Natural& number) { return number.bits() <= 64; });
      CHECK(fits == (count <= 67));
      if (!fits) {
        CHECK_THROWS_AS(chain.multiply(keep, progress), CountsTooLarge);
      } else {
        chain.multiply(keep, progress);
        for (std::size_t cost = 0; cost <= count; ++cost) {
          CHECK(natural_of(chain.result().at(static_cast<std::int64_t>(cost))) == row[cost]);
        }
      }
    }
    auto wide = chain_of(Counting<Wide>{}, 127);
    wide.multiply(keep, progress);
    auto wider = chain_of(Counting<WideCount<4>>{}, 255);
    wider.multiply(keep, progress);
    auto widest = chain_of(Counting<WideCount<16>>{}, 1000);
    widest.multiply(keep, progress);
    const auto row = testing::binomials(127);
    const auto longer = testing::binomials(255);
    const auto longest = testing::binomials(1000);
    for (std::size_t cost = 0; cost <= 1000; ++cost) {
      const auto at = static_cast<std::int64_t>(cost);
      CHECK(natural_of(widest.result().at(at)) == longest[cost]);
      if (cost <= 255) CHECK(natural_of(wider.result().at(at)) == longer[cost]);
      if (cost <= 127) CHECK(natural_of(wide.result().at(at)) == row[cost]);
    }
  }
  // One wrapped count is enough: a sum of two that passes 2^64 to just 0.
  using Algebra = Counting<std::uint64_t>;
  const auto half = sparse_of<Algebra>({{0, std::uint64_t{1} << 63U}, {1, 1}});
  const auto both = sparse_of<Algebra>({{0, 1}, {1, std::uint64_t{1} << 63U}});
  const auto twice = sparse_of<Algebra>({{0, 2}, {1, 1}});
  ProductChain<Algebra> wraps({&half, &twice});
  CHECK_THROWS_AS(wraps.multiply(false, progress), CountsTooLarge);
  ProductChain<Algebra> fits({&half, &both});
  CHECK_THROWS_AS(fits.multiply(false, progress), CountsTooLarge);
}

TEST_CASE("progress rises, and stays below the whole") {
  using Algebra = Counting<std::uint64_t>;
  Dice dice(15);
  Terms<Algebra> terms;
  for (std::int64_t place = 0; place < 40'000; ++place) terms[place] = 1;
  const auto large = dense_of<Algebra>(terms, 1);
  const auto coin = sparse_of<Algebra>({{0, 1}, {3, 1}, {500, 1}});
  std::vector<std::uint64_t> told;
  ProductChain<Algebra> chain({&large, &coin, &coin, &coin, &coin});
  Progress progress(4 * 3 * 41'000.0, 2, [&](std::uint64_t done) { told.push_back(done); });
  chain.multiply(false, progress);
  REQUIRE_FALSE(told.empty());
  CHECK(std::ranges::is_sorted(told));
  CHECK(told.back() < 1000);
  CHECK(told.back() > 500);
}

}  // namespace netledger
