// Shape: the sizes of a tensor, each a Quantity.
#pragma once

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
  explicit Shape(std::span<const Quantity> sizes) : rank_(sizes.size()) {
    if (rank_ > maximum_rank) refuse_rank();
    for (std::size_t dimension = 0; dimension < rank_; ++dimension) {
      sizes_[dimension] = sizes[dimension];
    }
  }

  // Copies only the sizes in use.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  Shape(const Shape& other) noexcept : rank_(other.rank_) {
    for (std::size_t dimension = 0; dimension < rank_; ++dimension) {
      sizes_[dimension] = other.sizes_[dimension];
    }
  }
  Shape& operator=(const Shape& other) noexcept {
    rank_ = other.rank_;
    for (std::size_t dimension = 0; dimension < rank_; ++dimension) {
      sizes_[dimension] = other.sizes_[dimension];
    }
    return *this;
  }
  ~Shape() = default;

  void append(const Quantity& size) {
    if (rank_ == maximum_rank) refuse_rank();
    sizes_[rank_++] = size;
  }
  void clear() noexcept { rank_ = 0; }
  // So many sizes, to be filled in.
  void resize(std::size_t rank) {
    if (rank > maximum_rank) refuse_rank();
    rank_ = rank;
  }

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
  [[noreturn]] static void refuse_rank() {
    throw std::length_error("a tensor has at most 16 dimensions");
  }

  std::array<Quantity, maximum_rank> sizes_;
  std::size_t rank_ = 0;
};

}  // namespace netledger
