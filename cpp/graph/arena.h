// Arena: a growing sequence in chunks. Nothing is ever moved, so millions of layers cost no copying
// and at most one chunk of memory to spare.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace netledger {

template <class T>
class Arena {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t index) {
    return chunks_[index >> chunk_bits][index & chunk_mask];
  }
  [[nodiscard]] const T& operator[](std::size_t index) const {
    return chunks_[index >> chunk_bits][index & chunk_mask];
  }

  T& push_back(const T& item) {
    reserve(1);
    T& place = (*this)[size_++];
    place = item;
    return place;
  }

  // Room for `count` neighbours, all in one chunk; returns the index of the first.
  [[nodiscard]] std::size_t allocate(std::size_t count) {
    reserve(count);
    const std::size_t first = size_;
    size_ += count;
    return first;
  }

  // Neighbours that `allocate` returned.
  [[nodiscard]] std::span<const T> at(std::size_t first, std::size_t count) const {
    return count == 0 ? std::span<const T>{} : std::span<const T>(&(*this)[first], count);
  }

 private:
  static constexpr std::size_t chunk_bits = 14;
  static constexpr std::size_t chunk_size = std::size_t{1} << chunk_bits;
  static constexpr std::size_t chunk_mask = chunk_size - 1;

  void reserve(std::size_t count) {
    if (count > chunk_size) throw std::length_error("a layer is too large to store");
    const std::size_t capacity = chunks_.size() * chunk_size;
    if (capacity - size_ >= count) return;
    // The rest of the last chunk stays empty: neighbours are never split.
    size_ = capacity;
    chunks_.push_back(std::make_unique_for_overwrite<T[]>(chunk_size));
  }

  std::vector<std::unique_ptr<T[]>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace netledger
