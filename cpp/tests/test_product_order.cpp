// Orders of products: every part once, and predictions that hold what is made.
#include "query/product_order.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "query/product_chain.h"
#include "tests/query_polynomials.h"

namespace netledger {

using testing::dense_of;
using testing::Dice;
using testing::random_terms;
using testing::sparse_of;

namespace {

using Algebra = Counting<Wide>;
using Table = Polynomial<Algebra>;

// Tables of fewer ways are sparse, whatever is predicted.
constexpr double tiny = 64;

std::vector<Table> random_tables(Dice& dice, std::size_t count) {
  std::vector<Table> tables;
  for (std::size_t part = 0; part < count; ++part) {
    const std::int64_t step = dice.chance(50) ? 1 : dice.roll(1, 40);
    const auto terms =
        random_terms<Algebra>(dice, step, dice.chance(20) ? 60 : 6, dice.chance(20) ? 100'000 : 60);
    const Extent extent = sparse_of<Algebra>(terms).extent();
    tables.push_back(extent.slots() < 1000 && dice.chance(50)
                         ? dense_of<Algebra>(terms, std::max<std::uint64_t>(extent.step, 1))
                         : sparse_of<Algebra>(terms));
  }
  return tables;
}

std::vector<Extent> extents_of(const std::vector<Table>& tables) {
  std::vector<Extent> extents;
  for (const Table& table : tables) extents.push_back(table.extent());
  return extents;
}

void check_permutation(std::vector<std::size_t> order, std::size_t count) {
  std::ranges::sort(order);
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  CHECK(order == all);
}

// The places of tables that are made.
double made_places(const std::vector<Table>& tables, const std::vector<std::size_t>& order,
                   double& most, double& last) {
  std::vector<const Table*> parts;
  for (const std::size_t part : order) parts.push_back(&tables[part]);
  if (parts.empty()) return 0;
  ProductChain<Algebra> chain(parts);
  Progress progress(0, 1, {});
  chain.multiply(true, progress);
  double all = 0;
  double before = static_cast<double>(parts.front()->bytes()) / sizeof(Wide);
  for (const Table& table : chain.tables()) {
    const double places = static_cast<double>(table.bytes()) / sizeof(Wide);
    all += places;
    most = std::max(most, before + places);
    before = places;
  }
  last = before;
  return all;
}

}  // namespace

TEST_CASE("an order has every part once, and tells of what is made") {
  Dice dice(16);
  for (int round = 0; round < 60; ++round) {
    const auto count = static_cast<std::size_t>(dice.roll(1, 7));
    const auto tables = random_tables(dice, count);
    const auto extents = extents_of(tables);
    const ProductOrder order = order_product(extents);
    check_permutation(order.order, count);
    REQUIRE(order.extents.size() == count);
    Extent made = Extent::of(0);
    double places = 0;
    double operations = 0;
    for (std::size_t place = 0; place < count; ++place) {
      if (place > 0) operations += stored_places(made) * extents[order.order[place]].terms;
      made = made + extents[order.order[place]];
      places += stored_places(made);
      CHECK(order.extents[place].low == made.low);
      CHECK(order.extents[place].high == made.high);
      CHECK(order.extents[place].step == made.step);
      CHECK(order.extents[place].terms == made.terms);
    }
    CHECK(order.places == doctest::Approx(places));
    CHECK(order.operations == doctest::Approx(operations));
    CHECK(order.streamed_places <= order.most_places);
    CHECK(order.most_places <= 2 * order.places);
    double most = 0;
    double last = 0;
    const double truly = made_places(tables, order.order, most, last);
    CHECK(truly <= order.places + tiny * static_cast<double>(count));
    CHECK(most <= order.most_places + 2 * tiny);
  }
}

TEST_CASE("halves have every part once, and tell of what is made") {
  Dice dice(17);
  for (int round = 0; round < 60; ++round) {
    const auto count = static_cast<std::size_t>(dice.roll(1, 8));
    const auto tables = random_tables(dice, count);
    const Halves halves = split_product(extents_of(tables));
    std::vector<std::size_t> all = halves.left;
    all.insert(all.end(), halves.right.begin(), halves.right.end());
    check_permutation(all, count);
    double most = 0;
    double last = 0;
    const double truly = made_places(tables, halves.left, most, last) +
                         made_places(tables, halves.right, most, last);
    CHECK(truly <= halves.places + tiny * static_cast<double>(count));
    // Never more than the product of all.
    const ProductOrder order = order_product(extents_of(tables));
    CHECK(halves.operations + 8 * halves.places <= order.operations + 8 * order.places + 1e-6);
  }
}

TEST_CASE("many parts are ordered in little time, and none at all") {
  Dice dice(18);
  CHECK(order_product({}).order.empty());
  CHECK(order_product({}).extents.empty());
  CHECK(split_product({}).left.empty());
  CHECK(split_product({}).right.empty());
  for (const std::size_t count : {std::size_t{256}, std::size_t{257}, std::size_t{1000}}) {
    std::vector<Extent> extents;
    for (std::size_t part = 0; part < count; ++part) {
      extents.push_back({.empty = false,
                         .low = 0,
                         .high = dice.roll(1, 1000),
                         .step = 1,
                         .terms = static_cast<double>(dice.roll(2, 9))});
    }
    check_permutation(order_product(extents).order, count);
    const Halves halves = split_product(extents);
    std::vector<std::size_t> all = halves.left;
    all.insert(all.end(), halves.right.begin(), halves.right.end());
    check_permutation(all, count);
    // Two halves of the square root.
    CHECK(halves.places < order_product(extents).places);
  }
}

TEST_CASE("stored places") {
  CHECK(stored_places(Extent::of(3)) == 1);
  CHECK(stored_places({}) == 0);
  const Extent dense{.empty = false, .low = 0, .high = 999, .step = 1, .terms = 100};
  CHECK(stored_places(dense) == 1000);
  const Extent sparse{.empty = false, .low = 0, .high = 999'999, .step = 1, .terms = 100};
  CHECK(stored_places(sparse) == 200);
}

}  // namespace netledger
