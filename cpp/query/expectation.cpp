#include "query/expectation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <new>
#include <numeric>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

#include "query/bucket_tree.h"
#include "query/expectation_parts.h"
#include "query/problem.h"
#include "space/error.h"

namespace netledger {

namespace {

constexpr std::size_t lanes = Lanes8::count;
// A workspace has at most so many bytes, and a message so many entries.
constexpr std::size_t most_bytes = std::size_t{1} << 28U;
constexpr std::size_t most_entries = std::size_t{1} << 17U;
// Rows that are handed to a thread together.
constexpr std::uint64_t chunk = 256;

// -- preparation
// ---------------------------------------------------------------------------------

// A table over ascending variables.
struct Table {
  std::vector<VariableIndex> variables;
  std::vector<double> values;
};

// Makes the parts of an expectation.
class Preparation {
 public:
  Preparation(const Plan& plan, MetricId metric) : plan_(plan), metric_(metric) {
    check_plan();
    add_variables();
    for (const Factor& factor : plan_.factors) add_table(factor);
    merge_tables();
    for (const Table& table : tables_) add_term(table);
    if (parts_.conditional) add_buckets();
    place();
  }

  [[nodiscard]] std::unique_ptr<const ExpectationParts> parts() {
    return std::make_unique<const ExpectationParts>(std::move(parts_));
  }

 private:
  [[nodiscard]] const std::string& name() const {
    return metric_.real ? plan_.real_metrics.at(metric_.index) : plan_.metrics.at(metric_.index);
  }
  void check_plan() const;
  void add_variables();
  void add_table(const Factor& factor);
  void merge_tables();
  void add_term(const Table& table);
  std::size_t scope_of(const std::vector<VariableIndex>& variables);
  void add_refusals(std::vector<std::vector<std::uint8_t>>& accepted);
  void add_buckets();
  void add_bucket(const Problem& problem, const BucketTree& tree, std::size_t index,
                  const std::vector<std::vector<std::uint8_t>>& accepted);
  void place();
  [[nodiscard]] std::size_t size_of(VariableIndex variable) const {
    return plan_.variables[variable].size;
  }

