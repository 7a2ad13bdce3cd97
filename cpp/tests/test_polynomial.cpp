// Polynomials over costs: sums and products as by maps, sparse or dense, in one thread or two.
#include "query/polynomial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/query_polynomials.h"

namespace netledger {

using testing::add_term;
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
struct Both {
  Terms<Algebra> terms;
  Polynomial<Algebra> polynomial;
};

// Dense or sparse, close together or far apart, on a lattice or not.
template <class Algebra>
Both<Algebra> random_polynomial(Dice& dice) {
  constexpr std::array<std::int64_t, 6> steps{1, 2, 3, 4, 6, 1000};
  const std::int64_t step = steps[static_cast<std::size_t>(dice.roll(0, 5))];
  Both<Algebra> both;
  const bool dense = dice.chance(60);
  both.terms = random_terms<Algebra>(dice, step, dense ? 80 : 12, dense ? 60 : 3000);
  both.polynomial = dense ? dense_of<Algebra>(both.terms, static_cast<std::uint64_t>(step))
                          : sparse_of<Algebra>(both.terms);
  return both;
}

RunOptions on(unsigned threads) {
  RunOptions options;
  options.threads = threads;
  return options;
}

// Every place is there.
template <class Algebra>
Terms<Algebra> full_terms(Dice& dice, std::int64_t step, std::int64_t count) {
  Terms<Algebra> terms;
  for (std::int64_t place = 0; place < count; ++place) {
    terms.emplace_hint(terms.end(), place * step - 12345, random_value<Algebra>(dice));
  }
  return terms;
}

}  // namespace

TEST_CASE_TEMPLATE("polynomials of random terms", Algebra, Counting<std::uint64_t>, Counting<Wide>,
                   Counting<WideCount<4>>, Counting<WideCount<16>>, Least) {
  Dice dice(7);
  check_polynomial<Algebra>({}, {});
  check_polynomial<Algebra>(Polynomial<Algebra>::one(), {{0, Algebra::one()}});
  for (int round = 0; round < 60; ++round) {
    const auto both = random_polynomial<Algebra>(dice);
    check_polynomial(both.polynomial, both.terms);
  }
}

TEST_CASE_TEMPLATE("sums are those of maps", Algebra, Counting<std::uint64_t>, Counting<Wide>,
                   Counting<WideCount<4>>, Least) {
  Dice dice(8);
  for (int round = 0; round < 60; ++round) {
    std::vector<Both<Algebra>> parts;
    std::vector<Shifted<Algebra>> summands;
    const auto count = static_cast<std::size_t>(dice.roll(0, 5));
    for (std::size_t part = 0; part < count; ++part) {
      parts.push_back(dice.chance(15) ? Both<Algebra>{} : random_polynomial<Algebra>(dice));
    }
    Terms<Algebra> truth;
    Extent extent;
    for (const auto& part : parts) {
      const Shifted<Algebra> summand{
          &part.polynomial, dice.chance(40) ? 0 : dice.roll(-300, 300),
          dice.chance(50) ? Algebra::one() : random_value<Algebra>(dice)};
      summands.push_back(summand);
      for (const auto& [cost, value] : part.terms) {
        add_term<Algebra>(truth, cost + summand.cost, Algebra::multiply(value, summand.weight));
      }
      if (part.terms.empty()) continue;
      extent.unite(part.polynomial.extent() + Extent::of(summand.cost));
    }
    check_polynomial(sum<Algebra>(summands), truth);
    if (extent.empty) continue;
    DenseSum<Algebra> dense(extent);
    for (const auto& summand : summands) {
      if (!summand.polynomial->empty()) dense.add(summand);
    }
    check_polynomial(dense.take(), truth);
  }
}

TEST_CASE_TEMPLATE("products are those of maps", Algebra, Counting<std::uint64_t>, Counting<Wide>,
                   Counting<WideCount<4>>, Counting<WideCount<16>>, Least) {
  Dice dice(9);
  for (int round = 0; round < 150; ++round) {
    const auto left = random_polynomial<Algebra>(dice);
    const auto right = random_polynomial<Algebra>(dice);
    const auto truth = true_product<Algebra>(left.terms, right.terms);
    check_polynomial(product(left.polynomial, right.polynomial), truth);
    check_polynomial(product(left.polynomial, Polynomial<Algebra>::one()), left.terms);
    check_polynomial(product(Polynomial<Algebra>::one(), left.polynomial), left.terms);
    CHECK(product(left.polynomial, Polynomial<Algebra>()).empty());
    CHECK(product(Polynomial<Algebra>(), left.polynomial).empty());
  }
}

