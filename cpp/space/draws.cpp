#include "space/draws.h"

#include "space/random.h"

namespace netledger {

namespace {

[[gnu::always_inline]] inline void fill(std::uint64_t key, std::uint64_t counter,
                                        std::uint64_t distance, std::size_t count,
                                        std::uint64_t* draws) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    draws[index] = draw(key, counter + index * distance);
  }
}

#if defined(__x86_64__)
// Only these have a multiplication of 64 bits for vectors.
[[gnu::target("avx512f,avx512vl,avx512dq")]] void fill_avx512(std::uint64_t key,
                                                              std::uint64_t counter,
                                                              std::uint64_t distance,
                                                              std::size_t count,
                                                              std::uint64_t* draws) noexcept {
  fill(key, counter, distance, count, draws);
}
#endif

}  // namespace

void fill_draws(std::uint64_t key, std::uint64_t counter, std::uint64_t distance, std::size_t count,
                std::uint64_t* draws) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    fill_avx512(key, counter, distance, count, draws);
    return;
  }
#endif
  fill(key, counter, distance, count, draws);
}

}  // namespace netledger
