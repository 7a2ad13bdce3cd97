// Shape: the sizes of a tensor, each a Quantity.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <stdexcept>

#include "quantity/quantity.h"

namespace netledger {

class Shape {
 public:
  // More dimensions than any published layer uses; a fixed room keeps shapes off the heap.
  static constexpr std::size_t maximum_rank = 16;

  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): sizes are filled as they are added.
  Shape() noexcept {}
  Shape(std::initializer_list<Quantity> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  explicit Shape(std::span<const Quantity> sizes) {
    for (const Quantity& size : sizes) append(size);
  }

  // Copies only the sizes in use.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  Shape(const Shape& other) : Shape(other.sizes()) {}
  Shape& operator=(const Shape& other) {
    if (this != &other) {
      std::copy(other.begin(), other.end(), sizes_.begin());
      rank_ = other.rank_;
    }
    return *this;
  }
  ~Shape() = default;

  void append(const Quantity& size) {
    if (rank_ == maximum_rank) throw std::length_error("a tensor has at most 16 dimensions");
    sizes_[rank_++] = size;
  }
  void clear() noexcept { rank_ = 0; }

  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }
  [[nodiscard]] const Quantity& operator[](std::size_t dimension) const {
    return sizes_[dimension];
  }
  [[nodiscard]] Quantity& operator[](std::size_t dimension) { return sizes_[dimension]; }
  // Counted from the end: last(0) is the last dimension.
  [[nodiscard]] const Quantity& last(std::size_t dimension = 0) const {
    return sizes_[rank_ - 1 - dimension];
  }

  [[nodiscard]] std::span<const Quantity> sizes() const noexcept { return {sizes_.data(), rank_}; }
  [[nodiscard]] std::span<const Quantity> sizes(std::size_t from, std::size_t to) const {
    return sizes().subspan(from, to - from);
  }
  [[nodiscard]] const Quantity* begin() const noexcept { return sizes_.data(); }
  [[nodiscard]] const Quantity* end() const noexcept { return sizes_.data() + rank_; }

  [[nodiscard]] Quantity elements() const { return product(sizes()); }

 private:
  std::array<Quantity, maximum_rank> sizes_;
  std::size_t rank_ = 0;
};

}  // namespace netledger
