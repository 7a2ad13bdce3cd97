// Questions about whole spaces, answered as by listing every configuration.
#include "query/query.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "query/joint_count.h"
#include "space/error.h"
#include "tests/query_checks.h"

namespace netledger {

using testing::check_counts;
using testing::codes_of;
using testing::Dice;
using testing::factor_of;
using testing::is_active;
using testing::plan_of;
using testing::random_band;
using testing::random_question;
using testing::random_space;
using testing::Truth;

namespace {

constexpr std::size_t plenty = std::size_t{1} << 30U;

void check_extremes(const Query& query, const Truth& truth) {
  for (const bool largest : {false, true}) {
    const auto found = query.extreme(largest);
    REQUIRE(found.has_value() == !truth.networks.empty());
    if (!found) continue;
    const auto by_cost = truth.by_cost();
    CHECK(found->cost == (largest ? by_cost.rbegin()->first : by_cost.begin()->first));
    const auto* const network = truth.find(found->codes);
    REQUIRE(network != nullptr);
    CHECK(network->cost == found->cost);
    CHECK(network->other == found->other);
  }
}

void check_best(const Query& query, const Truth& truth, Dice& dice) {
  for (const bool largest : {false, true}) {
    const auto [low, high] = random_band(dice, truth);
    std::optional<std::int64_t> best;
    for (const auto& network : truth.networks) {
      if (network.cost < low || network.cost > high) continue;
      if (!best || (largest ? network.other > *best : network.other < *best)) best = network.other;
    }
    const auto found = query.best(largest, low, high, {});
    REQUIRE(found.has_value() == best.has_value());
    if (!found) continue;
    CHECK(found->other == *best);
    CHECK(found->cost >= low);
    CHECK(found->cost <= high);
    const auto* const network = truth.find(found->codes);
    REQUIRE(network != nullptr);
    CHECK(network->cost == found->cost);
    CHECK(network->other == found->other);
  }
}

void check_joint(const Query& query, const Truth& truth, Dice& dice) {
  for (int round = 0; round < 3; ++round) {
    const auto limits = random_band(dice, truth);
    const std::pair<std::int64_t, std::int64_t> other_limits{dice.roll(-3000, 500),
                                                             dice.roll(-500, 3000)};
    const auto count = std::ranges::count_if(truth.networks, [&](const Truth::Network& network) {
      return network.cost >= limits.first && network.cost <= limits.second &&
             network.other >= other_limits.first && network.other <= other_limits.second;
    });
    CHECK(query.joint(limits, other_limits) == Natural(static_cast<std::uint64_t>(count)));
  }
}

void check_pareto(const Query& query, const Truth& truth) {
  for (const bool maximise : {false, true}) {
    for (const bool maximise_other : {false, true}) {
      // By signed costs, the first ascending.
      std::map<std::int64_t, std::int64_t> least;
      for (const auto& network : truth.networks) {
        const std::int64_t cost = maximise ? -network.cost : network.cost;
        const std::int64_t other = maximise_other ? -network.other : network.other;
        const auto [place, is_new] = least.try_emplace(cost, other);
        if (!is_new) place->second = std::min(place->second, other);
      }
      std::vector<std::pair<std::int64_t, std::int64_t>> front;
      for (const auto& [cost, other] : least) {
        if (!front.empty() && other >= front.back().second) continue;
        front.emplace_back(cost, other);
      }
      for (auto& [cost, other] : front) {
        if (maximise) cost = -cost;
        if (maximise_other) other = -other;
      }
      std::ranges::sort(front);
      const auto found = query.pareto(maximise, maximise_other, {});
      REQUIRE(found.size() == front.size());
      for (std::size_t index = 0; index < front.size(); ++index) {
        CHECK(found[index].cost == front[index].first);
        CHECK(found[index].other == front[index].second);
        const auto* const network = truth.find(found[index].codes);
        REQUIRE(network != nullptr);
        CHECK(network->cost == found[index].cost);
        CHECK(network->other == found[index].other);
      }
    }
  }
}

void check_moments(const Query& query, const Truth& truth) {
  __extension__ using Signed = __int128;
  Natural count;
  Signed sum = 0;
  Signed squares = 0;
  for (const auto& part : query.moments()) {
    count += part.count;
    const auto number = static_cast<Signed>(count_of<Wide>(part.count));
    const auto above = static_cast<Signed>(count_of<Wide>(part.sum));
    sum += above + part.base * number;
    squares += static_cast<Signed>(count_of<Wide>(part.squares)) + 2 * part.base * above +
               Signed{part.base} * part.base * number;
  }
  Signed true_sum = 0;
  Signed true_squares = 0;
  for (const auto& network : truth.networks) {
    true_sum += network.cost;
    true_squares += Signed{network.cost} * network.cost;
  }
  CHECK(count == Natural(truth.networks.size()));
  CHECK((sum == true_sum));
  CHECK((squares == true_squares));
}

void check_marginals(Query& query, const Plan& plan, const Truth& truth, std::int64_t low,
                     std::int64_t high) {
  const auto found = query.marginals(low, high, {});
  REQUIRE(found.size() == plan.variables.size());
  for (VariableIndex variable = 0; variable < found.size(); ++variable) {
    std::vector<Natural> counts(plan.variables[variable].size + 1);
    for (const auto& network : truth.networks) {
      if (network.cost < low || network.cost > high) continue;
      counts[is_active(plan, variable, network.canonical)
                 ? static_cast<std::size_t>(network.row[variable])
                 : counts.size() - 1] += Natural(1);
    }
    CHECK(found[variable] == counts);
  }
}

}  // namespace

TEST_CASE("every answer about random spaces") {
  Dice dice(31);
  for (int round = 0; round < 400; ++round) {
    const Plan plan = random_space(dice);
    const Question question = random_question(dice, plan);
    const Truth truth(plan, question);
    Query query(plan, question, plenty);
    REQUIRE(query.size() == Natural(truth.networks.size()));
    check_extremes(query, truth);
    check_best(query, truth, dice);
    check_joint(query, truth, dice);
    check_pareto(query, truth);
    check_moments(query, truth);
    const auto [low, high] = random_band(dice, truth);
    check_marginals(query, plan, truth, low, high);
    check_marginals(query, plan, truth, -10'000'000, 10'000'000);
    // Nothing lies between; nothing is that cheap.
    check_marginals(query, plan, truth, high, low - 1);
    check_marginals(query, plan, truth, -10'000'000, -9'000'000);
    check_counts(query.counter(), truth, dice);
    check_marginals(query, plan, truth, low, high);
  }
}

TEST_CASE("equal problems have equal fingerprints, others have others") {
  Dice dice(32);
  for (int round = 0; round < 200; ++round) {
    const Plan plan = random_space(dice);
    Question question;
    question.metrics = {0, 1};
    const Query query(plan, question, plenty);
    const std::uint64_t of = query.fingerprint();
    CHECK(Query(plan, question, 1).fingerprint() == of);
    question.law = Law::genes;
    CHECK(Query(plan, question, plenty).fingerprint() != of);
    question.law = Law::architectures;
    question.constraints.push_back(
        {{0}, std::vector<std::uint8_t>(plan.variables.front().size, 1)});
    question.constraints.back().allowed.back() = 0;
    const Query other(plan, question, plenty);
    if (other.size() != query.size()) CHECK(other.fingerprint() != of);
  }
}

TEST_CASE("joint counts look at both limits, also where nothing is chosen") {
  Plan plan = plan_of({}, 2);
  plan.constants = {5, -3};
  Question question;
  question.metrics = {0, 1};
  const Query query(plan, question, plenty);
  CHECK(query.joint({5, 5}, {-3, -3}) == Natural(1));
  CHECK(query.joint({0, 4}, {-3, -3}).is_zero());
  CHECK(query.joint({6, 9}, {-3, -3}).is_zero());
  CHECK(query.joint({5, 5}, {-9, -4}).is_zero());
  CHECK(query.joint({5, 5}, {-2, 4}).is_zero());
  // And where all is given.
  Plan pair = plan_of({2, 2}, 2);
  pair.factors.push_back(factor_of({0, 1}, {{0, 1, 2, 3}, {3, 2, 1, 0}}));
  const Problem problem(pair, question);
  const Slices slices = testing::slices_by(problem, {0, 1});
  for (std::int64_t most = -1; most < 5; ++most) {
    for (std::int64_t other = -1; other < 5; ++other) {
      std::uint64_t count = 0;
      for (std::int64_t code = 0; code < 4; ++code) count += code <= most && 3 - code <= other;
      CHECK(joint_count(problem, slices, {-9, most}, {-9, other}, plenty) == Natural(count));
    }
  }
}

TEST_CASE("joint counts and fronts in several slices") {
  Dice dice(33);
  for (int round = 0; round < 200; ++round) {
    const Plan plan = random_space(dice);
    const Question question = random_question(dice, plan);
    const Problem problem(plan, question);
    const Truth truth(plan, question);
    std::vector<VariableIndex> given;
    for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
      if (dice.chance(40)) given.push_back(variable);
    }
    const Slices slices = testing::slices_by(problem, given);
    const auto limits = random_band(dice, truth);
    const std::pair<std::int64_t, std::int64_t> other_limits{dice.roll(-3000, 500),
                                                             dice.roll(-500, 3000)};
    const auto count = std::ranges::count_if(truth.networks, [&](const Truth::Network& network) {
      return network.cost >= limits.first && network.cost <= limits.second &&
             network.other >= other_limits.first && network.other <= other_limits.second;
    });
    CHECK(joint_count(problem, slices, limits, other_limits, plenty) ==
          Natural(static_cast<std::uint64_t>(count)));
    const auto whole = Query(plan, question, plenty).pareto(false, true, {});
    const auto sliced = pareto_front(problem, slices, false, true, plenty, {});
    REQUIRE(whole.size() == sliced.size());
    for (std::size_t index = 0; index < whole.size(); ++index) {
      CHECK(whole[index].cost == sliced[index].cost);
      CHECK(whole[index].other == sliced[index].other);
      const auto* const network = truth.find(sliced[index].codes);
      REQUIRE(network != nullptr);
      CHECK(network->cost == sliced[index].cost);
      CHECK(network->other == sliced[index].other);
    }
  }
}

