// Problem: what a question about a whole space comes down to. Variables with a few choices each,
// and potentials over few of them: what a choice adds to the cost, and which choices there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "space/candidates.h"
#include "space/plan.h"

namespace netledger {

// A table over a few variables, row-major over their codes: the last variable runs fastest.
struct Potential {
  // Ascending.
  std::vector<VariableIndex> variables;
  std::size_t entries = 1;
  // 0 where no configuration has these codes; empty: all are there.
  std::vector<std::uint8_t> allowed;
  // For each metric of the problem what these codes add; empty where they add nothing.
  std::vector<std::vector<std::int64_t>> costs;
};

// Only configurations in which the variable is active and has one of these codes, or is inactive
// where that is admitted.
struct Restriction {
  VariableIndex variable = 0;
  std::vector<std::uint32_t> codes;
  bool inactive = false;
};

// Only configurations with these codes: a table of flags over some variables, ascending.
struct Constraint {
  std::vector<VariableIndex> variables;
  std::vector<std::uint8_t> allowed;
};

// What is asked about.
struct Question {
  // Positions among the plan's integer metrics.
  std::vector<std::uint32_t> metrics;
  // `architectures`: inactive variables have the code 0 only. `genes`: any.
  Law law = Law::architectures;
  std::vector<Restriction> restrictions;
  std::vector<Constraint> constraints;
};

class Problem {
 public:
  // Totals stay within, so that they can be added and negated without a thought.
  static constexpr std::int64_t largest_total = std::int64_t{1} << 60U;

  // Throws SpaceError where the costs are not tables: a variable is free, or a layer depends on too
  // many variables (or a size of the plan does not fit the question).
  Problem(const Plan& plan, const Question& question);

  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] const std::vector<std::uint32_t>& sizes() const noexcept { return sizes_; }
  [[nodiscard]] const std::vector<Potential>& potentials() const noexcept { return potentials_; }
  // What every configuration costs at least, for each metric: potentials add the rest, which is not
  // negative.
  [[nodiscard]] const std::vector<std::int64_t>& constants() const noexcept { return constants_; }

  // The same problem with one restriction more.
  [[nodiscard]] Problem restricted(const Plan& plan, const Restriction& restriction) const;

  // The entry of a table over these variables; `codes` are by variable.
  [[nodiscard]] std::size_t entry(std::span<const VariableIndex> variables,
                                  std::span<const std::uint16_t> codes) const noexcept {
    std::size_t found = 0;
    for (const VariableIndex variable : variables)
      found = found * sizes_[variable] + codes[variable];
    return found;
  }
  // The number of entries, nothing where they are more than `most`.
  [[nodiscard]] std::optional<std::size_t> entries(std::span<const VariableIndex> variables,
                                                   std::size_t most) const noexcept;
  // Sets the codes of these variables to those of an entry.
  void set_codes(std::span<const VariableIndex> variables, std::size_t entry,
                 std::span<std::uint16_t> codes) const noexcept;

 private:
  Potential& potential(const std::vector<VariableIndex>& variables);
  void add_factor(const Factor& factor, std::span<const std::uint32_t> metrics);
  void add_activity(const Plan& plan, VariableIndex variable);
  void add_restriction(const Plan& plan, const Restriction& restriction);
  [[nodiscard]] Constraint of_canonical(const Plan& plan, const Constraint& constraint) const;
  void add_constraint(const Constraint& constraint);
  // Takes the least cost of each metric out of a potential, to the constants.
  void count_from_zero(Potential& potential);
  void check_variables(std::span<const VariableIndex> variables, std::size_t given) const;

  std::vector<std::string> names_;
  std::vector<std::uint32_t> sizes_;
  std::vector<Potential> potentials_;
  std::vector<std::int64_t> constants_;
};

}  // namespace netledger
