// Digits: configurations as a few numbers, each of which is a choice on its own.
//
// Variables whose activity depends on one another form a component. Components that are linked, by
// the plan or by what refuses their combinations, are joined while there are few canonical
// combinations. A component with few of them is one digit, of those that no step refuses by it
// alone; of a larger one every variable is a digit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/canonical.h"
#include "space/codes.h"
#include "space/plan.h"

namespace netledger {

struct Digit {
  // Ascending.
  std::vector<VariableIndex> variables;
  std::uint32_t size = 0;
  // The combinations in lexicographic order: `variables.size()` codes each.
  std::vector<std::uint16_t> codes;
  // The component's number; digits of one component are single variables, or it is the digit.
  std::uint32_t component = 0;
  // Whether the digit is the whole component.
  bool whole = true;

  [[nodiscard]] std::span<const std::uint16_t> combination(std::size_t code) const noexcept {
    return {codes.data() + code * variables.size(), variables.size()};
  }
};

class Digits {
 public:
  // Canonical combinations that a digit can have, refused ones included.
  static constexpr std::uint32_t most_combinations = 1U << 16U;

  // Throws SpaceError where a variable is free: it has no codes. The plan outlives the digits.
  explicit Digits(const Plan& plan);

  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  // By their first variable. The last one runs fastest in enumerations.
  [[nodiscard]] const std::vector<Digit>& digits() const noexcept { return digits_; }
  // Of the digits.
  [[nodiscard]] const CodeRanges& ranges() const noexcept { return ranges_; }
  [[nodiscard]] const CodeRanges& variable_ranges() const noexcept { return variable_ranges_; }
  [[nodiscard]] const Canonicalizer& canonicalizer() const noexcept { return canonicalizer_; }
  // Whether every digit is a whole component, so that every combination of digits is canonical.
  [[nodiscard]] bool whole() const noexcept { return whole_; }
  // Whether some step may refuse a configuration that the digits can spell.
  [[nodiscard]] bool may_refuse() const noexcept { return may_refuse_; }

  // Codes to digits, for rows `first` and on of the matrix, 16 bits a digit, row-major.
  // Configurations are made canonical first. Throws SpaceError where one is out of range, or a step
  // refuses it by a digit alone: there is no such digit.
  void pack(const CodeView& codes, std::size_t first, std::size_t rows,
            std::uint16_t* packed) const;
  // Digits to codes. Throws SpaceError where a digit is out of range.
  void unpack(const CodeView& packed, std::size_t first, std::size_t rows,
              const CodeOutput& output) const;
  // The same for a block of digit columns, at most CodeColumns::block rows, unchecked.
  void unpack(const CodeColumns& packed, std::size_t rows, CodeColumns& codes) const noexcept;
  // The digits of positions `first` to `first` + `rows` after `start`: their mixed radix number.
  void count_up(std::span<const std::uint16_t> start, std::uint64_t first, std::size_t rows,
                CodeColumns& packed) const noexcept;
  // Throws SpaceError where `count` positions from `start` on are not there.
  void check_start(std::span<const std::uint16_t> start, std::uint64_t count) const;
  // Codes of the positions, row-major.
  void enumerate(std::span<const std::uint16_t> start, std::uint64_t count,
                 const CodeOutput& output) const;

 private:
  [[nodiscard]] std::vector<std::vector<VariableIndex>> components() const;
  void add_component(const std::vector<VariableIndex>& variables, std::uint32_t component);
  void find_refusing();
  void build_lookups();
  [[nodiscard]] std::uint16_t find(std::size_t index, const CodeColumns& columns, std::size_t row,
                                   std::size_t shown_row) const;

  const Plan& plan_;
  Canonicalizer canonicalizer_;
  CodeRanges variable_ranges_;
  std::vector<Digit> digits_;
  CodeRanges ranges_;
  bool whole_ = true;
  bool may_refuse_ = false;
  // Of each digit: by the mixed radix number of its codes its code, or `absent`; empty where that
  // would be large.
  static constexpr std::uint32_t absent = 0xFFFFFFFFU;
  std::vector<std::vector<std::uint32_t>> lookups_;
};

}  // namespace netledger
