// Arena: a growing sequence in chunks. Nothing is ever moved, so millions of layers cost no copying
// and at most one chunk of memory to spare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace netledger {

template <class T>
class Arena {
 public:
  // Positions are kept in 32 bits; the last one is free for a mark.
  static constexpr std::size_t maximum_size = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t index) {
    return chunks_[index >> chunk_bits][index & chunk_mask];
  }
  [[nodiscard]] const T& operator[](std::size_t index) const {
    return chunks_[index >> chunk_bits][index & chunk_mask];
  }

  T& push_back(const T& item) {
    T& place = append();
    place = item;
    return place;
  }
  // A new item at the end, to be filled in.
  [[nodiscard]] T& append() { return (*this)[allocate(1)]; }

  // Room for `count` neighbours; returns the index of the first.
  [[nodiscard]] std::size_t allocate(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    const std::size_t first = size_;
    size_ += count;
    return first;
  }

  // Neighbours that `allocate` returned.
  [[nodiscard]] std::span<const T> at(std::size_t first, std::size_t count) const {
    return count == 0 ? std::span<const T>{} : std::span<const T>(&(*this)[first], count);
  }
  [[nodiscard]] std::span<T> at(std::size_t first, std::size_t count) {
    return count == 0 ? std::span<T>{} : std::span<T>(&(*this)[first], count);
  }

 private:
  static constexpr std::size_t chunk_bits = 14;
  static constexpr std::size_t chunk_size = std::size_t{1} << chunk_bits;
  static constexpr std::size_t chunk_mask = chunk_size - 1;

  // A block of one chunk, or of several where so many neighbours need them. The rest of the chunk
  // before stays empty: neighbours are never split.
  void grow(std::size_t count) {
    const std::size_t chunks = (count + chunk_size - 1) >> chunk_bits;
    if (chunks > (maximum_size - capacity_) >> chunk_bits) {
      throw std::length_error("a graph is too large to store");
    }
    chunks_.reserve(chunks_.size() + chunks);
    blocks_.push_back(std::make_unique_for_overwrite<T[]>(chunks << chunk_bits));
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      chunks_.push_back(blocks_.back().get() + (chunk << chunk_bits));
    }
    size_ = capacity_;
    capacity_ += chunks << chunk_bits;
  }

  std::vector<std::unique_ptr<T[]>> blocks_;
  // Where every chunk stands in its block.
  std::vector<T*> chunks_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace netledger
