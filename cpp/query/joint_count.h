// How many configurations lie within limits of two metrics at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "query/natural.h"
#include "query/slices.h"

namespace netledger {

// Lists the pairs of costs that occur: exact where these are few. Throws SpaceError where they need
// more than `memory` bytes; the space has at most 2^128 configurations.
[[nodiscard]] Natural joint_count(const Problem& problem, const Slices& slices,
                                  const std::pair<std::int64_t, std::int64_t>& limits,
                                  const std::pair<std::int64_t, std::int64_t>& other_limits,
                                  std::size_t memory);

}  // namespace netledger
