#include "quantity/value_table.h"

#include <algorithm>
#include <iterator>

namespace netledger {

std::optional<std::size_t> combinations(std::span<const std::uint32_t> variables,
                                        std::span<const std::uint32_t> sizes, std::size_t most) {
  std::size_t product = 1;
  for (const std::uint32_t variable : variables) {
    if (product > most / sizes[variable]) return std::nullopt;
    product *= sizes[variable];
  }
  return product;
}

std::vector<std::uint32_t> united(std::span<const std::uint32_t> left,
                                  std::span<const std::uint32_t> right) {
  std::vector<std::uint32_t> result;
  result.reserve(left.size() + right.size());
  std::ranges::set_union(left, right, std::back_inserter(result));
  return result;
}

std::vector<std::uint32_t> positions_in(std::span<const std::uint32_t> part,
                                        std::span<const std::uint32_t> variables,
                                        std::span<const std::uint32_t> sizes) {
  // Grown from the last variable on: the positions so far, repeated for every code of the next.
  std::vector<std::uint32_t> positions{0};
  std::uint32_t stride = 1;
  std::size_t left = part.size();
  for (std::size_t index = variables.size(); index-- > 0;) {
    const std::uint32_t size = sizes[variables[index]];
    const bool counts = left > 0 && part[left - 1] == variables[index];
    const std::size_t count = positions.size();
    positions.resize(count * size);
    for (std::uint32_t code = 1; code < size; ++code) {
      const std::uint32_t offset = counts ? code * stride : 0;
      for (std::size_t position = 0; position < count; ++position) {
        positions[code * count + position] = positions[position] + offset;
      }
    }
    if (counts) {
      stride *= size;
      --left;
    }
  }
  return positions;
}

namespace {

// Whether the values are the same for every code of the variable that has `inner` combinations of
// later variables under each of its `size` codes.
bool is_irrelevant(std::span<const std::int64_t> values, std::size_t inner, std::size_t size) {
  for (std::size_t start = 0; start < values.size(); start += inner * size) {
    const auto first = values.subspan(start, inner);
    for (std::size_t code = 1; code < size; ++code) {
      if (!std::ranges::equal(first, values.subspan(start + code * inner, inner))) return false;
    }
  }
  return true;
}

}  // namespace

void drop_irrelevant(ValueTable& table, std::span<const std::uint32_t> sizes) {
  std::size_t inner = 1;
  for (std::size_t index = table.variables.size(); index-- > 0;) {
    const std::size_t size = sizes[table.variables[index]];
    if (!is_irrelevant(table.values, inner, size)) {
      inner *= size;
      continue;
    }
    auto kept = table.values.begin();
    for (std::size_t start = 0; start < table.values.size(); start += inner * size) {
      const auto first = table.values.begin() + static_cast<std::ptrdiff_t>(start);
      kept = std::copy_n(first, inner, kept);
    }
    table.values.erase(kept, table.values.end());
    table.variables.erase(table.variables.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

}  // namespace netledger
