// CostTables: the factors of a plan brought into few tables that are summed fast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "space/plan.h"

namespace netledger {

// Of two refusals the first step's, and of one refusal that.
[[nodiscard]] constexpr Refusal first_refusal(Refusal left, Refusal right) noexcept {
  // Nothing becomes the largest number, and back.
  return (left - 1 < right - 1 ? left - 1 : right - 1) + 1;
}

// How large merging may make the tables. The defaults keep them in the second level cache, and any
// entry of all tables within 16 bits.
struct TableLimits {
  std::size_t table_entries = std::size_t{1} << 14U;
  std::size_t total_entries = std::size_t{1} << 16U;
};

// Fewer factors with the same sum: those whose variables another has are added to it, then pairs
// are merged, the smallest result first, as long as the limits allow. `sizes` are the variables'.
[[nodiscard]] std::vector<Factor> merge_factors(std::span<const Factor> factors,
                                                std::span<const std::uint32_t> sizes,
                                                const TableLimits& limits);

// For every entry of a factor over `variables` the entry of `part`, a factor over some of them.
[[nodiscard]] std::vector<std::uint32_t> entries_of_part(std::span<const VariableIndex> part,
                                                         std::span<const VariableIndex> variables,
                                                         std::span<const std::uint32_t> sizes);

// One table: an entry's number among those of all tables is the first's plus, for each variable,
// its code times its stride.
struct CostTable {
  std::vector<VariableIndex> variables;
  std::vector<std::uint32_t> strides;
  std::uint32_t first = 0;
  std::uint32_t entries = 1;
};

// Where a metric stands in the words of an entry. The sum over the tables of these bits, plus
// `offset`, is its total; modulo 2^64 where it has a word for itself.
struct MetricField {
  std::uint32_t word = 0;
  std::uint32_t shift = 0;
  std::uint64_t mask = 0;
  std::int64_t offset = 0;

  [[nodiscard]] std::int64_t total(const std::uint64_t* words) const noexcept {
    return static_cast<std::int64_t>(((words[word] >> shift) & mask) +
                                     static_cast<std::uint64_t>(offset));
  }
};

class CostTables {
 public:
  // What a plan costs without its lanes. `factors` may be over other variables than the plan's
  // (over digits): sizes[v] is the size of their variable v.
  CostTables(const Plan& plan, std::span<const Factor> factors,
             std::span<const std::uint32_t> sizes);

  [[nodiscard]] const std::vector<CostTable>& tables() const noexcept { return tables_; }
  // Of all tables together.
  [[nodiscard]] std::size_t entry_count() const noexcept { return entry_count_; }
  [[nodiscard]] std::size_t bytes() const noexcept;
  // 64-bit words of an entry. As many metrics share a word as proven bounds allow, so that one
  // addition adds them all.
  [[nodiscard]] std::size_t words_per_entry() const noexcept { return words_per_entry_; }
  [[nodiscard]] const std::uint64_t* words() const noexcept { return words_.data(); }
  [[nodiscard]] const std::vector<MetricField>& fields() const noexcept { return fields_; }
  // Whether any entry refuses. Those that do count one in `refusal_count`.
  [[nodiscard]] bool may_refuse() const noexcept { return !refusals_.empty(); }
  [[nodiscard]] const MetricField& refusal_count() const noexcept { return refusal_count_; }
  // By entry; empty where no entry refuses.
  [[nodiscard]] const std::vector<Refusal>& refusals() const noexcept { return refusals_; }
  // Entry-major, one for each real metric.
  [[nodiscard]] const std::vector<double>& reals() const noexcept { return reals_; }
  [[nodiscard]] const std::vector<double>& real_constants() const noexcept {
    return real_constants_;
  }

 private:
  struct Range;

  void place_tables(std::span<const Factor> factors, std::span<const std::uint32_t> sizes);
  [[nodiscard]] std::vector<Range> find_ranges(const Plan& plan,
                                               std::span<const Factor> factors) const;
  void place_fields(const Plan& plan, std::span<const Range> ranges);
  [[nodiscard]] MetricField place_field(unsigned bits, std::vector<unsigned>& used) const;
  void fill_words(std::span<const Factor> factors, std::span<const Range> ranges);
  void fill_refusals(std::span<const Factor> factors);
  void fill_reals(std::span<const Factor> factors);

  std::vector<CostTable> tables_;
  std::size_t entry_count_ = 0;
  std::size_t words_per_entry_ = 0;
  std::vector<std::uint64_t> words_;
  std::vector<MetricField> fields_;
  MetricField refusal_count_;
  std::vector<Refusal> refusals_;
  std::vector<double> reals_;
  std::vector<double> real_constants_;
};

}  // namespace netledger
