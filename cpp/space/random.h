// Random numbers by counter: any draw can be made by itself, so that rows are the same whatever the
// number of threads. (SplitMix64; bounded by Lemire's multiplication.)
#pragma once

#include <bit>
#include <cstdint>

namespace netledger {

__extension__ using Wide = unsigned __int128;

inline constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15U;

enum class Purpose : std::uint64_t {
  genes = 1,
  architectures = 2,
  mutate = 3,
  crossover = 4,
  whole = 5
};

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value ^= value >> 30U;
  value *= 0xBF58476D1CE4E5B9U;
  value ^= value >> 27U;
  value *= 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

[[nodiscard]] constexpr std::uint64_t random_key(std::uint64_t seed, Purpose purpose) noexcept {
  return mix(mix(seed) + static_cast<std::uint64_t>(purpose) * golden_ratio);
}

[[nodiscard]] constexpr std::uint64_t draw(std::uint64_t key, std::uint64_t counter) noexcept {
  return mix(key + (counter + 1) * golden_ratio);
}

// Draws exactly uniformly below a bound.
class Bound {
 public:
  // `bound` is at least 1.
  explicit constexpr Bound(std::uint64_t bound) noexcept
      : bound_(bound), rejected_((0 - bound) % bound) {}

  [[nodiscard]] constexpr std::uint64_t bound() const noexcept { return bound_; }
  [[nodiscard]] constexpr std::uint64_t operator()(std::uint64_t key,
                                                   std::uint64_t counter) const noexcept {
    return of(draw(key, counter));
  }
  // The same from what was drawn.
  [[nodiscard]] constexpr std::uint64_t of(std::uint64_t drawn) const noexcept {
    Wide product = Wide{drawn} * bound_;
    while (static_cast<std::uint64_t>(product) < rejected_) [[unlikely]] {
      drawn = mix(drawn + golden_ratio);
      product = Wide{drawn} * bound_;
    }
    return static_cast<std::uint64_t>(product >> 64U);
  }

 private:
  std::uint64_t bound_;
  // 2^64 modulo the bound: products whose low half lies below would favour some results.
  std::uint64_t rejected_;
};

// Uniform below a bound of up to 128 bits, at least 1. Above 2^64: as many of the low bits of two
// chained draws (the first is the high half) as the largest result has, until they lie below.
[[nodiscard]] constexpr Wide draw_below(std::uint64_t key, std::uint64_t counter, Wide bound) {
  if (bound >> 64U == 0) return Bound(static_cast<std::uint64_t>(bound))(key, counter);
  const auto high_bits = std::bit_width(static_cast<std::uint64_t>((bound - 1) >> 64U));
  const Wide mask = high_bits == 64 ? ~Wide{0} : (Wide{1} << (64U + unsigned(high_bits))) - 1;
  std::uint64_t high = draw(key, counter);
  while (true) {
    const std::uint64_t low = mix(high + golden_ratio);
    const Wide drawn = ((Wide{high} << 64U) | low) & mask;
    if (drawn < bound) return drawn;
    high = mix(low + golden_ratio);
  }
}

}  // namespace netledger
