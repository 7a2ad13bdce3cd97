// Program: the expressions behind symbolic quantities, each stored once (hash-consed).
//
// Identity is the interned id, so building and comparing never walks a tree. An expression over a
// few coded variables is known by its values: two that agree for every combination are one, one
// that is the same for all of them is a constant, and one depends on a variable only if its values
// do. k + 2 - k is 2, and a size does not depend on a kernel that its padding makes up for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "quantity/quantity.h"
#include "quantity/value_table.h"

namespace netledger {

struct Expression {
  Opcode opcode;
  // Operands: ids of earlier expressions. A variable keeps its index in `first`, a lookup its index
  // expression in `first` and the number of its table in `second`.
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t third = 0;
  // The value of a constant.
  std::int64_t value = 0;

  friend bool operator==(const Expression&, const Expression&) = default;
};

// A condition that a configuration must meet, with the sentence that says why it does not and the
// step of the construction that made it.
struct Requirement {
  std::uint32_t condition;
  std::string text;
  std::uint32_t step = 0;
};

class Program {
 public:
  Program() = default;
  // Quantities point at their program, which therefore stays where it is.
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  Program(Program&&) = delete;
  Program& operator=(Program&&) = delete;
  ~Program() = default;

  // Values of at most so many combinations are kept of an expression.
  static constexpr std::size_t most_values = 4096;

  // A variable of which nothing is known.
  [[nodiscard]] Quantity variable(std::string name);
  // A variable with the values 0 to size - 1; a constant if it has but one.
  [[nodiscard]] Quantity coded_variable(std::string name, std::uint32_t size);
  [[nodiscard]] Quantity append(Opcode opcode, const Quantity& left, const Quantity& right);
  [[nodiscard]] Quantity append_select(const Quantity& truth, const Quantity& yes,
                                       const Quantity& no);
  // values[index]; an index outside the table has no value.
  [[nodiscard]] Quantity lookup(const Quantity& index, std::span<const std::int64_t> values);
  // 1 where a quantity has an exact value and 0 where it has none, as far as its values are kept.
  [[nodiscard]] Quantity defined(const Quantity& quantity);
  // Returns whether any configuration can meet the condition. It has to hold only where what is
  // being constructed is present.
  bool require(const Condition& condition, std::string text);
  // Forgets all but the first `count` requirements: those of a construction that failed.
  void forget_requirements(std::size_t count) { requirements_.resize(count); }
  // What is constructed from now on: where it is present, and which step it is.
  void construct(const Quantity& presence, std::uint32_t step) noexcept {
    presence_ = presence;
    step_ = step;
  }

  [[nodiscard]] Quantity at(std::uint32_t expression) noexcept { return {this, expression}; }
  [[nodiscard]] std::uint32_t id(const Quantity& quantity);
  [[nodiscard]] const std::vector<Expression>& expressions() const noexcept { return expressions_; }
  [[nodiscard]] const std::vector<std::string>& variables() const noexcept { return variables_; }
  // Of every variable how many codes it has; 0 if it is free.
  [[nodiscard]] const std::vector<std::uint32_t>& sizes() const noexcept { return sizes_; }
  // The values of an expression, or nullptr when they are too many to be kept.
  [[nodiscard]] const ValueTable* values(std::uint32_t expression) const noexcept {
    return values_[expression].get();
  }
  [[nodiscard]] const ValueTable* values(const Quantity& quantity) const noexcept {
    return quantity.is_constant() ? nullptr : values(quantity.expression());
  }
  // The variables that an expression depends on, ascending. Of one without values: those that it
  // mentions.
  [[nodiscard]] std::vector<std::uint32_t> support(std::uint32_t expression) const;
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& tables() const noexcept {
    return tables_;
  }
  [[nodiscard]] const std::vector<Requirement>& requirements() const noexcept {
    return requirements_;
  }

 private:
  struct Hash {
    std::size_t operator()(const Expression& expression) const noexcept;
  };
  [[nodiscard]] bool never(const Quantity& truth) const;
  [[nodiscard]] Quantity intern(const Expression& expression);
  [[nodiscard]] std::uint32_t store(const Expression& expression,
                                    std::unique_ptr<ValueTable> values);
  // The values of an expression over `operands`, or nullptr when one of them has none or they are
  // too many.
  [[nodiscard]] std::unique_ptr<ValueTable> values_of(
      const Expression& expression, std::span<const std::uint32_t> operands) const;
  void throw_if_all_overflow(const Expression& expression) const;
  // The quantity that a new expression with these values is.
  [[nodiscard]] Quantity known_by_values(const Expression& expression,
                                         std::unique_ptr<ValueTable> values);

  std::vector<Expression> expressions_;
  // Of every expression; nullptr where they are too many.
  std::vector<std::unique_ptr<ValueTable>> values_;
  std::unordered_map<Expression, Quantity, Hash> identities_;
  // Expressions by the hash of their values.
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_values_;
  std::vector<std::string> variables_;
  std::vector<std::uint32_t> sizes_;
  Quantity presence_ = 1;
  std::uint32_t step_ = 0;
  std::vector<std::vector<std::int64_t>> tables_;
  std::vector<Requirement> requirements_;
};

}  // namespace netledger
