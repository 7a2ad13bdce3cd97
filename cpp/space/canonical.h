// Canonicalizer: one spelling for each network. Inactive variables have the code 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/codes.h"
#include "space/plan.h"

namespace netledger {

class Canonicalizer {
 public:
  // Throws SpaceError where an activity does not fit the plan's variables.
  explicit Canonicalizer(const Plan& plan);

  // Whether every combination of codes is canonical.
  [[nodiscard]] bool trivial() const noexcept { return rules_.empty(); }
  // Makes rows canonical; codes are in range.
  void apply(CodeColumns& columns, std::size_t rows) const noexcept;
  void apply(const CodeOutput& rows) const noexcept;
  // Sets changes[row] to 1 for each row that is not canonical; others are left alone.
  void mark(const CodeColumns& columns, std::size_t rows, std::uint8_t* changes) const noexcept;
  // Whether the variable is active, given codes of the variables before it.
  [[nodiscard]] bool active(VariableIndex variable,
                            std::span<const std::uint16_t> codes) const noexcept;

 private:
  struct Rule {
    VariableIndex variable;
    std::vector<VariableIndex> conditions;
    std::vector<std::uint32_t> strides;
    // 0 or 1.
    std::vector<std::uint8_t> active;
  };

  template <class Code>
  void apply_rows(const CodeOutput& rows) const noexcept;
  template <class Use>
  void visit(const CodeColumns& columns, std::size_t rows, const Rule& rule, Use&& use) const;

  // Of the variables that are not always active, ascending.
  std::vector<Rule> rules_;
};

}  // namespace netledger
