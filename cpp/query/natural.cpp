#include "query/natural.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

namespace netledger {

Natural Natural::of_wide(Wide value) {
  Natural result;
  result.limbs_ = {static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64U)};
  result.trim();
  return result;
}

std::size_t Natural::bits() const noexcept {
  if (limbs_.empty()) return 0;
  return 64 * (limbs_.size() - 1) + static_cast<std::size_t>(std::bit_width(limbs_.back()));
}

double Natural::approximate() const noexcept {
  double result = 0;
  for (std::size_t place = limbs_.size(); place-- > 0;) {
    result = std::ldexp(result, 64) + static_cast<double>(limbs_[place]);
  }
  return result;
}

Natural& Natural::operator+=(const Natural& other) {
  limbs_.resize(std::max(limbs_.size(), other.limbs_.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t place = 0; place < limbs_.size(); ++place) {
    const std::uint64_t added = place < other.limbs_.size() ? other.limbs_[place] : 0;
    const Wide sum = Wide{limbs_[place]} + added + carry;
    limbs_[place] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64U);
  }
  trim();
  return *this;
}

Natural& Natural::operator-=(const Natural& other) {
  if (*this < other) throw std::logic_error("a count is not negative");
  std::uint64_t borrow = 0;
  for (std::size_t place = 0; place < limbs_.size(); ++place) {
    const std::uint64_t taken = place < other.limbs_.size() ? other.limbs_[place] : 0;
    const Wide difference = Wide{limbs_[place]} - taken - borrow;
    limbs_[place] = static_cast<std::uint64_t>(difference);
    borrow = static_cast<std::uint64_t>(difference >> 64U) == 0 ? 0 : 1;
  }
  trim();
  return *this;
}

Natural operator*(const Natural& left, const Natural& right) {
  Natural result;
  result.limbs_.resize(left.limbs_.size() + right.limbs_.size());
  for (std::size_t low = 0; low < left.limbs_.size(); ++low) {
    std::uint64_t carry = 0;
    for (std::size_t high = 0; high < right.limbs_.size(); ++high) {
      std::uint64_t& limb = result.limbs_[low + high];
      const Wide product = Wide{left.limbs_[low]} * right.limbs_[high] + limb + carry;
      limb = static_cast<std::uint64_t>(product);
      carry = static_cast<std::uint64_t>(product >> 64U);
    }
    result.limbs_[low + right.limbs_.size()] = carry;
  }
  result.trim();
  return result;
}

bool operator<(const Natural& left, const Natural& right) noexcept {
  if (left.limbs_.size() != right.limbs_.size()) return left.limbs_.size() < right.limbs_.size();
  return std::lexicographical_compare(left.limbs_.rbegin(), left.limbs_.rend(),
                                      right.limbs_.rbegin(), right.limbs_.rend());
}

void Natural::trim() noexcept {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
}

}  // namespace netledger