  const Plan& plan_;
  MetricId metric_;
  ExpectationParts parts_;
  std::vector<Table> tables_;
  // The variables of each scope.
  std::map<std::vector<VariableIndex>, std::size_t> scope_numbers_;
  std::vector<std::vector<VariableIndex>> scopes_;
};

void Preparation::check_plan() const {
  for (const PlanVariable& variable : plan_.variables) {
    if (variable.size == 0) {
      throw SpaceError("variable '" + variable.name +
                       "' is free: it has values, and no choices with probabilities");
    }
  }
  if (plan_.lanes != nullptr) {
    throw SpaceError("the cost '" + name() +
                     "' is not a sum of small tables: some layer depends on too many variables "
                     "together, so its exact expectation is not known; the costs of "
                     "sweep_random give an estimate");
  }
}

void Preparation::add_variables() {
  for (const PlanVariable& variable : plan_.variables) {
    parts_.variables.push_back({variable.name, variable.size, parts_.columns, false});
    parts_.columns += variable.size;
  }
  for (const Factor& factor : plan_.factors) {
    if (std::ranges::none_of(factor.refusals, std::identity{})) continue;
    if (factor.variables.empty()) throw SpaceError("every configuration is refused");
    parts_.conditional = true;
    for (const VariableIndex variable : factor.variables) {
      parts_.variables[variable].restricted = true;
    }
  }
  parts_.constant = metric_.real ? plan_.real_constants[metric_.index]
                                 : static_cast<double>(plan_.constants[metric_.index]);
}

void Preparation::add_table(const Factor& factor) {
  Table table{.variables = factor.variables, .values = {}};
  if (metric_.real) {
    table.values = factor.reals[metric_.index];
  } else {
    const std::vector<std::int64_t>& values = factor.values[metric_.index];
    table.values.assign(values.begin(), values.end());
  }
  if (std::ranges::none_of(table.values, [](double value) { return value != 0; })) return;
  if (!std::ranges::all_of(table.values, [](double value) { return std::isfinite(value); })) {
    throw SpaceError("the cost '" + name() + "' is not finite in some configurations");
  }
  if (table.variables.empty()) {
    parts_.constant += table.values.front();
  } else {
    tables_.push_back(std::move(table));
  }
}

// Tables over some of another one's variables are added to that.
void Preparation::merge_tables() {
  std::ranges::stable_sort(tables_, {}, [](const Table& table) { return table.values.size(); });
  std::vector<Table> kept;
  for (std::size_t index = 0; index < tables_.size(); ++index) {
    const Table& table = tables_[index];
    const auto rest = std::views::drop(tables_, static_cast<std::ptrdiff_t>(index) + 1);
    const auto larger = std::ranges::find_if(rest, [&](const Table& other) {
      return std::ranges::includes(other.variables, table.variables);
    });
    if (larger == rest.end()) {
      kept.push_back(table);
      continue;
    }
    for (std::size_t entry = 0; entry < larger->values.size(); ++entry) {
      std::size_t found = 0;
      std::size_t stride = 1;
      std::size_t left = entry;
      auto place = table.variables.rbegin();
      for (const VariableIndex variable : std::views::reverse(larger->variables)) {
        if (place != table.variables.rend() && *place == variable) {
          found += left % size_of(variable) * stride;
          stride *= size_of(variable);
          ++place;
        }
        left /= size_of(variable);
      }
      larger->values[entry] += table.values[found];
    }
  }
  tables_ = std::move(kept);
}

// The largest variables are summed over first, which leaves the smallest tables.
void Preparation::add_term(const Table& table) {
  std::vector<std::size_t> order(table.variables.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t place) {
    const ExpectedVariable& variable = parts_.variables[table.variables[place]];
    return variable.restricted ? 0 : variable.size;
  };
  std::ranges::stable_sort(order, {}, key);
  ExpectedTerm term;
  std::vector<VariableIndex> scope;
  for (const std::size_t place : order) {
    const VariableIndex variable = table.variables[place];
    term.variables.push_back(variable);
    if (parts_.variables[variable].restricted) scope.push_back(variable);
  }
  term.kept = scope.size();
  term.entries.push_back(1);
  for (const std::size_t variable : term.variables) {
    term.entries.push_back(term.entries.back() * parts_.variables[variable].size);
  }
  term.table.resize(table.values.size());
  for (std::size_t entry = 0; entry < table.values.size(); ++entry) {
    std::vector<std::size_t> codes(order.size());
    std::size_t left = entry;
    for (std::size_t place = order.size(); place-- > 0;) {
      codes[place] = left % size_of(table.variables[place]);
      left /= size_of(table.variables[place]);
    }
    std::size_t target = 0;
    for (const std::size_t place : order) {
      target = target * size_of(table.variables[place]) + codes[place];
    }
    term.table[target] = table.values[entry];
  }
  if (scope.empty()) {
    parts_.terms.push_back(std::move(term));
    return;
  }
  ExpectedScope& target = parts_.scopes[scope_of(scope)];
  if (term.kept == term.variables.size()) {
    // No other table has these variables: it would have been merged.
    target.constants = std::move(term.table);
  } else {
    target.terms.push_back(parts_.terms.size());
    parts_.terms.push_back(std::move(term));
  }
}

std::size_t Preparation::scope_of(const std::vector<VariableIndex>& variables) {
  const auto [known, is_new] = scope_numbers_.try_emplace(variables, scopes_.size());
  if (is_new) {
    scopes_.push_back(variables);
    ExpectedScope& scope = parts_.scopes.emplace_back();
    for (const VariableIndex variable : variables) scope.entries *= size_of(variable);
  }
  return known->second;
}

// -- elimination
// ---------------------------------------------------------------------------------

void Preparation::add_refusals(std::vector<std::vector<std::uint8_t>>& accepted) {
  for (const Factor& factor : plan_.factors) {
    if (std::ranges::none_of(factor.refusals, std::identity{})) continue;
    const std::size_t scope = scope_of(factor.variables);
    accepted.resize(scopes_.size());
    accepted[scope].resize(factor.entries, 1);
    for (std::size_t entry = 0; entry < factor.entries; ++entry) {
      if (factor.refusals[entry] != netledger::accepted) accepted[scope][entry] = 0;
    }
  }
  accepted.resize(scopes_.size());
}

void Preparation::add_buckets() {
  std::vector<std::vector<std::uint8_t>> accepted;
  add_refusals(accepted);
  // The restricted variables alone, and the scopes as tables without costs.
  std::vector<VariableIndex> numbers(plan_.variables.size());
  std::vector<VariableIndex> restricted;
  Plan plan;
  for (VariableIndex variable = 0; variable < plan_.variables.size(); ++variable) {
    if (!parts_.variables[variable].restricted) continue;
    numbers[variable] = static_cast<VariableIndex>(restricted.size());
    restricted.push_back(variable);
    plan.variables.push_back(plan_.variables[variable]);
  }
  // Whether they are active is in the refusals already.
  plan.activities.resize(plan.variables.size());
  Question question{.metrics = {}, .law = Law::genes, .restrictions = {}, .constraints = {}};
  for (std::size_t scope = 0; scope < scopes_.size(); ++scope) {
    Constraint& constraint = question.constraints.emplace_back();
    for (const VariableIndex variable : scopes_[scope]) {
      constraint.variables.push_back(numbers[variable]);
    }
    constraint.allowed = accepted[scope];
    constraint.allowed.resize(parts_.scopes[scope].entries, 1);
  }
  const Problem problem(plan, question);
  const BucketTree tree = eliminate(problem, {}, most_entries);
  for (std::size_t index = 0; index < tree.buckets.size(); ++index) {
    add_bucket(problem, tree, index, accepted);
  }
  for (ExpectedBucket& bucket : parts_.buckets) bucket.variable = restricted[bucket.variable];
}

void Preparation::add_bucket(const Problem& problem, const BucketTree& tree, std::size_t index,
                             const std::vector<std::vector<std::uint8_t>>& accepted) {
  const Bucket& from = tree.buckets[index];
  ExpectedBucket& bucket = parts_.buckets.emplace_back();
  bucket.variable = from.variable;
  bucket.entries = from.entries;
  bucket.is_root = from.parent == Bucket::none;
  std::vector<VariableIndex> variables = from.scope;
  variables.push_back(from.variable);
  const std::size_t combinations = from.entries * problem.sizes()[from.variable];
  std::vector<std::uint16_t> codes(problem.sizes().size());
  const auto indices = [&](std::size_t of, std::span<const VariableIndex> scope) {
    ExpectedIndex made{.of = of, .entries = {}};
    for (std::size_t combination = 0; combination < combinations; ++combination) {
      problem.set_codes(variables, combination, codes);
      made.entries.push_back(static_cast<std::uint32_t>(problem.entry(scope, codes)));
    }
    return made;
  };
  bucket.accepted.resize(combinations, 1);
  // Potentials are the scopes, in their order.
  for (const std::size_t scope : from.potentials) {
    ExpectedIndex made = indices(scope, problem.potentials()[scope].variables);
    for (std::size_t combination = 0; combination < combinations; ++combination) {
      if (!accepted[scope].empty() && accepted[scope][made.entries[combination]] == 0) {
        bucket.accepted[combination] = 0;
      }
    }
    const ExpectedScope& costs = parts_.scopes[scope];
    if (!costs.constants.empty() || !costs.terms.empty()) bucket.scopes.push_back(std::move(made));
  }
  for (const std::size_t child : from.children) {
    bucket.children.push_back(indices(child, tree.buckets[child].scope));
  }
}

// -- workspaces
// ----------------------------------------------------------------------------------

void Preparation::place() {
  std::size_t end = 0;
  const auto take = [&end](std::size_t count) { return std::exchange(end, end + count); };
  take(parts_.columns);
  parts_.gradients = take(parts_.columns);
  parts_.masses = take(parts_.variables.size());
  parts_.shared = take(parts_.variables.size());
  parts_.products = take(parts_.variables.size() + 2 * parts_.buckets.size());
  for (ExpectedTerm& term : parts_.terms) {
    for (std::size_t level = 0; level < term.variables.size(); ++level) {
      const bool is_used = level >= term.kept;
      term.sums.push_back(is_used ? take(term.entries[level]) : 0);
      term.weights.push_back(is_used ? take(term.entries[level]) : 0);
    }
  }
  for (ExpectedScope& scope : parts_.scopes) {
    scope.costs = take(scope.entries);
    scope.weights = take(scope.entries);
  }
  for (ExpectedBucket& bucket : parts_.buckets) {
    bucket.message = take(2 * bucket.entries);
    bucket.weights = take(2 * bucket.entries);
  }
  parts_.size = end;
  if (end > most_bytes / sizeof(Lanes8)) {
    throw SpaceError("the exact expectation of '" + name() +
                     "' depends on too many variables together: it needs tables of " +
                     std::to_string(end * sizeof(Lanes8)) +
                     " bytes; the costs of sweep_random give an estimate");
  }
}

}  // namespace

class Expectation::Workspace {
 public:
  explicit Workspace(std::size_t size) : data_(new Lanes8[size]()) {}
  ~Workspace() { delete[] data_; }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  [[nodiscard]] Lanes8* data() const noexcept { return data_; }

