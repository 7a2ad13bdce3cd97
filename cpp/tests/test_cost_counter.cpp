// CostCounter by cost of small spaces, in one slice or several: against every configuration.
#include "query/cost_counter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "query/product_chain.h"
#include "space/error.h"
#include "tests/query_checks.h"

namespace netledger {

using testing::binary_plan;
using testing::check_counts;
using testing::check_cumulative;
using testing::check_sample;
using testing::check_uses;
using testing::Dice;
using testing::Matrix;
using testing::random_question;
using testing::random_space;
using testing::slices_by;
using testing::Truth;

namespace {

constexpr std::size_t plenty = std::size_t{1} << 30U;

struct Case {
  Plan plan;
  Question question;
  Problem problem;
  Truth truth;
  std::vector<VariableIndex> given;
  Slices slices;

  explicit Case(Dice& dice, int percent_given)
      : plan(random_space(dice)),
        question(random_question(dice, plan)),
        problem(plan, question),
        truth(plan, question) {
    for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
      if (dice.chance(percent_given)) given.push_back(variable);
    }
    slices = slices_by(problem, given);
  }
};

std::size_t any_limbs(Dice& dice) {
  return std::array<std::size_t, 4>{1, 2, 4, 16}[static_cast<std::size_t>(dice.roll(0, 3))];
}

// Tables with their own memory.
struct Copies {
  std::vector<StoredSlice> tables;
  std::vector<std::unique_ptr<std::vector<std::uint64_t>>> words;
  std::vector<std::unique_ptr<std::vector<std::int64_t>>> costs;

  explicit Copies(const std::vector<StoredSlice>& from) : tables(from) {
    for (StoredSlice& slice : tables) {
      for (StoredTable& table : slice.tables) {
        words.push_back(
            std::make_unique<std::vector<std::uint64_t>>(table.words.begin(), table.words.end()));
        costs.push_back(
            std::make_unique<std::vector<std::int64_t>>(table.costs.begin(), table.costs.end()));
        table.words = *words.back();
        table.costs = *costs.back();
        table.owner = nullptr;
      }
    }
  }
};

}  // namespace

TEST_CASE("slices are the combinations of given codes that are there") {
  Dice dice(21);
  for (int round = 0; round < 200; ++round) {
    const Case of(dice, 40);
    std::size_t found = 0;
    std::vector<std::uint16_t> former;
    for (const Slice& slice : of.slices.slices) {
      for (VariableIndex variable = 0; variable < slice.codes.size(); ++variable) {
        if (!std::ranges::binary_search(of.given, variable)) CHECK(slice.codes[variable] == 0);
      }
      CHECK((former.empty() || former < slice.codes));
      former = slice.codes;
      found += static_cast<std::size_t>(
          std::ranges::count_if(of.truth.networks, [&](const Truth::Network& network) {
            return std::ranges::all_of(of.given, [&](VariableIndex variable) {
              return network.row[variable] == slice.codes[variable];
            });
          }));
    }
    CHECK(found == of.truth.networks.size());
  }
}

TEST_CASE("counts of random spaces, whatever is given and however wide they are") {
  Dice dice(22);
  std::size_t several = 0;
  for (int round = 0; round < 400; ++round) {
    const Case of(dice, round % 2 == 0 ? 0 : 35);
    if (of.slices.slices.size() > 1) ++several;
    const auto counts = make_cost_counter(of.problem, of.slices, any_limbs(dice), plenty);
    CHECK_FALSE(counts->prepared());
    CHECK(counts->bytes() == 0);
    check_counts(*counts, of.truth, dice);
    CHECK((counts->bytes() > 0 || of.truth.networks.empty() || of.slices.tree.roots.size() <= 1));
    const Reach reach = counts->reach();
    const auto by_cost = of.truth.by_cost();
    if (!by_cost.empty()) {
      CHECK(reach.places >= by_cost.size());
      for (const auto& [cost, count] : by_cost) {
        const std::int64_t apart = cost - by_cost.begin()->first;
        CHECK((reach.step == 0 ? apart == 0 : apart % static_cast<std::int64_t>(reach.step) == 0));
      }
    }
  }
  CHECK(several > 50);
}

TEST_CASE("how many networks each part's configurations belong to") {
  Dice dice(23);
  for (int round = 0; round < 300; ++round) {
    const Case of(dice, round % 2 == 0 ? 0 : 35);
    const auto counts = make_cost_counter(of.problem, of.slices, any_limbs(dice), plenty);
    check_uses(*counts, of.problem, of.slices, of.truth, dice);
  }
}

