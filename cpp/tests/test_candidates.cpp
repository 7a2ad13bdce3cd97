// Candidates: drawn as the numbers say, row by row.
#include "space/candidates.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"

namespace netledger {

using namespace testing;

namespace {

struct Space {
  explicit Space(Plan given)
      : plan(std::move(given)), sweeper(plan), digits(plan), candidates(digits, sweeper) {}
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  Space(Space&&) = delete;
  Space& operator=(Space&&) = delete;
  ~Space() = default;

  [[nodiscard]] Matrix random(Law law, std::uint64_t seed, std::uint64_t first, std::size_t rows,
                              CodeWidth width = CodeWidth::byte) const {
    Matrix codes(rows, plan.variables.size(), width);
    candidates.random(law, seed, first, codes.output());
    return codes;
  }

  Plan plan;
  Sweeper sweeper;
  Digits digits;
  Candidates candidates;
};

Plan plain_plan(std::vector<std::uint32_t> sizes) {
  Plan plan;
  for (std::size_t variable = 0; variable < sizes.size(); ++variable) {
    plan.variables.push_back({"v" + std::to_string(variable), sizes[variable], 0, 0});
  }
  plan.activities.resize(sizes.size());
  return plan;
}

// As the specification of the law says, one variable at a time.
Row drawn_genes(const Space& space, std::uint64_t seed, std::uint64_t number) {
  const std::uint64_t key = random_key(seed, Purpose::genes);
  const auto& groups = space.candidates.groups();
  Row row;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    std::uint64_t product = 1;
    for (const VariableIndex variable : groups[group])
      product *= space.plan.variables[variable].size;
    std::uint64_t drawn = Bound(product)(key, number * groups.size() + group);
    for (const VariableIndex variable : groups[group]) {
      product /= space.plan.variables[variable].size;
      row.push_back(static_cast<std::int64_t>(drawn / product));
      drawn %= product;
    }
  }
  return row;
}

double chi_square(const std::map<Row, std::size_t>& counts, double expected) {
  double sum = 0;
  for (const auto& [row, count] : counts) {
    const double distance = static_cast<double>(count) - expected;
    sum += distance * distance / expected;
  }
  return sum;
}

// Networks that are within the activities, and that no step refuses.
std::set<Row> networks(const Plan& plan) {
  std::set<Row> found;
  for (const Row& row : all_rows(plan)) {
    const Row canonical = true_canonical(plan, row);
    if (true_cost(plan, canonical).refusal == accepted) found.insert(canonical);
  }
  return found;
}

std::vector<MaskTable> masks_of(const Candidates& candidates, std::uint64_t threshold) {
  std::vector<MaskTable> masks;
  for (const auto& group : candidates.groups()) {
    const std::size_t count = std::size_t{1} << group.size();
    masks.push_back(
        {std::vector<std::uint64_t>(count, threshold), std::vector<std::uint8_t>(count, 0)});
  }
  return masks;
}

}  // namespace

TEST_CASE("groups take up to eight variables and 65536 choices") {
  const Space space(plain_plan({3, 3, 3, 3, 3, 3, 3, 3, 3, 256, 255, 2, 65536, 2}));
  const auto& groups = space.candidates.groups();
  REQUIRE(groups.size() == 5);
  CHECK(groups[0].size() == 8);
  CHECK(groups[1] == std::vector<VariableIndex>{8, 9});
  CHECK(groups[2] == std::vector<VariableIndex>{10, 11});
  CHECK(groups[3] == std::vector<VariableIndex>{12});
  CHECK(groups[4] == std::vector<VariableIndex>{13});
}

TEST_CASE("genes are drawn as specified, in any part of a batch and in either width") {
  const Space space(plain_plan({25, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 7, 100, 200, 5, 5, 5, 5, 5}));
  const Matrix all = space.random(Law::genes, 7, 0, 700);
  const Matrix wide = space.random(Law::genes, 7, 0, 700, CodeWidth::word);
  for (std::size_t row = 0; row < 700; ++row) {
    REQUIRE(all.row(row) == drawn_genes(space, 7, row));
    REQUIRE(wide.row(row) == all.row(row));
  }
  const Matrix part = space.random(Law::genes, 7, 300, 33);
  for (std::size_t row = 0; row < 33; ++row) CHECK(part.row(row) == all.row(300 + row));
  CHECK(space.random(Law::genes, 8, 0, 700).bytes() != all.bytes());
}

TEST_CASE("genes are uniform") {
  const Space space(plain_plan({3, 5, 2}));
  const Matrix codes = space.random(Law::genes, 1, 0, 30000);
  std::map<Row, std::size_t> counts;
  for (std::size_t row = 0; row < 30000; ++row) ++counts[codes.row(row)];
  REQUIRE(counts.size() == 30);
  // 29 degrees of freedom: above 58.3 once in a thousand times.
  CHECK(chi_square(counts, 1000) < 58.3);
}

