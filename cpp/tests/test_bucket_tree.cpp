// Elimination orders: every variable and every table once, and what depends on what.
#include "query/bucket_tree.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <set>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "query/slices.h"
#include "space/error.h"
#include "tests/query_plans.h"

namespace netledger {

using testing::Dice;
using testing::factor_of;
using testing::plan_of;
using testing::random_question;
using testing::random_space;

namespace {

// Components of the variables that are not given.
std::size_t components_of(const Problem& problem, const std::vector<VariableIndex>& given) {
  std::vector<std::size_t> of(problem.sizes().size());
  std::iota(of.begin(), of.end(), std::size_t{0});
  for (const Potential& potential : problem.potentials()) {
    std::vector<VariableIndex> open;
    std::ranges::set_difference(potential.variables, given, std::back_inserter(open));
    for (const VariableIndex variable : open) {
      const std::size_t old = of[variable];
      std::ranges::replace(of, old, of[open.front()]);
    }
  }
  std::set<std::size_t> found;
  for (VariableIndex variable = 0; variable < of.size(); ++variable) {
    if (!std::ranges::binary_search(given, variable)) found.insert(of[variable]);
  }
  return found.size();
}

void check_tree(const Problem& problem, const BucketTree& tree,
                const std::vector<VariableIndex>& given) {
  std::vector<std::size_t> bucket_of(problem.sizes().size(), Bucket::none);
  std::vector<std::size_t> uses(problem.potentials().size());
  std::vector<std::size_t> roots;
  std::size_t largest = 1;
  for (std::size_t index = 0; index < tree.buckets.size(); ++index) {
    const Bucket& bucket = tree.buckets[index];
    REQUIRE(bucket_of[bucket.variable] == Bucket::none);
    CHECK_FALSE(std::ranges::binary_search(given, bucket.variable));
    bucket_of[bucket.variable] = index;
    std::set<VariableIndex> scope;
    for (const std::size_t potential : bucket.potentials) {
      ++uses[potential];
      const auto& variables = problem.potentials()[potential].variables;
      CHECK(std::ranges::binary_search(variables, bucket.variable));
      scope.insert(variables.begin(), variables.end());
    }
    for (const std::size_t child : bucket.children) {
      REQUIRE(child < index);
      CHECK(tree.buckets[child].parent == index);
      CHECK(std::ranges::binary_search(tree.buckets[child].scope, bucket.variable));
      scope.insert(tree.buckets[child].scope.begin(), tree.buckets[child].scope.end());
    }
    scope.erase(bucket.variable);
    for (const VariableIndex variable : given) scope.erase(variable);
    CHECK(bucket.scope == std::vector<VariableIndex>(scope.begin(), scope.end()));
    std::size_t entries = 1;
    for (const VariableIndex variable : bucket.scope) entries *= problem.sizes()[variable];
    CHECK(bucket.entries == entries);
    largest = std::max(largest, entries);
    CHECK(bucket.scope.empty() == (bucket.parent == Bucket::none));
    if (bucket.parent == Bucket::none) {
      roots.push_back(index);
    } else {
      CHECK(std::ranges::count(tree.buckets[bucket.parent].children, index) == 1);
    }
  }
  CHECK(tree.buckets.size() + given.size() == problem.sizes().size());
  CHECK(tree.roots == roots);
  CHECK(tree.largest_entries() == largest);
  CHECK(roots.size() == components_of(problem, given));
  for (std::size_t potential = 0; potential < uses.size(); ++potential) {
    const bool all_given = std::ranges::includes(given, problem.potentials()[potential].variables);
    CHECK(uses[potential] == (all_given ? 0 : 1));
  }
  // What is below a root is all that is reached from it.
  std::size_t below = 0;
  for (const std::size_t root : roots) {
    const auto buckets = buckets_below(tree, root);
    CHECK(std::ranges::is_sorted(buckets));
    below += buckets.size();
    for (const std::size_t bucket : buckets) {
      std::size_t top = bucket;
      while (tree.buckets[top].parent != Bucket::none) top = tree.buckets[top].parent;
      CHECK(top == root);
    }
  }
  CHECK(below == tree.buckets.size());
}

// Every factor costs something.
Plan linked(const std::vector<std::uint32_t>& sizes,
            const std::vector<std::vector<VariableIndex>>& scopes) {
  Plan plan = plan_of(sizes);
  for (const auto& scope : scopes) {
    std::vector<std::int64_t> values(testing::entries_of(plan, scope));
    std::iota(values.begin(), values.end(), 0);
    plan.factors.push_back(factor_of(scope, {values}));
  }
  return plan;
}

Problem problem_of(const Plan& plan) {
  Question question;
  question.metrics = {0};
  return {plan, question};
}

}  // namespace

TEST_CASE("trees of random problems, with and without given variables") {
  Dice dice(19);
  for (int round = 0; round < 400; ++round) {
    const Plan plan = random_space(dice);
    const Problem problem(plan, random_question(dice, plan));
    check_tree(problem, eliminate(problem), {});
    std::vector<VariableIndex> given;
    for (VariableIndex variable = 0; variable < plan.variables.size(); ++variable) {
      if (dice.chance(40)) given.push_back(variable);
    }
    check_tree(problem, eliminate(problem, given), given);
  }
}

TEST_CASE("a chain is gone through from one end") {
  for (const std::uint32_t size : {2U, 3U, 7U}) {
    std::vector<std::vector<VariableIndex>> scopes;
    for (VariableIndex variable = 0; variable + 1 < 20; ++variable) {
      scopes.push_back({variable, variable + 1});
    }
    const Plan plan = linked(std::vector<std::uint32_t>(20, size), scopes);
    const Problem problem = problem_of(plan);
    const BucketTree tree = eliminate(problem);
    check_tree(problem, tree, {});
    CHECK(tree.largest_entries() == size);
    std::vector<VariableIndex> order;
    std::size_t most_children = 0;
    for (const Bucket& bucket : tree.buckets) {
      order.push_back(bucket.variable);
      most_children = std::max(most_children, bucket.children.size());
    }
    if (order.front() != 0) std::ranges::reverse(order);
    CHECK(std::ranges::is_sorted(order));
    // So that no tables are multiplied.
    CHECK(most_children == 1);
  }
}

TEST_CASE("what all others depend on comes last") {
  for (const VariableIndex hub : {0U, 5U, 9U}) {
    std::vector<std::vector<VariableIndex>> scopes;
    for (VariableIndex variable = 0; variable < 10; ++variable) {
      if (variable != hub) {
        scopes.push_back({std::min(variable, hub), std::max(variable, hub)});
      }
    }
    for (const std::uint32_t hub_size : {2U, 4U, 25U}) {
      std::vector<std::uint32_t> sizes(10, 4);
      sizes[hub] = hub_size;
      const Plan plan = linked(sizes, scopes);
      const Problem problem = problem_of(plan);
      const BucketTree tree = eliminate(problem);
      check_tree(problem, tree, {});
      CHECK(tree.largest_entries() == hub_size);
      CHECK(tree.buckets.back().variable == hub);
      CHECK(tree.buckets.back().children.size() == 9);
    }
  }
}

TEST_CASE("variables that nothing depends on stand alone") {
  const Plan plan = plan_of({3, 1, 4});
  const Problem problem = problem_of(plan);
  const BucketTree tree = eliminate(problem);
  check_tree(problem, tree, {});
  CHECK(tree.roots.size() == 3);
  const Plan nothing = plan_of({});
  CHECK(eliminate(problem_of(nothing)).buckets.empty());
}

TEST_CASE("tables of too many entries are refused") {
  // A grid: all of one row depend on one another.
  std::vector<std::vector<VariableIndex>> scopes;
  for (VariableIndex row = 0; row < 12; ++row) {
    for (VariableIndex column = 0; column < 12; ++column) {
      const VariableIndex at = row * 12 + column;
      if (column + 1 < 12) scopes.push_back({at, at + 1});
      if (row + 1 < 12) scopes.push_back({at, at + 12});
    }
  }
  const Plan plan = linked(std::vector<std::uint32_t>(144, 5), scopes);
  const Problem problem = problem_of(plan);
  CHECK_THROWS_AS(eliminate(problem), SpaceError);
  const Plan pair = linked({5, 5}, {{0, 1}});
  CHECK_THROWS_AS(eliminate(problem_of(pair), {}, 4), SpaceError);
  CHECK(eliminate(problem_of(pair), {}, 5).largest_entries() == 5);
}

}  // namespace netledger
