// Natural: a count of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "space/random.h"

namespace netledger {

class Natural {
 public:
  Natural() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a small count is a count.
  Natural(std::uint64_t value) {
    if (value != 0) limbs_.push_back(value);
  }
  static Natural of_wide(Wide value);

  // The least significant 64 bits first; no leading zeros.
  [[nodiscard]] const std::vector<std::uint64_t>& limbs() const noexcept { return limbs_; }
  [[nodiscard]] bool is_zero() const noexcept { return limbs_.empty(); }
  [[nodiscard]] std::size_t bits() const noexcept;
  // A double next to it; infinity beyond them.
  [[nodiscard]] double approximate() const noexcept;

  Natural& operator+=(const Natural& other);
  // Throws std::logic_error where the other is larger.
  Natural& operator-=(const Natural& other);
  friend Natural operator+(Natural left, const Natural& right) { return left += right; }
  friend Natural operator-(Natural left, const Natural& right) { return left -= right; }
  friend Natural operator*(const Natural& left, const Natural& right);
  friend bool operator==(const Natural&, const Natural&) = default;
  friend bool operator<(const Natural& left, const Natural& right) noexcept;

 private:
  void trim() noexcept;

  std::vector<std::uint64_t> limbs_;
};

}  // namespace netledger