TEST_CASE_TEMPLATE("a dense product is filled part by part", Algebra, Counting<std::uint64_t>,
                   Counting<Wide>, Least) {
  Dice dice(10);
  for (int round = 0; round < 80; ++round) {
    const std::int64_t step =
        std::array<std::int64_t, 4>{1, 4, 6, 12}[static_cast<std::size_t>(dice.roll(0, 3))];
    const std::int64_t other =
        std::array<std::int64_t, 4>{1, 3, 4, 18}[static_cast<std::size_t>(dice.roll(0, 3))];
    const auto terms = random_terms<Algebra>(dice, step, 200, 150);
    const auto factor_terms = random_terms<Algebra>(dice, other, 9, 20);
    const auto truth = true_product<Algebra>(terms, factor_terms);
    const auto polynomial = dense_of<Algebra>(terms, static_cast<std::uint64_t>(step));
    const auto factor = dice.chance(50)
                            ? sparse_of<Algebra>(factor_terms)
                            : dense_of<Algebra>(factor_terms, static_cast<std::uint64_t>(other));
    const DenseProduct<Algebra> dense(polynomial, factor);
    CHECK(static_cast<std::uint64_t>(step) == dense.step() * dense.block());
    CHECK(dense.first() == truth.begin()->first);
    REQUIRE(dense.first() + static_cast<std::int64_t>((dense.places() - 1) * dense.step()) ==
            truth.rbegin()->first);
    const std::size_t blocks = (dense.places() - 1) / dense.block() + 1;
    std::vector<typename Algebra::Value> values;
    std::size_t begin = 0;
    while (begin < blocks) {
      const std::size_t end = std::min(blocks, begin + static_cast<std::size_t>(dice.roll(1, 100)));
      const std::size_t from = begin * dense.block();
      const std::size_t to = std::min(dense.places(), end * dense.block());
      // One more, which is left alone.
      std::vector<typename Algebra::Value> part(to - from + 1, Algebra::absent());
      part.back() = Algebra::one();
      dense.fill(begin, end, part.data());
      REQUIRE(part.back() == Algebra::one());
      part.pop_back();
      values.insert(values.end(), part.begin(), part.end());
      begin = end;
    }
    Terms<Algebra> found;
    for (std::size_t place = 0; place < values.size(); ++place) {
      if (Algebra::is_absent(values[place])) continue;
      found[dense.first() + static_cast<std::int64_t>(place * dense.step())] = values[place];
    }
    REQUIRE(found == truth);
  }
}