TEST_CASE("questions without the metrics they need are refused") {
  const Plan plan = plan_of({2, 3});
  Query none(plan, Question{.metrics = {}, .restrictions = {}, .constraints = {}}, plenty);
  CHECK(none.size() == Natural(6));
  CHECK_THROWS_AS(none.extreme(false), SpaceError);
  CHECK_THROWS_AS(none.moments(), SpaceError);
  CHECK(none.marginals(0, 0, {})[1] ==
        std::vector<Natural>{Natural(2), Natural(2), Natural(2), Natural()});
  Query one(plan, Question{.metrics = {0}, .restrictions = {}, .constraints = {}}, plenty);
  CHECK(one.extreme(true)->cost == 0);
  CHECK_THROWS_AS(one.best(true, 0, 1, {}), SpaceError);
  CHECK_THROWS_AS(one.joint({0, 1}, {0, 1}), SpaceError);
  CHECK_THROWS_AS(one.pareto(true, true, {}), SpaceError);
}

TEST_CASE("answers that memory does not allow are refused") {
  Plan plan = plan_of(std::vector<std::uint32_t>(12, 8), 2);
  Dice dice(34);
  for (VariableIndex variable = 0; variable < 12; ++variable) {
    std::vector<std::vector<std::int64_t>> values(2);
    for (int code = 0; code < 8; ++code) {
      for (auto& of : values) of.push_back(dice.roll(0, 3000));
    }
    plan.factors.push_back(factor_of({variable}, values));
  }
  Question question;
  question.metrics = {0, 1};
  Query query(plan, question, 10'000);
  CHECK_THROWS_AS(query.best(false, 0, 20'000, {}), SpaceError);
  CHECK_THROWS_AS(query.joint({0, 20'000}, {0, 20'000}), SpaceError);
  CHECK_THROWS_AS(query.marginals(0, 20'000, {}), SpaceError);
  CHECK_THROWS_AS(query.counter().distribution({}), SpaceError);
  CHECK_THROWS_AS(Query(plan, question, 100).pareto(false, true, {}), SpaceError);
  // What needs no tables is answered.
  CHECK(query.extreme(false).has_value());
  CHECK(query.moments().front().count == query.size());
  CHECK(query.marginals(-1, 1'000'000, {})[0][0] == Natural(std::uint64_t{1} << 33U));
}

}  // namespace netledger
