// Evaluates expressions for many assignments of the variables at once, one assignment per lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "quantity/program.h"

namespace netledger {

// Fills results[i][lane] with the value of roots[i], for lanes 0..lanes-1, where
// columns[v][lane] is the value of variable v. Every requirement of the program is checked too.
//
// Returns the first lane whose values cannot be trusted, because a requirement does not hold there
// or because the arithmetic left 64 bits; nullopt when all are exact.
[[nodiscard]] std::optional<std::size_t> evaluate(const Program& program,
                                                  std::span<const std::uint32_t> roots,
                                                  std::span<const std::int64_t* const> columns,
                                                  std::size_t lanes,
                                                  std::span<std::int64_t* const> results);

}  // namespace netledger
