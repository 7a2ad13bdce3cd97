// Sweeper: what many configurations cost, from their codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "space/codes.h"
#include "space/plan.h"
#include "space/row_indices.h"
#include "space/tables.h"

namespace netledger {

// Where a sweep writes: a column for each metric of the plan. Of a refused configuration the
// metrics are -1 and the real ones NaN.
struct CostColumns {
  std::vector<std::int64_t*> metrics;
  std::vector<double*> reals;
  // May be nullptr.
  Refusal* refusals = nullptr;

  // The same columns from row `first` on.
  [[nodiscard]] CostColumns from(std::size_t first) const;
};

// Fits any number of threads, each with a workspace of its own. The plan outlives it.
class Sweeper {
 public:
  // Rows that are worked on together.
  static constexpr std::size_t block = CodeColumns::block;

  class Workspace;
  struct DeleteWorkspace {
    void operator()(Workspace* workspace) const noexcept;
  };
  using WorkspacePointer = std::unique_ptr<Workspace, DeleteWorkspace>;

  // Throws SpaceError where the plan is not consistent, or totals are not proven to fit 64 bits.
  explicit Sweeper(const Plan& plan, Instructions instructions = best_instructions());

  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  [[nodiscard]] const CostTables& tables() const noexcept { return tables_; }
  [[nodiscard]] const CodeRanges& ranges() const noexcept { return ranges_; }
  // Whether rows of bytes take the way of RowIndices.
  [[nodiscard]] bool shuffles() const noexcept { return row_indices_ != nullptr; }
  // Whether any configuration may be refused.
  [[nodiscard]] bool may_refuse() const noexcept;
  [[nodiscard]] WorkspacePointer workspace() const;

  // Counts the rows `first` to `first` + `rows` of the matrix into the columns' rows 0 to `rows`.
  // Throws SpaceError where a code is out of range, before any table is read for it.
  void sweep(const CodeView& codes, std::size_t first, std::size_t rows, const CostColumns& costs,
             Workspace& workspace) const;
  void sweep(const ValueColumns& values, std::size_t first, std::size_t rows,
             const CostColumns& costs, Workspace& workspace) const;
  // The rows of a block, which are in range.
  void sweep(const CodeColumns& columns, std::size_t rows, const CostColumns& costs,
             Workspace& workspace) const;
  // Checks the matrix's shape; `sweep` trusts it.
  void check(const CodeView& codes) const;
  void check(const ValueColumns& values) const;

 private:
  void index_columns(const CodeColumns& columns, std::size_t rows, Workspace& workspace) const;
  [[nodiscard]] bool index_rows(const CodeView& codes, std::size_t first, std::size_t rows,
                                Workspace& workspace) const;
  template <class Indices>
  void sum_tables(const Indices& indices, std::size_t rows, const CostColumns& costs,
                  Workspace& workspace) const;
  template <class Indices>
  void sum_reals(const Indices& indices, std::size_t rows, const CostColumns& costs) const;
  template <class Indices>
  void find_refusals(const Indices& indices, std::size_t rows, Workspace& workspace) const;
  void read_values(const ValueColumns& values, std::size_t first, std::size_t rows,
                   Workspace& workspace) const;
  template <class Read>
  void add_lanes(const Read& read, std::size_t first, std::size_t rows, const CostColumns& costs,
                 Workspace& workspace) const;
  void check_lane_faults(std::size_t first, std::size_t rows, const Workspace& workspace) const;
  template <class Read>
  void sweep_columns(const CodeColumns& columns, const Read& read, std::size_t first,
                     std::size_t rows, const CostColumns& costs, Workspace& workspace) const;
  void finish(std::size_t rows, const CostColumns& costs, const Workspace& workspace) const;

  const Plan& plan_;
  CodeRanges ranges_;
  CostTables tables_;
  // nullptr: not possible here.
  std::unique_ptr<const RowIndices> row_indices_;
};

}  // namespace netledger