TEST_CASE("architectures are uniform over networks, and canonical") {
  Dice dice(31);
  for (int round = 0; round < 6; ++round) {
    PlanShape shape;
    shape.variables = 5;
    shape.largest_size = 3;
    shape.activities = 70;
    shape.refusals = round % 2 == 0 ? 30 : 0;
    shape.factors = 3;
    shape.lanes = round == 5;
    const Space space(random_plan(dice, shape));
    const std::set<Row> expected = networks(space.plan);
    if (expected.empty()) continue;
    const std::size_t rows = 400 * expected.size();
    const Matrix codes = space.random(Law::architectures, 3, 0, rows);
    std::map<Row, std::size_t> counts;
    for (const Row& row : expected) counts[row] = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      REQUIRE(expected.contains(codes.row(row)));
      ++counts[codes.row(row)];
    }
    // Mean plus five standard deviations.
    const auto freedom = static_cast<double>(expected.size() - 1);
    CHECK(chi_square(counts, 400) < freedom + 5 * std::sqrt(2 * freedom) + 1);
  }
}

TEST_CASE("large components are drawn by counting, each network as likely") {
  // on = 0: one network; on = 1: 300 * 300 of them, so that x is as good as uniform.
  Plan plan = plain_plan({2, 300, 300});
  plan.activities[1] = {{0}, {0, 1}};
  plan.activities[2] = {{0}, {0, 1}};
  const Space space(std::move(plan));
  REQUIRE_FALSE(space.digits.whole());
  const Matrix codes = space.random(Law::architectures, 3, 0, 60000, CodeWidth::word);
  std::map<Row, std::size_t> counts;
  for (std::int64_t x = 0; x < 300; ++x) counts[{x}] = 0;
  std::size_t off = 0;
  for (std::size_t row = 0; row < 60000; ++row) {
    const Row drawn = codes.row(row);
    if (drawn[0] == 0) ++off;
    ++counts[{drawn[1]}];
  }
  CHECK(off < 10);
  // 299 degrees of freedom: above 381.4 once in a thousand times.
  CHECK(chi_square(counts, 200) < 381.4);
}

TEST_CASE("spaces that refuse are drawn again until accepted") {
  Dice dice(32);
  PlanShape shape;
  shape.refusals = 60;
  shape.largest_size = 3;
  const Space space(random_plan(dice, shape));
  REQUIRE(space.sweeper.may_refuse());
  const Matrix codes = space.random(Law::genes, 5, 100, 1000);
  const std::size_t groups = space.candidates.groups().size();
  REQUIRE(groups == 1);
  std::size_t drawn_again = 0;
  for (std::size_t row = 0; row < 1000; ++row) {
    std::uint64_t attempt = 0;
    while (true_cost(space.plan, drawn_genes(space, 5, 100 + row + (attempt << 40U))).refusal !=
           accepted) {
      ++attempt;
    }
    drawn_again += attempt;
    REQUIRE(codes.row(row) == drawn_genes(space, 5, 100 + row + (attempt << 40U)));
  }
  CHECK(drawn_again > 0);
}

TEST_CASE("spaces without any network say so") {
  Plan plan = plain_plan({2, 2});
  plan.factors.push_back({{0}, 2, {}, {}, {1, 1}});
  const Space space(std::move(plan));
  CHECK_THROWS_AS(space.random(Law::architectures, 1, 0, 1), SpaceError);
  CHECK_THROWS_AS(space.random(Law::genes, 1, 0, 1), SpaceError);
  CHECK_NOTHROW(space.random(Law::genes, 1, 0, 0));
}

TEST_CASE("mutation redraws the variables of the mask, with the numbers of their row") {
  const Space space(plain_plan({25, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 7, 100}));
  const Matrix parents = space.random(Law::genes, 1, 0, 600);
  const auto& groups = space.candidates.groups();
  // As likely the slot itself as its alias.
  auto masks = masks_of(space.candidates, std::uint64_t{1} << 55U);
  for (auto& table : masks) {
    for (std::size_t slot = 0; slot < table.aliases.size(); ++slot) {
      table.aliases[slot] = static_cast<std::uint8_t>(slot / 2);
    }
  }
  for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
    Matrix children(600, 13, width);
    space.candidates.mutate(parents.view(), masks, 9, 50, children.output());
    const std::uint64_t key = random_key(9, Purpose::mutate);
    for (std::size_t row = 0; row < 600; ++row) {
      Row expected = parents.row(row);
      for (std::size_t group = 0; group < groups.size(); ++group) {
        const std::uint64_t counter = ((50 + row) * groups.size() + group) * 2;
        const std::uint64_t number = draw(key, counter);
        const std::size_t slot = number >> (64 - groups[group].size());
        const bool own = (number & ((std::uint64_t{1} << 56U) - 1)) < (std::uint64_t{1} << 55U);
        const std::size_t mask = own ? slot : slot / 2;
        std::uint64_t product = 1;
        for (const VariableIndex variable : groups[group])
          product *= space.plan.variables[variable].size;
        std::uint64_t fresh = Bound(product)(key, counter + 1);
        for (std::size_t bit = 0; bit < groups[group].size(); ++bit) {
          const VariableIndex variable = groups[group][bit];
          product /= space.plan.variables[variable].size;
          if ((mask >> bit & 1U) != 0) {
            expected[variable] = static_cast<std::int64_t>(fresh / product);
          }
          fresh %= product;
        }
      }
      REQUIRE(children.row(row) == expected);
    }
  }
}

