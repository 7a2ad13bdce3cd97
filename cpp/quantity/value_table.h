// ValueTable: what an expression over a few coded variables is worth, for every combination of
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace netledger {

// Stands where there is no exact value: an overflow, a division by zero, an index outside a table.
inline constexpr std::int64_t no_exact_value = std::numeric_limits<std::int64_t>::min();

struct ValueTable {
  // Ascending.
  std::vector<std::uint32_t> variables;
  // Row-major over the codes of the variables: the last variable runs fastest.
  std::vector<std::int64_t> values;

  friend bool operator==(const ValueTable&, const ValueTable&) = default;
};

// The product of the sizes of some variables, or nullopt when it passes `most`.
[[nodiscard]] std::optional<std::size_t> combinations(std::span<const std::uint32_t> variables,
                                                      std::span<const std::uint32_t> sizes,
                                                      std::size_t most);

// Ascending lists as one.
[[nodiscard]] std::vector<std::uint32_t> united(std::span<const std::uint32_t> left,
                                                std::span<const std::uint32_t> right);

// For every combination of `variables`, in order, where it stands in a table over `part` of them.
[[nodiscard]] std::vector<std::uint32_t> positions_in(std::span<const std::uint32_t> part,
                                                      std::span<const std::uint32_t> variables,
                                                      std::span<const std::uint32_t> sizes);

// Leaves out the variables that make no difference.
void drop_irrelevant(ValueTable& table, std::span<const std::uint32_t> sizes);

}  // namespace netledger
