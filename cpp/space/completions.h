// Completions: how many ways there are to complete a part of a configuration, for variables that
// are too many to list. Variables are eliminated from the last to the first; drawing walks back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "space/plan.h"
#include "space/random.h"

namespace netledger {

class Completions {
 public:
  static constexpr std::size_t most_entries = std::size_t{1} << 24U;

  // Counts the canonical combinations of a component's variables (ascending) that no factor over
  // them alone refuses. Throws SpaceError where a table of counts would have more than
  // `most_entries` entries, or counts could pass 2^128. The plan outlives it.
  Completions(const Plan& plan, std::span<const VariableIndex> variables);

  [[nodiscard]] const std::vector<VariableIndex>& variables() const noexcept { return variables_; }
  // Of all of them.
  [[nodiscard]] Wide total() const;
  // Given the codes of the variables before variables()[place], of the ways to complete them the
  // number that continue with each code of that variable. `codes` are by variable of the plan.
  void weigh(std::size_t place, std::span<const std::uint16_t> codes,
             std::vector<Wide>& weights) const;

 private:
  // A table of counts over a few variables, row-major.
  struct Message {
    std::vector<VariableIndex> variables;
    std::vector<Wide> counts;
  };
  struct Bucket {
    // Factors that refuse, and whose last variable is the bucket's.
    std::vector<const Factor*> rules;
    // Messages, by number, that are summed here.
    std::vector<std::size_t> messages;
  };

  void add_rules();
  void eliminate(std::size_t place);
  [[nodiscard]] std::size_t place_of(VariableIndex variable) const;
  [[nodiscard]] std::size_t entry(std::span<const VariableIndex> scope,
                                  std::span<const std::uint16_t> codes) const;
  [[nodiscard]] Wide count(const Message& message, std::span<const std::uint16_t> codes) const;
  // The product over the bucket, for the codes of its variable and those before.
  [[nodiscard]] Wide product(std::size_t place, std::span<const std::uint16_t> codes) const;

  const Plan& plan_;
  std::vector<VariableIndex> variables_;
  std::vector<Bucket> buckets_;
  // messages_[place] is the one that the bucket of that place sends.
  std::vector<Message> messages_;
};

}  // namespace netledger
