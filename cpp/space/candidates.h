// Candidates: configurations drawn, changed and told apart. Every row is drawn by its own counter,
// so that any part of a batch can be made by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "space/code_writer.h"
#include "space/completions.h"
#include "space/digits.h"
#include "space/random.h"
#include "space/sweep.h"

namespace netledger {

// Which configurations are equally likely.
enum class Law : std::uint8_t {
  // Every variable on its own.
  genes,
  // Every network.
  architectures,
};

// For one group of k variables: which of them are drawn anew, by the alias method over 2^k masks
// (bit b: variable b of the group). Thresholds are in units of 2^-56.
struct MaskTable {
  std::vector<std::uint64_t> thresholds;
  std::vector<std::uint8_t> aliases;
};

// Fits any number of threads. Digits and sweeper outlive it.
class Candidates {
 public:
  // Attempts to draw a configuration that no step refuses.
  static constexpr std::uint64_t most_attempts = 10000;

  Candidates(const Digits& digits, const Sweeper& sweeper);

  [[nodiscard]] const Digits& digits() const noexcept { return digits_; }
  // The variables of each group that one number draws: `mutate` needs a mask table for each.
  [[nodiscard]] const std::vector<std::vector<VariableIndex>>& groups() const noexcept {
    return groups_;
  }

  // Fills the output with candidates `first` and on. Throws SpaceError where no accepted
  // configuration was found in `most_attempts`, or networks cannot be counted.
  void random(Law law, std::uint64_t seed, std::uint64_t first, const CodeOutput& output) const;
  // Row r of the output becomes row r of `codes`, which is number `first` + r of all, with
  // variables drawn anew.
  void mutate(const CodeView& codes, std::span<const MaskTable> masks, std::uint64_t seed,
              std::uint64_t first, const CodeOutput& output) const;
  // Each variable comes from `a` or `b`.
  void crossover(const CodeView& a, const CodeView& b, std::uint64_t seed, std::uint64_t first,
                 const CodeOutput& output) const;
  void canonical(const CodeView& codes, const CodeOutput& output) const;
  // One hash per row; rows that are the same network have the same.
  void hash(const CodeView& codes, std::uint64_t* hashes) const;
  // The rows that are no network of an earlier row.
  [[nodiscard]] std::vector<std::uint64_t> unique(const CodeView& codes) const;

 private:
  class Drawer;
  // A component that is more than one digit, and which digits its variables are.
  struct LargeComponent {
    Completions completions;
    std::vector<std::size_t> digits;
  };

  void group_variables();
  [[nodiscard]] CodePart part_of_group(std::span<const VariableIndex> group) const;
  [[nodiscard]] const CodeWriter& writer(Law law, CodeWidth width) const;
  [[nodiscard]] const std::vector<LargeComponent>& large_components() const;
  void redraw(const Drawer& drawer, const CodeWriter& write, std::uint64_t first,
              const CodeOutput& output) const;
  void check_masks(std::span<const MaskTable> masks) const;
  void check_same_rows(const CodeView& codes, const CodeOutput& output) const;
  void copy_rows(const CodeView& codes, std::size_t first, const CodeOutput& output) const;

  const Digits& digits_;
  const Sweeper& sweeper_;
  std::vector<std::vector<VariableIndex>> groups_;
  // How many choices each group, or each digit, has.
  std::vector<Bound> group_bounds_;
  std::vector<Bound> digit_bounds_;
  // Made when they are first needed.
  mutable std::mutex mutex_;
  mutable std::map<std::pair<Law, CodeWidth>, CodeWriter> writers_;
  mutable std::optional<std::vector<LargeComponent>> large_components_;
};

}  // namespace netledger
