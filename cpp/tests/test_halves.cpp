// Two halves of a slice, tables by rank, and bins: questions about sums without the sums.
#include "query/halves.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "query/cost_bins.h"
#include "query/ranked_table.h"
#include "tests/query_plans.h"
#include "tests/query_polynomials.h"

namespace netledger {

using testing::dense_of;
using testing::Dice;
using testing::random_band;
using testing::random_question;
using testing::random_space;
using testing::random_terms;
using testing::sparse_of;
using testing::Truth;

namespace {

template <class Count>
std::pair<testing::Terms<Counting<Count>>, Polynomial<Counting<Count>>> random_table(Dice& dice) {
  const std::int64_t step = dice.roll(1, 4);
  auto terms = random_terms<Counting<Count>>(dice, step, 300, 200);
  auto table = dice.chance(50) ? sparse_of<Counting<Count>>(terms)
                               : dense_of<Counting<Count>>(terms, static_cast<std::uint64_t>(step));
  return {std::move(terms), std::move(table)};
}

}  // namespace

TEST_CASE_TEMPLATE("tables by rank", Count, std::uint64_t, Wide, WideCount<4>, WideCount<16>) {
  Dice dice(28);
  for (int round = 0; round < 40; ++round) {
    const auto [terms, table] = random_table<Count>(dice);
    const RankedTable<Count> ranked(table);
    Natural before;
    std::int64_t former = terms.begin()->first - 1;
    for (const auto& [cost, count] : terms) {
      CHECK(natural_of(ranked.up_to(cost - 1)) == before);
      CHECK(natural_of(ranked.up_to(former + (cost - former) / 2)) == before);
      // The first, the last, and one between.
      const Natural all = natural_of(count);
      for (const Natural& number : {Natural(), all - Natural(1)}) {
        const auto found = ranked.find(count_of<Sum<Count>>(before + number));
        CHECK(found.first == cost);
        CHECK(natural_of(found.second) == number);
      }
      before += all;
      CHECK(natural_of(ranked.up_to(cost)) == before);
      former = cost;
    }
    CHECK(natural_of(ranked.total()) == before);
    CHECK(natural_of(ranked.up_to(1'000'000)) == before);
    CHECK(ranked.up_to(-1'000'000) == Sum<Count>{0});
  }
  const Polynomial<Counting<Count>> nothing;
  CHECK(RankedTable<Count>(nothing).up_to(5) == Sum<Count>{0});
}

TEST_CASE("sums by rank pass the width of the counts") {
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  std::vector<Polynomial<Counting<std::uint64_t>>::Term> terms;
  for (std::int64_t cost = 0; cost < 200; ++cost) terms.push_back({cost * 7, largest});
  const Polynomial<Counting<std::uint64_t>> table(std::move(terms));
  const RankedTable<std::uint64_t> ranked(table);
  CHECK(ranked.total() == Wide{largest} * 200);
  CHECK(ranked.up_to(99 * 7) == Wide{largest} * 100);
  CHECK(ranked.find(Wide{largest} * 150 - 1) == std::pair(std::int64_t{149 * 7}, largest - 1));
  CHECK(ranked.find(Wide{largest} * 150) == std::pair(std::int64_t{150 * 7}, std::uint64_t{0}));
}

TEST_CASE_TEMPLATE("bins", Count, std::uint64_t, Wide, WideCount<4>) {
  Dice dice(29);
  for (int round = 0; round < 100; ++round) {
    const auto [terms, table] = random_table<Count>(dice);
    const std::int64_t start = dice.roll(-150, 300);
    const std::int64_t width = dice.chance(30) ? 1 : dice.roll(1, 200);
    const auto count = static_cast<std::size_t>(dice.roll(0, 40));
    const std::int64_t offset = dice.roll(-30, 30);
    std::vector<Natural> truth(count);
    Natural all;
    for (const auto& [cost, ways] : terms) {
      all += natural_of(ways);
      const std::int64_t from = cost + offset - start;
      if (from < 0 || from / width >= static_cast<std::int64_t>(count)) continue;
      truth[static_cast<std::size_t>(from / width)] += natural_of(ways);
    }
    const CostBins<Count> empty(start, static_cast<std::uint64_t>(width), count);
    CostBins<Count> whole = empty;
    whole.add(table, offset);
    CHECK(whole.counts() == truth);
    if (!table.dense()) continue;
    // Part by part, whose bins overlap.
    CostBins<Count> merged = empty;
    Natural total;
    for (std::size_t begin = 0; begin < table.places();) {
      const auto end = std::min(table.places(), begin + static_cast<std::size_t>(dice.roll(1, 50)));
      const std::int64_t low = table.cost(begin) + offset;
      CostBins<Count> part = merged.between(low, table.cost(end - 1) + offset);
      total +=
          natural_of(part.add(low, table.step(), table.coefficients().subspan(begin, end - begin)));
      merged.merge(part);
      begin = end;
    }
    CHECK(merged.counts() == truth);
    CHECK(total == all);
  }
}

TEST_CASE("halves answer for all that they stand for") {
  Dice dice(30);
  for (int round = 0; round < 300; ++round) {
    const Plan plan = random_space(dice);
    const Question question = random_question(dice, plan);
    const Problem problem(plan, question);
    const Truth truth(plan, question);
    const Slices slices = testing::slices_by(problem, {});
    if (truth.networks.empty()) continue;
    const Slice& slice = slices.slices.front();
    const std::int64_t offset = slice.costs[0];
    Progress progress(0, static_cast<unsigned>(dice.roll(1, 2)), {});

    const SliceTables<Counting<std::uint64_t>> counted(problem, slices, slice);
    const HalfTables<Counting<std::uint64_t>> halves(counted, true, progress);
    std::vector<std::int64_t> limits;
    for (int limit = 0; limit < 4; ++limit)
      limits.push_back(random_band(dice, truth).first - offset);
    const auto sums = count_up_to<std::uint64_t>(halves, limits, progress);
    for (std::size_t index = 0; index < limits.size(); ++index) {
      CHECK(sums[index] == truth.count(-100'000'000, limits[index] + offset));
      const auto by_cost = truth.by_cost();
      const auto [below, above] = halves.nearest(limits[index]);
      const auto next = by_cost.lower_bound(limits[index] + offset);
      const auto past = by_cost.upper_bound(limits[index] + offset);
      REQUIRE(below.has_value() == (past != by_cost.begin()));
      REQUIRE(above.has_value() == (next != by_cost.end()));
      if (below) CHECK(*below + offset == std::prev(past)->first);
      if (above) CHECK(*above + offset == next->first);
      std::vector<std::uint16_t> codes = slice.codes;
      const bool is_there = halves.find(limits[index], codes);
      REQUIRE(is_there == by_cost.contains(limits[index] + offset));
      if (is_there) CHECK(truth.find(codes)->cost == limits[index] + offset);
    }

    for (const std::int64_t sign : {1, -1}) {
      const SliceTables<Least> of_least(problem, slices, slice, {}, sign);
      const HalfTables<Least> least(of_least, true, progress);
      const auto [low, high] = random_band(dice, truth);
      std::optional<std::int64_t> best;
      for (const auto& network : truth.networks) {
        if (network.cost < low || network.cost > high) continue;
        best = std::min(best.value_or(sign * network.other), sign * network.other);
      }
      const auto found = least_between(least, low - offset, high - offset);
      REQUIRE(found.has_value() == best.has_value());
      if (!found) continue;
      CHECK(found->second + sign * slice.costs[1] == *best);
      CHECK(found->first + offset >= low);
      CHECK(found->first + offset <= high);
      std::vector<std::uint16_t> codes = slice.codes;
      REQUIRE(least.find(found->first, codes));
      const auto* const network = truth.find(codes);
      REQUIRE(network != nullptr);
      CHECK(network->cost == found->first + offset);
      CHECK(sign * network->other == *best);
    }
  }
}

}  // namespace netledger
