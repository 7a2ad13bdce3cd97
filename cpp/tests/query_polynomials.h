// Polynomials over costs, by brute force.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/polynomial.h"
#include "tests/space_plans.h"

namespace netledger::testing {

// What occurs, by cost.
template <class Algebra>
using Terms = std::map<std::int64_t, typename Algebra::Value>;

template <class Algebra>
void add_term(Terms<Algebra>& terms, std::int64_t cost, const typename Algebra::Value& value) {
  const auto [place, is_new] = terms.try_emplace(cost, value);
  if (!is_new) place->second = Algebra::add(place->second, value);
}

template <class Algebra>
Terms<Algebra> true_product(const Terms<Algebra>& left, const Terms<Algebra>& right) {
  Terms<Algebra> terms;
  for (const auto& [cost, value] : left) {
    for (const auto& [other_cost, other] : right) {
      add_term<Algebra>(terms, cost + other_cost, Algebra::multiply(value, other));
    }
  }
  return terms;
}

template <class Algebra>
typename Algebra::Value random_value(Dice& dice) {
  if constexpr (std::is_same_v<Algebra, Least>) {
    return dice.roll(-1'000'000, 1'000'000);
  } else {
    // Wide ones reach into their upper words.
    auto value = static_cast<typename Algebra::Value>(
        static_cast<std::uint64_t>(dice.chance(30) ? 1 : dice.roll(1, 1000)));
    for (std::size_t size = 8; size < sizeof(value) && size <= 32; size *= 2) {
      value = Algebra::multiply(
          value, typename Algebra::Value(static_cast<std::uint64_t>(dice.roll(1, 1'000'000))));
    }
    return value;
  }
}

// Dense, whatever is in it.
template <class Algebra>
Polynomial<Algebra> dense_of(const Terms<Algebra>& terms, std::uint64_t step) {
  const std::int64_t first = terms.begin()->first;
  const auto places =
      static_cast<std::size_t>(terms.rbegin()->first - first) / static_cast<std::size_t>(step) + 1;
  Places<typename Algebra::Value> values(places, Algebra::absent());
  for (const auto& [cost, value] : terms) {
    values[static_cast<std::size_t>(cost - first) / static_cast<std::size_t>(step)] = value;
  }
  return Polynomial<Algebra>(first, step, std::move(values), terms.size());
}

template <class Algebra>
Polynomial<Algebra> sparse_of(const Terms<Algebra>& terms) {
  std::vector<typename Polynomial<Algebra>::Term> list;
  for (const auto& [cost, value] : terms) list.push_back({cost, value});
  return Polynomial<Algebra>(std::move(list));
}

// Costs are multiples of the step, from some first one on, so many at most.
template <class Algebra>
Terms<Algebra> random_terms(Dice& dice, std::int64_t step, std::int64_t most, std::int64_t spread) {
  Terms<Algebra> terms;
  const std::int64_t first = dice.roll(-50, 50);
  const std::int64_t count = dice.roll(1, most);
  for (std::int64_t index = 0; index < count; ++index) {
    terms[first + step * dice.roll(0, spread)] = random_value<Algebra>(dice);
  }
  return terms;
}

template <class Algebra>
Terms<Algebra> terms_of(const Polynomial<Algebra>& polynomial) {
  Terms<Algebra> terms;
  polynomial.each(
      [&](std::int64_t cost, const typename Algebra::Value& value) { terms.emplace(cost, value); });
  return terms;
}

// Everything a polynomial says of itself.
template <class Algebra>
void check_polynomial(const Polynomial<Algebra>& polynomial, const Terms<Algebra>& truth) {
  REQUIRE(polynomial.empty() == truth.empty());
  REQUIRE(terms_of(polynomial) == truth);
  CHECK(polynomial.size() == truth.size());
  const auto listed = polynomial.terms();
  REQUIRE(listed.size() == truth.size());
  std::size_t number = 0;
  for (const auto& [cost, value] : truth) {
    CHECK(listed[number].cost == cost);
    CHECK(listed[number].coefficient == value);
    ++number;
  }
  const Extent extent = polynomial.extent();
  REQUIRE(extent.empty == truth.empty());
  if (truth.empty()) return;
  CHECK(extent.low == truth.begin()->first);
  CHECK(extent.high == truth.rbegin()->first);
  CHECK(extent.terms >= static_cast<double>(truth.size()));
  if (polynomial.dense()) {
    CHECK_FALSE(Algebra::is_absent(polynomial.coefficients().front()));
    CHECK_FALSE(Algebra::is_absent(polynomial.coefficients().back()));
  } else {
    CHECK(polynomial.places() == truth.size());
  }
  const auto steps = std::max<std::int64_t>((extent.high - extent.low) / 60, 1);
  for (std::int64_t cost = extent.low - 3; cost <= extent.high + 3; cost += steps) {
    const auto known = truth.find(cost);
    const auto at = polynomial.at(cost);
    CHECK(Algebra::is_absent(at) == (known == truth.end()));
    if (known != truth.end()) CHECK(at == known->second);
    const std::size_t places = polynomial.places_up_to(cost);
    REQUIRE(places <= polynomial.places());
    CHECK((places == 0 || polynomial.cost(places - 1) <= cost));
    CHECK((places == polynomial.places() || polynomial.cost(places) > cost));
  }
}

}  // namespace netledger::testing