TEST_CASE("every network of a band is drawn as often as any other") {
  Dice dice(24);
  std::size_t checked = 0;
  for (int round = 0; round < 60; ++round) {
    const Case of(dice, round % 3 == 0 ? 35 : 0);
    if (of.truth.networks.size() < 10 || of.truth.networks.size() > 1000) continue;
    ++checked;
    const auto counts = make_cost_counter(of.problem, of.slices, any_limbs(dice), plenty);
    check_sample(*counts, of.truth, dice, 12'000);
    counts->prepare({});
    check_sample(*counts, of.truth, dice, 12'000);
  }
  CHECK(checked > 15);
}

TEST_CASE("with little memory counts come from two halves") {
  Dice dice(27);
  std::size_t refused = 0;
  for (int round = 0; round < 300; ++round) {
    const Case of(dice, round % 2 == 0 ? 0 : 35);
    const std::size_t limbs = any_limbs(dice);
    const double bytes =
        make_cost_counter(of.problem, of.slices, limbs, plenty)->predict_count().bytes;
    const auto counts =
        make_cost_counter(of.problem, of.slices, limbs, static_cast<std::size_t>(bytes));
    check_cumulative(*counts, of.truth, dice);
    testing::check_nearest(*counts, of.truth, dice);
    testing::check_find(*counts, of.truth, dice);
    if (counts->predict_distribution().bytes <= bytes) continue;
    ++refused;
    CHECK_THROWS_AS(counts->distribution({}), SpaceError);
    check_cumulative(*counts, of.truth, dice);
  }
  CHECK(refused > 50);
}

TEST_CASE("tables are kept, stored and taken again") {
  Dice dice(25);
  std::size_t stored = 0;
  for (int round = 0; round < 300; ++round) {
    const Case of(dice, round % 2 == 0 ? 0 : 35);
    const std::size_t limbs = any_limbs(dice);
    const auto counts = make_cost_counter(of.problem, of.slices, limbs, plenty);
    REQUIRE(counts->limbs() == limbs);
    counts->prepare({});
    const auto tables = counts->tables();
    CHECK(tables.size() == of.slices.slices.size());
    Copies copies(tables);
    const auto again = make_cost_counter(of.problem, of.slices, limbs, plenty);
    again->restore(copies.tables);
    CHECK((again->prepared() || of.slices.slices.empty()));
    CHECK(again->bytes() == counts->bytes());
    check_counts(*again, of.truth, dice);
    // The same numbers give the same networks.
    if (!of.truth.networks.empty()) {
      Matrix one(50, of.plan.variables.size(), CodeWidth::byte);
      Matrix other(50, of.plan.variables.size(), CodeWidth::byte);
      CHECK(counts->sample(7, -1'000'000, 1'000'000, one.output(), {}));
      CHECK(again->sample(7, -1'000'000, 1'000'000, other.output(), {}));
      CHECK(one.bytes() == other.bytes());
    }

    const auto refuses = [&](const std::vector<StoredSlice>& wrong) {
      const auto fresh = make_cost_counter(of.problem, of.slices, limbs, plenty);
      CHECK_THROWS_AS(fresh->restore(wrong), SpaceError);
      CHECK_FALSE(fresh->prepared());
      check_cumulative(*fresh, of.truth, dice);
    };
    auto wrong = copies.tables;
    wrong.emplace_back();
    refuses(wrong);
    if (copies.words.empty()) continue;
    ++stored;
    std::size_t slice = 0;
    while (copies.tables[slice].tables.empty()) ++slice;
    wrong = copies.tables;
    wrong[slice].tables.pop_back();
    refuses(wrong);
    wrong = copies.tables;
    wrong[slice].order.pop_back();
    refuses(wrong);
    wrong = copies.tables;
    wrong[slice].order.front() = wrong[slice].order.back();
    refuses(wrong);
    wrong = copies.tables;
    wrong[slice].tables.push_back(wrong[slice].tables.back());
    refuses(wrong);
    wrong = copies.tables;
    wrong[slice].tables.back().words = {};
    wrong[slice].tables.back().costs = {};
    refuses(wrong);
    wrong = copies.tables;
    StoredTable& table = wrong[slice].tables.back();
    if (table.step > 0) {
      table.first += 1;
      refuses(wrong);
      table.first -= 1;
      table.words = table.words.first(table.words.size() - limbs);
      if (table.words.size() > 0) refuses(wrong);
      table = copies.tables[slice].tables.back();
      if (limbs > 1) {
        table.words = table.words.first(table.words.size() - 1);
        refuses(wrong);
      }
    } else {
      std::vector<std::int64_t> costs(table.costs.begin(), table.costs.end());
      table.costs = costs;
      ++costs.back();
      refuses(wrong);
      --costs.back();
      if (costs.size() > 1) {
        std::swap(costs[0], costs[1]);
        refuses(wrong);
        std::swap(costs[0], costs[1]);
        table.costs = table.costs.first(costs.size() - 1);
        refuses(wrong);
      }
    }
  }
  CHECK(stored > 50);
}

TEST_CASE("tables that memory does not allow are refused beforehand") {
  const Plan plan = binary_plan(60, 1000);
  Question question;
  question.metrics = {0};
  const Problem problem(plan, question);
  const Slices slices = slices_by(problem, {});
  const auto row = testing::binomials(60);
  const auto roomy = make_cost_counter(problem, slices, 1, plenty);
  const double count = roomy->predict_count().bytes;
  const double prepare = roomy->predict_prepare().bytes;
  const double distribution = roomy->predict_distribution().bytes;
  CHECK(count > 0);
  CHECK(count < prepare);
  CHECK(distribution < prepare);
  CHECK(roomy->predict_count().operations > 0);
  CHECK(roomy->predict_distribution().operations > 0);
  CHECK(roomy->predict_prepare().operations > 0);
  const std::array<std::int64_t, 1> limits{30'999};
  Natural half;
  for (std::size_t ones = 0; ones <= 30; ++ones) half += row[ones];
  const auto with = [&](double bytes) {
    return make_cost_counter(problem, slices, 1, static_cast<std::size_t>(bytes));
  };
  Matrix matrix(3, 60, CodeWidth::byte);
  const auto none = with(8);
  CHECK_THROWS_AS(none->cumulative(limits, {}), SpaceError);
  CHECK_THROWS_AS(none->nearest(5, {}), SpaceError);
  std::vector<std::uint16_t> codes;
  CHECK_THROWS_AS(none->find(1000, codes, {}), SpaceError);
  CHECK_THROWS_AS(none->distribution({}), SpaceError);
  CHECK_THROWS_AS(none->bins(0, 1000, 3, {}), SpaceError);
  CHECK_THROWS_AS(none->sample(1, 0, 60'000, matrix.output(), {}), SpaceError);
  CHECK_THROWS_AS(none->prepare({}), SpaceError);
  CHECK_THROWS_AS(none->uses(0, 1, {}, {}), SpaceError);
  CHECK_FALSE(none->prepared());
  CHECK(none->bytes() == 0);
  // What fits is answered, also again and again.
  const auto counting = with(count);
  for (int time = 0; time < 3; ++time) CHECK(counting->cumulative(limits, {}).front() == half);
  CHECK(counting->nearest(30'400, {}).first == 30'000);
  CHECK_THROWS_AS(with(std::min(count, distribution) - 1)->cumulative(limits, {}), SpaceError);
  CHECK_THROWS_AS(with(distribution - 1)->distribution({}), SpaceError);
  CHECK(with(distribution)->distribution({}).counts.size() == 61);
  CHECK_THROWS_AS(with(prepare - 1)->prepare({}), SpaceError);
  const auto prepared = with(prepare);
  prepared->prepare({});
  CHECK(prepared->prepared());
  CHECK(prepared->cumulative(limits, {}).front() == half);
  CHECK(static_cast<double>(prepared->bytes()) <= prepare + 64 * 60 + 1024);
}

TEST_CASE("a space without costs, without variables, and without networks") {
  Dice dice(26);
  const auto check = [&](const Plan& plan, const Question& question) {
    const Problem problem(plan, question);
    const Truth truth(plan, question);
    std::vector<std::vector<VariableIndex>> choices{{}};
    if (!plan.variables.empty()) choices.push_back({0});
    std::vector<VariableIndex> all;
    for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
      all.push_back(variable);
    }
    choices.push_back(all);
    for (const auto& given : choices) {
      const Slices slices = slices_by(problem, given);
      for (const std::size_t limbs : {1U, 2U, 4U, 16U}) {
        const auto counts = make_cost_counter(problem, slices, limbs, plenty);
        check_uses(*counts, problem, slices, truth, dice);
        for (int round = 0; round < 5; ++round) check_counts(*counts, truth, dice);
      }
    }
  };
  Question question;
  question.metrics = {0, 1};
  Plan plan = testing::plan_of({}, 2);
  plan.constants = {17, -4};
  check(plan, question);
  plan = testing::plan_of({1, 1, 1}, 2);
  plan.constants = {17, -4};
  check(plan, question);
  plan = testing::plan_of({3, 2}, 2);
  plan.constants = {-5, 0};
  check(plan, question);
  question.constraints.push_back({{0}, {0, 0, 0}});
  check(plan, question);
}

}  // namespace netledger