TEST_CASE_TEMPLATE("large products, in several chunks and on two threads", Algebra,
                   Counting<std::uint64_t>, Counting<Wide>, Least) {
  Dice dice(11);
  struct Size {
    std::int64_t step;
    std::int64_t places;
    std::int64_t factor_step;
    std::int64_t terms;
  };
  // More than a chunk, also where a block has several places; with and without passes of four.
  for (const Size size : {Size{1, 70'000, 1, 7}, Size{6, 40'000, 4, 9}, Size{2, 33'000, 5, 4},
                          Size{1, 2'049, 1, 40}, Size{5, 2'050, 1, 30}}) {
    const auto terms = full_terms<Algebra>(dice, size.step, size.places);
    const auto polynomial = dense_of<Algebra>(terms, static_cast<std::uint64_t>(size.step));
    const auto factor_terms = random_terms<Algebra>(dice, size.factor_step, size.terms, 900);
    const auto factor = sparse_of<Algebra>(factor_terms);
    // By place: a map would take too long.
    const std::uint64_t step = std::gcd(polynomial.extent().step, factor.extent().step);
    const std::int64_t first = terms.begin()->first + factor_terms.begin()->first;
    const std::int64_t last = terms.rbegin()->first + factor_terms.rbegin()->first;
    std::vector<typename Algebra::Value> truth(
        static_cast<std::size_t>(last - first) / static_cast<std::size_t>(step) + 1,
        Algebra::absent());
    for (const auto& [cost, value] : terms) {
      for (const auto& [other_cost, other] : factor_terms) {
        auto& place = truth[static_cast<std::size_t>(cost + other_cost - first) /
                            static_cast<std::size_t>(step)];
        place = Algebra::add(place, Algebra::multiply(value, other));
      }
    }
    const auto check = [&](const Polynomial<Algebra>& found) {
      REQUIRE(found.dense());
      REQUIRE(found.first() == first);
      REQUIRE(found.step() == step);
      REQUIRE(found.places() == truth.size());
      std::size_t wrong = 0;
      for (std::size_t place = 0; place < truth.size(); ++place) {
        const bool absent = Algebra::is_absent(truth[place]);
        const auto& value = found.coefficient(place);
        if (absent ? !Algebra::is_absent(value) : value != truth[place]) ++wrong;
      }
      CHECK(wrong == 0);
    };
    for (const unsigned threads : {1U, 2U}) {
      check(product(polynomial, factor, on(threads)));
      // What is left in the room does not matter, and it is used where it suffices.
      Places<typename Algebra::Value> room(truth.size() + 100, random_value<Algebra>(dice));
      const auto* const place = room.data();
      const auto made = product(polynomial, factor, on(threads), std::move(room));
      CHECK(made.coefficients().data() == place);
      check(made);
      Places<typename Algebra::Value> small(100, Algebra::one());
      check(product(polynomial, factor, on(threads), std::move(small)));
    }
  }
}

TEST_CASE("a product can be interrupted") {
  Dice dice(12);
  using Algebra = Counting<std::uint64_t>;
  const auto polynomial = dense_of<Algebra>(full_terms<Algebra>(dice, 1, 200'000), 1);
  const auto factor = sparse_of<Algebra>(random_terms<Algebra>(dice, 1, 50, 100));
  for (const unsigned threads : {1U, 2U}) {
    RunOptions options = on(threads);
    options.wait = [](std::uint64_t) { throw std::runtime_error("enough"); };
    CHECK_THROWS_AS(product(polynomial, factor, options), std::runtime_error);
  }
}

TEST_CASE_TEMPLATE("costs far apart do not make a table of all that lies between", Algebra,
                   Counting<std::uint64_t>, Counting<WideCount<4>>, Least) {
  Dice dice(13);
  constexpr std::int64_t far = std::int64_t{1} << 50U;
  const Terms<Algebra> apart{{0, Algebra::one()}, {far, Algebra::one()}};
  const auto terms = full_terms<Algebra>(dice, 1, 100);
  const auto close = dense_of<Algebra>(terms, 1);
  const auto truth = true_product<Algebra>(terms, apart);
  check_polynomial(product(close, sparse_of<Algebra>(apart)), truth);
  check_polynomial(product(sparse_of<Algebra>(apart), close), truth);
  // A single term leaves a dense one dense.
  const auto moved = product(close, sparse_of<Algebra>({{far, Algebra::one()}}));
  CHECK(moved.dense());
  check_polynomial(moved, true_product<Algebra>(terms, {{far, Algebra::one()}}));
  const std::array<Shifted<Algebra>, 2> summands{Shifted<Algebra>{&close, 0},
                                                 Shifted<Algebra>{&close, far}};
  check_polynomial(sum<Algebra>(summands), truth);
}

TEST_CASE("all coefficients of a polynomial together") {
  using Algebra = Counting<std::uint64_t>;
  const std::uint64_t largest = ~std::uint64_t{0};
  const Terms<Algebra> terms{{1, largest}, {2, largest}, {5, 3}};
  CHECK(total_of(sparse_of<Algebra>(terms)) == Wide{largest} * 2 + 3);
  CHECK(total_of(dense_of<Algebra>(terms, 1)) == Wide{largest} * 2 + 3);
  CHECK(total_of({}) == 0);
  auto dense = dense_of<Algebra>(terms, 1);
  CHECK(dense.bytes() == 5 * 8);
  const auto* const data = dense.coefficients().data();
  const auto released = dense.release();
  CHECK(released.data() == data);
  CHECK(dense.empty());
}

}  // namespace netledger
