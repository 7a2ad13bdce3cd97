#include "space/row_indices.h"

#include <algorithm>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace netledger {

namespace {

// What a signed byte can weigh a code with.
constexpr std::uint32_t largest_weight = 127;

}  // namespace

Instructions best_instructions() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) {
    return Instructions::avx512;
  }
  if (__builtin_cpu_supports("avx2")) return Instructions::avx2;
#endif
  return Instructions::portable;
}

bool RowIndices::possible(const CostTables& tables, std::span<const std::uint32_t> sizes) noexcept {
  constexpr std::size_t most_entries = std::size_t{1} << 16U;
  constexpr std::uint32_t most_choices = 256;
  return tables.entry_count() <= most_entries &&
         std::ranges::all_of(sizes, [](auto size) { return size != 0 && size <= most_choices; });
}

RowIndices::RowIndices(const CostTables& tables, std::span<const std::uint32_t> sizes,
                       Instructions instructions)
    : instructions_(instructions),
      chunk_bytes_(instructions == Instructions::avx512 ? 64 : 16),
      lanes_(instructions == Instructions::avx512 ? 32 : 16),
      columns_(sizes.size()) {
  for (std::size_t first = 0; first < columns_; first += chunk_bytes_) {
    Chunk& chunk = chunks_.emplace_back();
    chunk.largest.fill(std::numeric_limits<std::uint8_t>::max());
    for (std::size_t byte = 0; byte < chunk_bytes_ && first + byte < columns_; ++byte) {
      chunk.present |= std::uint64_t{1} << byte;
      chunk.largest[byte] = static_cast<std::uint8_t>(sizes[first + byte] - 1);
    }
  }
  const std::span<const CostTable> all = tables.tables();
  // One group at least, which checks the ranges.
  for (std::size_t first = 0; first < std::max<std::size_t>(all.size(), 1); first += lanes_) {
    Group& group = groups_.emplace_back();
    const auto some = all.subspan(first, std::min(lanes_, all.size() - first));
    for (std::size_t lane = 0; lane < some.size(); ++lane) {
      group.first[lane] = static_cast<std::uint16_t>(some[lane].first);
    }
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) add_planes(some, chunk, group);
  }
}

std::vector<RowIndices::Pair> RowIndices::pairs(const CostTable& table, std::size_t chunk) const {
  std::vector<Pair> found;
  const std::size_t first = chunk * chunk_bytes_;
  for (std::size_t place = table.variables.size(); place-- > 0;) {
    const std::size_t byte = table.variables[place] - first;
    if (table.variables[place] < first || byte >= chunk_bytes_) continue;
    const std::uint32_t stride = table.strides[place];
    const bool paired = place > 0 && table.variables[place - 1] >= first &&
                        table.strides[place - 1] / stride <= largest_weight;
    if (!paired) {
      found.push_back({byte, byte, 0, stride});
      continue;
    }
    --place;
    found.push_back({table.variables[place] - first, byte, table.strides[place] / stride, stride});
  }
  return found;
}

void RowIndices::add_planes(std::span<const CostTable> tables, std::size_t chunk,
                            Group& group) const {
  const std::size_t before = group.planes.size();
  for (std::size_t lane = 0; lane < tables.size(); ++lane) {
    std::size_t plane = before;
    for (const Pair& pair : pairs(tables[lane], chunk)) {
      if (plane == group.planes.size()) group.planes.emplace_back().chunk = chunk;
      set_pair(pair, lane, group.planes[plane++]);
    }
  }
}

void RowIndices::set_pair(const Pair& pair, std::size_t lane, Plane& plane) const {
  plane.shuffle[2 * lane] = static_cast<std::uint8_t>(pair.first_byte);
  plane.shuffle[2 * lane + 1] = static_cast<std::uint8_t>(pair.second_byte);
  plane.weights[2 * lane] = static_cast<std::int8_t>(pair.weight);
  plane.weights[2 * lane + 1] = 1;
  plane.multipliers[lane] = static_cast<std::uint16_t>(pair.stride);
}

#if defined(__x86_64__)

struct RowKernels {
  // The common case: rows of one chunk, at most a vector of tables, few planes.
  template <std::size_t Planes>
  [[gnu::target("avx512f,avx512bw,avx512vbmi")]] static bool one_chunk(const RowIndices& self,
                                                                       const std::uint8_t* rows,
                                                                       std::ptrdiff_t stride,
                                                                       std::size_t count,
                                                                       std::uint16_t* indices) {
    const RowIndices::Group& group = self.groups_.front();
    const RowIndices::Chunk& chunk = self.chunks_.front();
    const __m512i largest = _mm512_load_si512(chunk.largest.data());
    const __m512i first = _mm512_load_si512(group.first.data());
    __m512i shuffles[Planes];
    __m512i weights[Planes];
    __m512i multipliers[Planes];
    for (std::size_t plane = 0; plane < Planes; ++plane) {
      shuffles[plane] = _mm512_load_si512(group.planes[plane].shuffle.data());
      weights[plane] = _mm512_load_si512(group.planes[plane].weights.data());
      multipliers[plane] = _mm512_load_si512(group.planes[plane].multipliers.data());
    }
    __mmask64 beyond = 0;
    for (std::size_t row = 0; row < count; ++row, rows += stride, indices += 32) {
      const __m512i codes = _mm512_maskz_loadu_epi8(chunk.present, rows);
      beyond |= _mm512_cmpgt_epu8_mask(codes, largest);
      __m512i sum = first;
      for (std::size_t plane = 0; plane < Planes; ++plane) {
        const __m512i pairs = _mm512_maddubs_epi16(permute(shuffles[plane], codes), weights[plane]);
        sum = _mm512_add_epi16(sum, _mm512_mullo_epi16(pairs, multipliers[plane]));
      }
      _mm512_storeu_si512(indices, sum);
    }
    return beyond == 0;
  }

