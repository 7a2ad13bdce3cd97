// Program: the expressions behind symbolic quantities, each stored once (hash-consed).
//
// Identity is the interned id: two expressions are equal if and only if their ids are, so building
// and comparing never walks a tree.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "quantity/quantity.h"

namespace netledger {

struct Expression {
  Opcode opcode;
  // Operands: ids of earlier expressions. A variable keeps its index in `first`.
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t third = 0;
  // The value of a constant.
  std::int64_t value = 0;

  friend bool operator==(const Expression&, const Expression&) = default;
};

// A condition that a configuration must meet, with the sentence that says why it does not.
struct Requirement {
  std::uint32_t condition;
  std::string text;
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

  [[nodiscard]] Quantity variable(std::string name);
  [[nodiscard]] Quantity append(Opcode opcode, const Quantity& left, const Quantity& right);
  [[nodiscard]] Quantity append_select(const Quantity& truth, const Quantity& yes,
                                       const Quantity& no);
  void require(const Condition& condition, std::string text);

  [[nodiscard]] Quantity at(std::uint32_t expression) noexcept { return {this, expression}; }
  [[nodiscard]] std::uint32_t id(const Quantity& quantity);
  [[nodiscard]] const std::vector<Expression>& expressions() const noexcept { return expressions_; }
  [[nodiscard]] const std::vector<std::string>& variables() const noexcept { return variables_; }
  [[nodiscard]] const std::vector<Requirement>& requirements() const noexcept {
    return requirements_;
  }

 private:
  struct Hash {
    std::size_t operator()(const Expression& expression) const noexcept;
  };
  [[nodiscard]] Quantity intern(const Expression& expression);

  std::vector<Expression> expressions_;
  std::unordered_map<Expression, std::uint32_t, Hash> identities_;
  std::vector<std::string> variables_;
  std::vector<Requirement> requirements_;
};

}  // namespace netledger
