#include "quantity/tabulate.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "quantity/lanes.h"

namespace netledger {

namespace {

// The codes of `variables` in a block of combinations, from one combination on.
class Codes {
 public:
  Codes(std::span<const std::uint32_t> variables, std::span<const std::uint32_t> sizes)
      : codes_(variables.size()) {
    for (const std::uint32_t variable : variables) sizes_.push_back(sizes[variable]);
  }
  // Writes the codes of the current combination to one lane and goes on to the next.
  void write(std::span<std::vector<std::int64_t>> columns, std::size_t lane) {
    for (std::size_t index = 0; index < codes_.size(); ++index)
      columns[index][lane] = codes_[index];
    for (std::size_t index = codes_.size(); index-- > 0;) {
      if (++codes_[index] < sizes_[index]) return;
      codes_[index] = 0;
    }
  }

 private:
  std::vector<std::uint32_t> codes_;
  std::vector<std::uint32_t> sizes_;
};

}  // namespace

ValueTable tabulate(const Program& program, std::uint32_t expression,
                    std::span<const std::uint32_t> variables) {
  constexpr std::size_t block = LaneProgram::block;
  const std::vector<std::uint32_t>& sizes = program.sizes();
  std::vector<Interval> domains;
  domains.reserve(sizes.size());
  for (const std::uint32_t size : sizes) {
    domains.push_back({.low = size == 0 ? checked::lowest : 0,
                       .high = size == 0 ? std::numeric_limits<std::int64_t>::max() : size - 1});
  }
  const LaneProgram lanes(program, std::span(&expression, 1), domains);
  const auto registers = lanes.registers();

  ValueTable table{.variables = {variables.begin(), variables.end()}, .values = {}};
  std::size_t count = 1;
  for (const std::uint32_t variable : variables) count *= sizes[variable];
  table.values.resize(count);
  std::vector<std::vector<std::int64_t>> columns(variables.size(),
                                                 std::vector<std::int64_t>(block));
  std::vector<const std::int64_t*> read;
  for (const std::uint32_t variable : lanes.variables()) {
    const auto position = std::ranges::lower_bound(variables, variable) - variables.begin();
    read.push_back(columns[static_cast<std::size_t>(position)].data());
  }
  Codes codes(variables, sizes);
  std::array<std::uint8_t, block> faults{};
  std::uint8_t* fault_column = faults.data();
  for (std::size_t start = 0; start < table.values.size(); start += block) {
    const std::size_t filled = std::min(block, table.values.size() - start);
    for (std::size_t lane = 0; lane < filled; ++lane) codes.write(columns, lane);
    std::int64_t* result = table.values.data() + start;
    lanes.run(read, filled, std::span(&result, 1), std::span(&fault_column, 1), *registers);
    for (std::size_t lane = 0; lane < filled; ++lane) {
      if (faults[lane] != 0) result[lane] = no_exact_value;
    }
  }
  drop_irrelevant(table, sizes);
  return table;
}

}  // namespace netledger