TEST_CASE("mutation accepts any strides and refuses masks of another shape") {
  const Space space(plain_plan({3, 4, 5}));
  const Matrix parents = space.random(Law::genes, 1, 0, 300);
  std::vector<Row> rows;
  for (std::size_t row = 0; row < 300; ++row) rows.push_back(parents.row(row));
  const auto masks = masks_of(space.candidates, std::uint64_t{1} << 56U);
  Matrix children(300, 3, CodeWidth::byte);
  space.candidates.mutate(parents.view(), masks, 1, 0, children.output());
  Matrix others(300, 3, CodeWidth::byte);
  space.candidates.mutate(Matrix(rows, 3, CodeWidth::word, 2, true).view(), masks, 1, 0,
                          others.output());
  CHECK(children.bytes() == others.bytes());
  CHECK(children.bytes() != parents.bytes());

  CHECK_THROWS_AS(space.candidates.mutate(parents.view(), {}, 1, 0, children.output()), SpaceError);
  auto wrong = masks;
  wrong[0].aliases[0] = 8;
  CHECK_THROWS_AS(space.candidates.mutate(parents.view(), wrong, 1, 0, children.output()),
                  SpaceError);
  Matrix few(299, 3, CodeWidth::byte);
  CHECK_THROWS_AS(space.candidates.mutate(parents.view(), masks, 1, 0, few.output()), SpaceError);
  rows[299][2] = 5;
  CHECK_THROWS_WITH_AS(space.candidates.mutate(Matrix(rows, 3, CodeWidth::byte).view(), masks, 1, 0,
                                               children.output()),
                       "row 299: variable 'v2' has 5 choices, coded 0 to 4; got 5", SpaceError);
}

TEST_CASE("children take each variable from either parent") {
  const Space space(plain_plan(std::vector<std::uint32_t>(131, 200)));
  const Matrix a = space.random(Law::genes, 1, 0, 300);
  const Matrix b = space.random(Law::genes, 2, 0, 300);
  const std::uint64_t key = random_key(4, Purpose::crossover);
  for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
    Matrix children(300, 131, width);
    space.candidates.crossover(a.view(), b.view(), 4, 10, children.output());
    for (std::size_t row = 0; row < 300; ++row) {
      const Row child = children.row(row);
      const Row from_a = a.row(row);
      const Row from_b = b.row(row);
      for (std::size_t variable = 0; variable < 131; ++variable) {
        const std::uint64_t number = draw(key, (10 + row) * 3 + variable / 64);
        const bool second = (number >> (63 - variable % 64) & 1U) != 0;
        REQUIRE(child[variable] == (second ? from_b : from_a)[variable]);
      }
    }
  }
}

TEST_CASE("canonical rows, their hashes, and which are new") {
  Dice dice(33);
  PlanShape shape;
  shape.activities = 70;
  const Space space(random_plan(dice, shape));
  const std::vector<Row> rows = random_rows(space.plan, dice, 1500);
  const Matrix codes(rows, 6, CodeWidth::byte);
  Matrix canonical(1500, 6, CodeWidth::word);
  space.candidates.canonical(codes.view(), canonical.output());
  std::vector<std::uint64_t> hashes(1500);
  space.candidates.hash(codes.view(), hashes.data());
  std::vector<std::uint64_t> expected;
  std::set<Row> known;
  for (std::size_t row = 0; row < 1500; ++row) {
    const Row right = true_canonical(space.plan, rows[row]);
    REQUIRE(canonical.row(row) == right);
    std::uint64_t hash = 0;
    for (std::size_t variable = 0; variable < 6; ++variable) {
      hash =
          mix(hash ^ (static_cast<std::uint64_t>(right[variable]) + (variable + 1) * golden_ratio));
    }
    REQUIRE(hashes[row] == hash);
    if (known.insert(right).second) expected.push_back(row);
  }
  CHECK(space.candidates.unique(codes.view()) == expected);
  CHECK(space.candidates.unique(Matrix(0, 6, CodeWidth::byte).view()).empty());
}

TEST_CASE("outputs that cannot hold the codes are refused") {
  const Space space(plain_plan({300, 2}));
  CHECK_THROWS_WITH_AS(space.random(Law::genes, 1, 0, 2),
                       "variable 'v0' has 300 choices: its codes need 16 bits", SpaceError);
  CHECK_NOTHROW(space.random(Law::genes, 1, 0, 2, CodeWidth::word));
}

}  // namespace netledger
