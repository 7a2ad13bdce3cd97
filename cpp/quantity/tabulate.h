// The values of an expression for every combination of the coded variables it depends on.
#pragma once

#include <cstdint>
#include <span>

#include "quantity/program.h"
#include "quantity/value_table.h"

namespace netledger {

// `variables`: ascending, at least those that the expression depends on, all coded. The table keeps
// those that make a difference.
[[nodiscard]] ValueTable tabulate(const Program& program, std::uint32_t expression,
                                  std::span<const std::uint32_t> variables);

}  // namespace netledger
