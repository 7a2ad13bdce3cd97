// PackedSweeper: what configurations cost, from their digits. Few look-ups, as each table is over
// the few digits that its variables belong to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "space/codes.h"
#include "space/digits.h"
#include "space/products.h"
#include "space/sweep.h"
#include "space/tables.h"

namespace netledger {

// Part of the cost, by digits: entries hold the same words as those of CostTables.
struct DigitTable {
  // Ascending; the last one runs fastest.
  std::vector<std::uint32_t> digits;
  std::vector<std::uint32_t> strides;
  std::vector<std::uint64_t> words;
  // Empty where nothing refuses.
  std::vector<Refusal> refusals;
  // The same words, where the table is over two digits and large, else nullptr: left are the codes
  // of the digit with more of them, which is number `left_place` of the two.
  std::unique_ptr<const Products> products;
  std::size_t left_place = 0;
};

// Tables of products over the same digit on the right.
struct ProductGroup {
  std::uint32_t right_digit = 0;
  std::vector<std::size_t> tables;
  // By code of that digit: the terms of each of the tables.
  std::vector<Products::Terms> right;
};

class DigitTables {
 public:
  // Entries of all tables together.
  static constexpr std::size_t most_entries = std::size_t{1} << 22U;

  // nullptr where tables cannot hold the whole cost: there are lanes, real metrics (whose sums
  // would be rounded in another order), or more than `most_entries`.
  [[nodiscard]] static std::unique_ptr<const DigitTables> build(const Digits& digits);

  [[nodiscard]] const std::vector<DigitTable>& tables() const noexcept { return tables_; }
  [[nodiscard]] const std::vector<ProductGroup>& product_groups() const noexcept {
    return product_groups_;
  }
  // Says where in the words the metrics are. Its own tables are over variables.
  [[nodiscard]] const CostTables& layout() const noexcept { return layout_; }
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  explicit DigitTables(CostTables layout) : layout_(std::move(layout)) {}

  [[nodiscard]] bool place_tables(const Digits& digits);
  void fill(const Digits& digits);
  void find_products(const Digits& digits);
  void group_products();

  CostTables layout_;
  std::vector<DigitTable> tables_;
  std::vector<ProductGroup> product_groups_;
  // tables_[owners_[t]] includes table t of the layout.
  std::vector<std::size_t> owners_;
};

// Fits any number of threads, each with a workspace of its own. Digits and sweeper outlive it.
class PackedSweeper {
 public:
  static constexpr std::size_t block = CodeColumns::block;

  class Workspace;
  struct DeleteWorkspace {
    void operator()(Workspace* workspace) const noexcept;
  };
  using WorkspacePointer = std::unique_ptr<Workspace, DeleteWorkspace>;

  PackedSweeper(const Digits& digits, const Sweeper& sweeper);

  [[nodiscard]] const Digits& digits() const noexcept { return digits_; }
  [[nodiscard]] const Sweeper& sweeper() const noexcept { return sweeper_; }
  // nullptr where packed configurations are unpacked first.
  [[nodiscard]] const DigitTables* tables() const noexcept { return tables_.get(); }
  [[nodiscard]] WorkspacePointer workspace() const;

  // As Sweeper::sweep, of packed codes. Throws SpaceError where a digit is out of range.
  void sweep(const CodeView& packed, std::size_t first, std::size_t rows, const CostColumns& costs,
             Workspace& workspace) const;
  // Positions of an enumeration: see Digits. Rows that are not canonical are refused as such.
  void sweep_positions(std::span<const std::uint16_t> start, std::uint64_t first, std::size_t rows,
                       const CostColumns& costs, Workspace& workspace) const;
  // The first step that refuses a row by the tables, which there are; digits are in range.
  [[nodiscard]] Refusal refusal(const CodeView& packed, std::size_t row) const;
  void check(const CodeView& packed) const;

 private:
  void sweep_block(const CodeView& packed, std::size_t rows, const CostColumns& costs,
                   Workspace& workspace) const;
  void sweep_tables(const CodeView& packed, std::size_t rows, const CostColumns& costs,
                    Workspace& workspace) const;
  void find_refusals(const CodeView& packed, std::size_t rows, const CostColumns& costs,
                     const Workspace& workspace) const;

  const Digits& digits_;
  const Sweeper& sweeper_;
  std::unique_ptr<const DigitTables> tables_;
};

}  // namespace netledger