  [[gnu::target("avx512f,avx512bw,avx512vbmi")]] static bool avx512(const RowIndices& self,
                                                                    const std::uint8_t* rows,
                                                                    std::ptrdiff_t stride,
                                                                    std::size_t count,
                                                                    std::uint16_t* indices) {
    if (self.chunks_.size() == 1 && self.groups_.size() == 1) {
      switch (self.groups_.front().planes.size()) {
        case 1:
          return one_chunk<1>(self, rows, stride, count, indices);
        case 2:
          return one_chunk<2>(self, rows, stride, count, indices);
        case 3:
          return one_chunk<3>(self, rows, stride, count, indices);
        case 4:
          return one_chunk<4>(self, rows, stride, count, indices);
        default:
          break;
      }
    }
    __mmask64 beyond = 0;
    for (std::size_t row = 0; row < count; ++row, rows += stride) {
      for (std::size_t index = 0; index < self.chunks_.size(); ++index) {
        const RowIndices::Chunk& chunk = self.chunks_[index];
        beyond |= _mm512_cmpgt_epu8_mask(_mm512_maskz_loadu_epi8(chunk.present, rows + 64 * index),
                                         _mm512_load_si512(chunk.largest.data()));
      }
      for (const RowIndices::Group& group : self.groups_) {
        __m512i sum = _mm512_load_si512(group.first.data());
        for (const RowIndices::Plane& plane : group.planes) {
          const __m512i codes =
              _mm512_maskz_loadu_epi8(self.chunks_[plane.chunk].present, rows + 64 * plane.chunk);
          const __m512i pairs =
              _mm512_maddubs_epi16(permute(_mm512_load_si512(plane.shuffle.data()), codes),
                                   _mm512_load_si512(plane.weights.data()));
          sum = _mm512_add_epi16(
              sum, _mm512_mullo_epi16(pairs, _mm512_load_si512(plane.multipliers.data())));
        }
        _mm512_storeu_si512(indices, sum);
        indices += 32;
      }
    }
    return beyond == 0;
  }

  // Loads whole chunks: the caller sees to it that they lie within the matrix.
  [[gnu::target("avx2")]] static bool avx2(const RowIndices& self, const std::uint8_t* rows,
                                           std::ptrdiff_t stride, std::size_t count,
                                           std::uint16_t* indices) {
    __m256i beyond = _mm256_setzero_si256();
    for (std::size_t row = 0; row < count; ++row, rows += stride) {
      for (std::size_t index = 0; index < self.chunks_.size(); ++index) {
        const __m256i largest =
            _mm256_broadcastsi128_si256(load16(self.chunks_[index].largest.data()));
        const __m256i codes = _mm256_broadcastsi128_si256(load16(rows + 16 * index));
        beyond = _mm256_or_si256(beyond, _mm256_subs_epu8(codes, largest));
      }
      for (const RowIndices::Group& group : self.groups_) {
        __m256i sum = load32(group.first.data());
        for (const RowIndices::Plane& plane : group.planes) {
          const __m256i codes = _mm256_broadcastsi128_si256(load16(rows + 16 * plane.chunk));
          const __m256i pairs =
              _mm256_maddubs_epi16(_mm256_shuffle_epi8(codes, load32(plane.shuffle.data())),
                                   load32(plane.weights.data()));
          sum = _mm256_add_epi16(sum, _mm256_mullo_epi16(pairs, load32(plane.multipliers.data())));
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(indices), sum);
        indices += 16;
      }
    }
    return _mm256_testz_si256(beyond, beyond) != 0;
  }

 private:
  // With a mask, as GCC 12 warns about its own header otherwise; it costs nothing.
  [[gnu::target("avx512f,avx512bw,avx512vbmi")]] static __m512i permute(__m512i shuffle,
                                                                        __m512i codes) {
    return _mm512_maskz_permutexvar_epi8(~__mmask64{0}, shuffle, codes);
  }
  [[gnu::target("avx2")]] static __m128i load16(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
  }
  [[gnu::target("avx2")]] static __m256i load32(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
};

bool RowIndices::compute(const std::uint8_t* rows, std::ptrdiff_t stride, std::size_t count,
                         const std::uint8_t* end, std::uint16_t* indices) const {
  if (instructions_ == Instructions::avx512) {
    return RowKernels::avx512(*this, rows, stride, count, indices);
  }
  // Rows whose last chunk would be read beyond the end are copied to where there is room.
  const std::size_t padded = chunks_.size() * chunk_bytes_;
  std::size_t inside = count;
  const auto leaves = [&](std::size_t row) {
    return end - (rows + static_cast<std::ptrdiff_t>(row) * stride) <
           static_cast<std::ptrdiff_t>(padded);
  };
  while (inside > 0 && leaves(inside - 1)) --inside;
  bool valid = RowKernels::avx2(*this, rows, stride, inside, indices);
  std::vector<std::uint8_t> copy(padded);
  for (std::size_t row = inside; row < count; ++row) {
    std::memcpy(copy.data(), rows + static_cast<std::ptrdiff_t>(row) * stride, columns_);
    valid = RowKernels::avx2(*this, copy.data(), 0, 1, indices + row * row_length()) && valid;
  }
  return valid;
}

#else

// Never called: portable instructions do not come here.
bool RowIndices::compute(const std::uint8_t*, std::ptrdiff_t, std::size_t, const std::uint8_t*,
                         std::uint16_t*) const {
  return false;
}

#endif

}  // namespace netledger
