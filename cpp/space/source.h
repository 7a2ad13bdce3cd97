// Source: configurations whose costs are read block after block, wherever they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "space/candidates.h"
#include "space/packed.h"
#include "space/sweep.h"

namespace netledger {

// Costs of some neighbours.
struct CostBlock {
  // The position of the first in the source.
  std::uint64_t first = 0;
  std::size_t rows = 0;
  std::vector<const std::int64_t*> metrics;
  std::vector<const double*> reals;
  // nullptr: none is refused. Of refused ones the costs mean nothing.
  const Refusal* refusals = nullptr;
};

// Reads for one thread.
class CostReader {
 public:
  CostReader() = default;
  CostReader(const CostReader&) = delete;
  CostReader& operator=(const CostReader&) = delete;
  CostReader(CostReader&&) = delete;
  CostReader& operator=(CostReader&&) = delete;
  virtual ~CostReader() = default;

  // Writes the costs of the rows from `first` on. Refused ones: see CostColumns.
  virtual void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) = 0;
  // Calls `use` with the rows from `first` on, in blocks of any size.
  virtual void read(std::uint64_t first, std::size_t rows,
                    const std::function<void(const CostBlock&)>& use) = 0;
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  Source(Source&&) = delete;
  Source& operator=(Source&&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] virtual const Plan& plan() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t rows() const noexcept = 0;
  // Rows that take a few milliseconds at most, and are read best at a time.
  [[nodiscard]] virtual std::uint64_t chunk_rows() const noexcept = 0;
  [[nodiscard]] virtual std::unique_ptr<CostReader> reader() const = 0;
};

// All of these keep references to what they are made from, matrices included, and check shapes at
// once; codes are checked as they are read.
[[nodiscard]] std::unique_ptr<Source> codes_source(const Sweeper& sweeper, const CodeView& codes);
[[nodiscard]] std::unique_ptr<Source> values_source(const Sweeper& sweeper, ValueColumns values);
[[nodiscard]] std::unique_ptr<Source> packed_source(const PackedSweeper& sweeper,
                                                    const CodeView& packed);
// `count` positions of the enumeration, from the one whose digits are `start`. Throws SpaceError
// where they are not there.
[[nodiscard]] std::unique_ptr<Source> range_source(const PackedSweeper& sweeper,
                                                   std::vector<std::uint16_t> start,
                                                   std::uint64_t count);
// Candidates `start` and on of a random sequence.
[[nodiscard]] std::unique_ptr<Source> random_source(const Candidates& candidates,
                                                    const Sweeper& sweeper, std::uint64_t count,
                                                    std::uint64_t seed, Law law,
                                                    std::uint64_t start = 0);

}  // namespace netledger
