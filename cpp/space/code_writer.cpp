#include "space/code_writer.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace netledger {

namespace {

constexpr std::size_t word_bytes = sizeof(std::uint64_t);

// The codes of `count` neighbours of a part, from variable number `place` on, by combination.
std::vector<std::uint64_t> words_of(const CodePart& part, std::size_t place, std::size_t count,
                                    CodeWidth width) {
  std::vector<std::uint64_t> words(part.size());
  for (std::size_t choice = 0; choice < words.size(); ++choice) {
    const std::uint16_t* const codes = part.codes.data() + choice * part.variables.size() + place;
    std::byte bytes[word_bytes] = {};
    for (std::size_t index = 0; index < count; ++index) {
      if (width == CodeWidth::byte) {
        bytes[index] = static_cast<std::byte>(codes[index]);
      } else {
        std::memcpy(bytes + 2 * index, codes + index, 2);
      }
    }
    std::memcpy(&words[choice], bytes, word_bytes);
  }
  return words;
}

}  // namespace

CodeWriter::CodeWriter(std::span<const CodePart> parts, CodeWidth width)
    : part_count_(parts.size()), width_(width) {
  const std::size_t most = word_bytes / static_cast<std::size_t>(width);
  // Parts alike share their words, which stay in the cache.
  std::map<std::vector<std::uint64_t>, std::size_t> known;
  for (std::uint32_t part = 0; part < parts.size(); ++part) {
    const std::vector<VariableIndex>& variables = parts[part].variables;
    for (std::size_t place = 0; place < variables.size();) {
      std::size_t count = 1;
      while (count < most && place + count < variables.size() &&
             variables[place + count] == variables[place] + count) {
        ++count;
      }
      const auto words = words_of(parts[part], place, count, width);
      const auto [same, added] = known.try_emplace(words, words_.size());
      if (added) words_.insert(words_.end(), words.begin(), words.end());
      const std::size_t offset = variables[place] * static_cast<std::size_t>(width);
      segments_.push_back(
          {part, static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(offset),
           static_cast<std::uint32_t>(count * static_cast<std::size_t>(width)), same->second});
      place += count;
    }
  }
  std::ranges::sort(segments_, {}, &Segment::offset);
}

void CodeWriter::write(std::span<const std::uint32_t> choices, const CodeOutput& output,
                       std::size_t first) const noexcept {
  const std::size_t row_bytes = output.columns * static_cast<std::size_t>(output.width);
  const std::size_t rows = part_count_ == 0 ? 0 : choices.size() / part_count_;
  for (std::size_t index = 0; index < rows; ++index) {
    const std::uint32_t* const choice = choices.data() + index * part_count_;
    std::byte* const row = output.row(first + index);
    // Whole words where enough bytes are behind the row, else no more than the segment.
    const std::size_t after = (output.rows - (first + index) - 1) * row_bytes;
    if (after >= word_bytes) {
      for (const Segment& segment : segments_) {
        std::memcpy(row + segment.offset, &words_[segment.words + choice[segment.part]],
                    word_bytes);
      }
    } else {
      for (const Segment& segment : segments_) {
        std::memcpy(row + segment.offset, &words_[segment.words + choice[segment.part]],
                    segment.bytes);
      }
    }
  }
}

// Segment by segment: a row's last word reaches into the next row, whose first one, read at once,
// would have to wait for it.
void CodeWriter::overwrite(std::span<const std::uint32_t> choices,
                           std::span<const std::uint8_t> masks, const CodeOutput& output,
                           std::size_t first) const noexcept {
  const std::size_t row_bytes = output.columns * static_cast<std::size_t>(output.width);
  const std::size_t rows = part_count_ == 0 ? 0 : choices.size() / part_count_;
  for (const Segment& all : segments_) {
    // A copy: bytes that are written might be anything else's.
    const Segment segment = all;
    const std::uint64_t* const words = words_.data() + segment.words;
    const CodeWidth width = width_;
    const std::size_t parts = part_count_;
    std::byte* to = output.row(first) + segment.offset;
    std::size_t after = (output.rows - first) * row_bytes;
    for (std::size_t index = segment.part; index < rows * parts; index += parts) {
      after -= row_bytes;
      const std::uint64_t mask = expand_mask(std::uint32_t{masks[index]} >> segment.place, width);
      const std::uint64_t fresh = words[choices[index]];
      std::uint64_t word = 0;
      if (after >= word_bytes) {
        std::memcpy(&word, to, word_bytes);
        word = (word & ~mask) | (fresh & mask);
        std::memcpy(to, &word, word_bytes);
      } else {
        std::memcpy(&word, to, segment.bytes);
        word = (word & ~mask) | (fresh & mask);
        std::memcpy(to, &word, segment.bytes);
      }
      to += row_bytes;
    }
  }
}

}  // namespace netledger