 private:
  Lanes8* data_;
};

// A workspace that goes back when it is no longer needed.
class Expectation::Lent {
 public:
  explicit Lent(const Expectation& from) : from_(from) {
    const std::scoped_lock lock(from_.mutex_);
    if (from_.workspaces_.empty()) {
      workspace_ = std::make_unique<Workspace>(from_.parts_->size);
    } else {
      workspace_ = std::move(from_.workspaces_.back());
      from_.workspaces_.pop_back();
    }
  }
  ~Lent() {
    const std::scoped_lock lock(from_.mutex_);
    from_.workspaces_.push_back(std::move(workspace_));
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  [[nodiscard]] Workspace& workspace() const noexcept { return *workspace_; }

 private:
  const Expectation& from_;
  std::unique_ptr<Workspace> workspace_;
};

Expectation::Expectation(const Plan& plan, MetricId metric)
    : parts_(Preparation(plan, metric).parts()) {}

Expectation::~Expectation() = default;

std::size_t Expectation::columns() const noexcept { return parts_->columns; }

bool Expectation::evaluate(const ProbabilityRows& rows, const RunOptions& options) const {
  return run_chunks(rows.rows, chunk, options, [&](unsigned /*thread*/) -> ChunkWorker {
    return [this, &rows, lent = std::make_shared<Lent>(*this)](std::uint64_t first,
                                                               std::uint64_t count) {
      work(rows, first, count, lent->workspace());
      return true;
    };
  });
}

void Expectation::work(const ProbabilityRows& rows, std::uint64_t first, std::uint64_t count,
                       Workspace& workspace) const {
  const std::size_t columns = parts_->columns;
  Lanes8* probabilities = workspace.data();
  const Lanes8* gradients = workspace.data() + parts_->gradients;
  for (std::uint64_t start = first; start < first + count; start += lanes) {
    const auto used =
        static_cast<std::size_t>(std::min<std::uint64_t>(lanes, first + count - start));
    const double* source = rows.probabilities + start * columns;
    // Lanes that are left over repeat the last row.
    std::array<const double*, lanes> sources{};
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sources[lane] = source + std::min(lane, used - 1) * columns;
    }
    for (std::size_t column = 0; column < columns; ++column) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        probabilities[column].at[lane] = sources[lane][column];
      }
    }
    ExpectedLanes found;
    expect(*parts_, workspace.data(), rows.check, rows.gradients != nullptr, found);
    for (std::size_t lane = 0; lane < used; ++lane) {
      if (!found.are_valid[lane] || !found.are_accepted[lane]) {
        refuse_row(rows, start + lane);
      }
      rows.values[start + lane] = found.values.at[lane];
      if (rows.gradients == nullptr) continue;
      double* target = rows.gradients + (start + lane) * columns;
      for (std::size_t column = 0; column < columns; ++column) {
        target[column] = gradients[column].at[lane];
      }
    }
  }
}

void Expectation::refuse_row(const ProbabilityRows& rows, std::uint64_t row) const {
  const auto text = [](double number) {
    std::array<char, 40> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.9g", number);
    return std::string(buffer.data());
  };
  const std::string where = "row " + std::to_string(row) + ": ";
  const double* probabilities = rows.probabilities + row * parts_->columns;
  for (const ExpectedVariable& variable : parts_->variables) {
    double sum = 0;
    for (std::size_t code = 0; code < variable.size; ++code) {
      const double probability = probabilities[variable.column + code];
      if (!std::isfinite(probability) || (rows.check && probability < 0)) {
        throw SpaceError(where + "a probability of '" + variable.name + "' must be finite" +
                         (rows.check ? " and not negative" : "") + ", got " + text(probability));
      }
      sum += probability;
    }
    if (rows.check && std::abs(sum - 1) > tolerance) {
      throw SpaceError(where + "the probabilities of '" + variable.name + "' must sum to 1, got " +
                       text(sum));
    }
  }
  throw SpaceError(where + "no network that these probabilities allow is accepted");
}

}  // namespace netledger
