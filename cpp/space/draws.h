// Many draws at once, for counters that are a distance apart.
#pragma once

#include <cstddef>
#include <cstdint>

namespace netledger {

// draws[i] = draw(key, counter + i * distance).
void fill_draws(std::uint64_t key, std::uint64_t counter, std::uint64_t distance, std::size_t count,
                std::uint64_t* draws) noexcept;

}  // namespace netledger
