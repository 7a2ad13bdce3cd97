#include "space/candidates.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <string>

#include "space/draws.h"
#include "space/error.h"

namespace netledger {

namespace {

constexpr std::size_t block = CodeColumns::block;

// Limits of a group of variables that one number draws.
constexpr std::size_t most_in_group = 8;
constexpr std::uint64_t most_choices = std::uint64_t{1} << 16U;

// Attempts of one candidate are so many candidates apart.
constexpr std::uint64_t attempt_distance = std::uint64_t{1} << 40U;

CodeWidth width_of(const CodeRanges& ranges) {
  return ranges.largest_code() < 256 ? CodeWidth::byte : CodeWidth::word;
}

// Of eight bits the first becomes the last.
constexpr std::uint32_t reversed_bits(std::uint64_t bits) noexcept {
  std::uint32_t reversed = 0;
  for (unsigned bit = 0; bit < 8; ++bit) {
    reversed |= static_cast<std::uint32_t>(bits >> bit & 1U) << (7 - bit);
  }
  return reversed;
}

constexpr std::array<std::uint8_t, 256> make_reversed() {
  std::array<std::uint8_t, 256> all{};
  for (std::size_t bits = 0; bits < all.size(); ++bits) {
    all[bits] = static_cast<std::uint8_t>(reversed_bits(bits));
  }
  return all;
}

constexpr std::array<std::uint8_t, 256> reversed_bytes = make_reversed();

// A matrix of its own.
class CodeBuffer {
 public:
  CodeBuffer(std::size_t rows, std::size_t columns, CodeWidth width)
      : rows_(rows),
        columns_(columns),
        width_(width),
        bytes_(rows * columns * static_cast<std::size_t>(width)) {}

  // Its first rows.
  [[nodiscard]] CodeOutput output(std::size_t rows) {
    return {bytes_.data(), rows, columns_, width_};
  }
  [[nodiscard]] CodeOutput output() { return output(rows_); }

 private:
  std::size_t rows_;
  std::size_t columns_;
  CodeWidth width_;
  std::vector<std::byte> bytes_;
};

// Which rows are refused, found by counting them.
class RefusalFinder {
 public:
  explicit RefusalFinder(const Sweeper& sweeper)
      : sweeper_(sweeper), workspace_(sweeper.workspace()) {
    const std::size_t metrics = sweeper.plan().metrics.size();
    const std::size_t reals = sweeper.plan().real_metrics.size();
    totals_.resize(metrics * block);
    reals_.resize(reals * block);
    for (std::size_t metric = 0; metric < metrics; ++metric) {
      costs_.metrics.push_back(totals_.data() + metric * block);
    }
    for (std::size_t metric = 0; metric < reals; ++metric) {
      costs_.reals.push_back(reals_.data() + metric * block);
    }
  }

  void find(const CodeOutput& rows, std::vector<Refusal>& refusals) {
    refusals.resize(rows.rows);
    for (std::size_t done = 0; done < rows.rows; done += block) {
      costs_.refusals = refusals.data() + done;
      sweeper_.sweep(rows.view(), done, std::min(block, rows.rows - done), costs_, *workspace_);
    }
  }

 private:
  const Sweeper& sweeper_;
  Sweeper::WorkspacePointer workspace_;
  std::vector<std::int64_t> totals_;
  std::vector<double> reals_;
  CostColumns costs_;
};

// One mask per draw, of a group of so many variables; masks are a distance apart.
void choose_masks(std::span<const std::uint64_t> draws, const MaskTable& table,
                  std::size_t variables, std::uint8_t* masks, std::size_t distance) {
  constexpr std::uint64_t fractions = (std::uint64_t{1} << 56U) - 1;
  const std::uint64_t* const thresholds = table.thresholds.data();
  const std::uint8_t* const aliases = table.aliases.data();
  // Two shifts: one by all 64 bits is not defined.
  const std::size_t shift = 63 - variables;
  for (const std::uint64_t drawn : draws) {
    const std::uint64_t slot = drawn >> shift >> 1U;
    // Which of the two it is cannot be foreseen: no branch.
    const std::uint64_t own = 0U - std::uint64_t{(drawn & fractions) < thresholds[slot]};
    *masks = static_cast<std::uint8_t>((slot & own) | (aliases[slot] & ~own));
    masks += distance;
  }
}

void choose_below(std::span<const std::uint64_t> draws, const Bound& bound, std::uint32_t* choices,
                  std::size_t distance) {
  const Bound below = bound;
  for (const std::uint64_t drawn : draws) {
    *choices = static_cast<std::uint32_t>(below.of(drawn));
    choices += distance;
  }
}

[[gnu::always_inline]] inline void cross_word(const std::byte* from, std::uint64_t mask,
                                              std::size_t bytes, std::byte* to) {
  std::uint64_t mine = 0;
  std::uint64_t other = 0;
  std::memcpy(&mine, to, bytes);
  std::memcpy(&other, from, bytes);
  mine = (mine & ~mask) | (other & mask);
  std::memcpy(to, &mine, bytes);
}

// Children begin as one parent; each variable whose bit is drawn becomes the other's.
void cross_rows(std::uint64_t key, std::uint64_t first, const CodeOutput& others,
                const CodeOutput& children) {
  constexpr std::size_t word_bytes = sizeof(std::uint64_t);
  const std::size_t per_word = word_bytes / static_cast<std::size_t>(children.width);
  const std::size_t row_bytes = children.columns * static_cast<std::size_t>(children.width);
  const std::size_t draws = (children.columns + 63) / 64;
  for (std::size_t row = 0; row < children.rows; ++row) {
    std::byte* to = children.row(row);
    const std::byte* from = others.row(row);
    std::size_t left = row_bytes;
    for (std::size_t column = 0; column < children.columns; column += per_word) {
      const std::uint64_t drawn = draw(key, (first + row) * draws + column / 64);
      const std::uint64_t mask =
          expand_mask(reversed_bytes[drawn << (column % 64) >> 56U], children.width);
      const std::size_t bytes = std::min(left, word_bytes);
      // A known size is not a call.
      if (bytes == word_bytes) {
        cross_word(from, mask, word_bytes, to);
      } else {
        cross_word(from, mask, bytes, to);
      }
      to += bytes;
      from += bytes;
      left -= bytes;
    }
  }
}

// Several rows at once: the chain of one is long.
template <class Code>
void hash_rows(const CodeOutput& rows, std::uint64_t* hashes) {
  constexpr std::size_t together = 8;
  const Code* codes = static_cast<const Code*>(rows.data);
  for (std::size_t first = 0; first < rows.rows; first += together) {
    const std::size_t count = std::min(together, rows.rows - first);
    std::array<std::uint64_t, together> hash{};
    for (std::size_t variable = 0; variable < rows.columns; ++variable) {
      const std::uint64_t offset = (variable + 1) * golden_ratio;
      for (std::size_t row = 0; row < together; ++row) {
        // Behind the last row the first is hashed again, for nothing.
        const std::size_t place = row < count ? row : 0;
        hash[row] = mix(hash[row] ^ (codes[place * rows.columns + variable] + offset));
      }
    }
    std::copy_n(hash.begin(), count, hashes + first);
    codes += count * rows.columns;
  }
}

}  // namespace

// -- drawing
// -----------------------------------------------------------------------------------------

// Draws the choices of groups or digits.
class Candidates::Drawer {
 public:
  Drawer(const Candidates& candidates, Law law, std::uint64_t seed)
      : plan_(candidates.digits_.plan()),
        bounds_(law == Law::genes ? candidates.group_bounds_ : candidates.digit_bounds_),
        key_(random_key(seed, law == Law::genes ? Purpose::genes : Purpose::architectures)) {
    if (law == Law::architectures) large_ = candidates.large_components();
    for (const LargeComponent& component : large_) {
      if (component.completions.total() == 0) refuse_empty();
    }
  }

  [[nodiscard]] std::size_t count() const noexcept { return bounds_.size(); }
  void draw(std::uint64_t candidate, std::uint64_t attempt, std::uint32_t* choices) const {
    const std::uint64_t base = (candidate + attempt * attempt_distance) * bounds_.size();
    for (std::size_t part = 0; part < bounds_.size(); ++part) {
      choices[part] = static_cast<std::uint32_t>(bounds_[part](key_, base + part));
    }
    for (const LargeComponent& component : large_) draw_component(component, base, choices);
  }
  // The first attempts of some candidates at once, of at most a block.
  void draw_rows(std::uint64_t candidate, std::size_t rows, std::uint32_t* choices) const {
    std::array<std::uint64_t, block> draws{};
    const std::size_t parts = bounds_.size();
    for (std::size_t part = 0; part < parts; ++part) {
      fill_draws(key_, candidate * parts + part, parts, rows, draws.data());
      choose_below({draws.data(), rows}, bounds_[part], choices + part, parts);
    }
    for (const LargeComponent& component : large_) {
      for (std::size_t row = 0; row < rows; ++row) {
        draw_component(component, (candidate + row) * parts, choices + row * parts);
      }
    }
  }
  [[noreturn]] static void refuse_empty() {
    throw SpaceError("every configuration of the space is refused: there is nothing to draw");
  }

 private:
  // Variable by variable, weighted with the number of ways to complete it.
  void draw_component(const LargeComponent& component, std::uint64_t base,
                      std::uint32_t* choices) const {
    std::vector<std::uint16_t> codes(plan_.variables.size());
    std::vector<Wide> weights;
    const std::vector<VariableIndex>& variables = component.completions.variables();
    for (std::size_t place = 0; place < variables.size(); ++place) {
      component.completions.weigh(place, codes, weights);
      const Wide total = std::accumulate(weights.begin(), weights.end(), Wide{0});
      const std::size_t digit = component.digits[place];
      Wide drawn = draw_below(key_, base + digit, total);
      std::uint32_t code = 0;
      while (drawn >= weights[code]) drawn -= weights[code++];
      codes[variables[place]] = static_cast<std::uint16_t>(code);
      choices[digit] = code;
    }
  }

  const Plan& plan_;
  std::span<const Bound> bounds_;
  std::uint64_t key_;
  std::span<const LargeComponent> large_;
};

Candidates::Candidates(const Digits& digits, const Sweeper& sweeper)
    : digits_(digits), sweeper_(sweeper) {
  group_variables();
}

void Candidates::group_variables() {
  const std::vector<PlanVariable>& variables = digits_.plan().variables;
  std::uint64_t product = 1;
  for (VariableIndex variable = 0; variable < variables.size(); ++variable) {
    const std::uint64_t size = variables[variable].size;
    if (groups_.empty() || product * size > most_choices ||
        groups_.back().size() == most_in_group) {
      groups_.emplace_back();
      product = 1;
    }
    groups_.back().push_back(variable);
    product *= size;
  }
  for (const auto& group : groups_) {
    std::uint64_t choices = 1;
    for (const VariableIndex variable : group) choices *= variables[variable].size;
    group_bounds_.emplace_back(choices);
  }
  // A digit without any combination is refused before it is drawn.
  for (const Digit& digit : digits_.digits()) {
    digit_bounds_.emplace_back(std::max(digit.size, 1U));
  }
}

CodePart Candidates::part_of_group(std::span<const VariableIndex> group) const {
  CodePart part{{group.begin(), group.end()}, {}};
  std::vector<std::uint16_t> codes(group.size());
  while (true) {
    part.codes.insert(part.codes.end(), codes.begin(), codes.end());
    std::size_t place = group.size();
    while (place > 0) {
      --place;
      const std::uint32_t next = codes[place] + 1U;
      const bool carries = next == digits_.plan().variables[group[place]].size;
      codes[place] = static_cast<std::uint16_t>(carries ? 0 : next);
      if (!carries) break;
      if (place == 0) return part;
    }
  }
}

const CodeWriter& Candidates::writer(Law law, CodeWidth width) const {
  const std::scoped_lock lock(mutex_);
  const auto key = std::make_pair(law, width);
  const auto known = writers_.find(key);
  if (known != writers_.end()) return known->second;
  std::vector<CodePart> parts;
  if (law == Law::genes) {
    for (const auto& group : groups_) parts.push_back(part_of_group(group));
  } else {
    for (const Digit& digit : digits_.digits()) parts.push_back({digit.variables, digit.codes});
  }
  return writers_.emplace(key, CodeWriter(parts, width)).first->second;
}

const std::vector<Candidates::LargeComponent>& Candidates::large_components() const {
  const std::scoped_lock lock(mutex_);
  if (large_components_) return *large_components_;
  std::map<std::uint32_t, std::vector<std::size_t>> by_component;
  for (std::size_t digit = 0; digit < digits_.digits().size(); ++digit) {
    const Digit& single = digits_.digits()[digit];
    if (!single.whole) by_component[single.component].push_back(digit);
  }
  std::vector<LargeComponent> found;
  for (const auto& [component, members] : by_component) {
    std::vector<VariableIndex> variables;
    for (const std::size_t digit : members) {
      variables.push_back(digits_.digits()[digit].variables.front());
    }
    found.push_back({Completions(digits_.plan(), variables), members});
  }
  large_components_ = std::move(found);
  return *large_components_;
}

void Candidates::random(Law law, std::uint64_t seed, std::uint64_t first,
                        const CodeOutput& output) const {
  digits_.variable_ranges().check_output(output, output.rows);
  if (output.rows == 0) return;
  for (const Digit& digit : digits_.digits()) {
    if (digit.size == 0) Drawer::refuse_empty();
  }
  const Drawer drawer(*this, law, seed);
  const CodeWriter& write = writer(law, output.width);
  std::vector<std::uint32_t> choices(drawer.count() * block);
  for (std::size_t done = 0; done < output.rows; done += block) {
    const std::size_t rows = std::min(block, output.rows - done);
    drawer.draw_rows(first + done, rows, choices.data());
    write.write({choices.data(), rows * drawer.count()}, output, done);
  }
  const bool refuses = law == Law::genes ? sweeper_.may_refuse() : digits_.may_refuse();
  if (refuses) redraw(drawer, write, first, output);
}

// Draws those again that a step refuses, all at once, until none is left.
void Candidates::redraw(const Drawer& drawer, const CodeWriter& write, std::uint64_t first,
                        const CodeOutput& output) const {
  RefusalFinder finder(sweeper_);
  std::vector<std::size_t> refused;
  std::vector<Refusal> refusals;
  finder.find(output, refusals);
  for (std::size_t row = 0; row < output.rows; ++row) {
    if (refusals[row] != accepted) refused.push_back(row);
  }
  CodeBuffer buffer(refused.size(), output.columns, output.width);
  std::vector<std::uint32_t> choices(refused.size() * drawer.count());
  const std::size_t row_bytes = output.columns * static_cast<std::size_t>(output.width);
  for (std::uint64_t attempt = 1; !refused.empty(); ++attempt) {
    if (attempt == most_attempts) {
      throw SpaceError("candidate " + std::to_string(first + refused.front()) + ": " +
                       std::to_string(most_attempts) +
                       " attempts in a row were refused; the space's constraints leave too few "
                       "configurations to draw them this way");
    }
    const CodeOutput drawn = buffer.output(refused.size());
    for (std::size_t index = 0; index < refused.size(); ++index) {
      drawer.draw(first + refused[index], attempt, choices.data() + index * drawer.count());
    }
    write.write({choices.data(), refused.size() * drawer.count()}, drawn, 0);
    finder.find(drawn, refusals);
    std::vector<std::size_t> still;
    for (std::size_t index = 0; index < refused.size(); ++index) {
      if (refusals[index] == accepted) {
        std::memcpy(output.row(refused[index]), drawn.row(index), row_bytes);
      } else {
        still.push_back(refused[index]);
      }
    }
    refused = std::move(still);
  }
}

// -- changing
// ----------------------------------------------------------------------------------------

void Candidates::check_masks(std::span<const MaskTable> masks) const {
  if (masks.size() != groups_.size()) {
    throw SpaceError("mutate needs " + std::to_string(groups_.size()) + " mask tables; got " +
                     std::to_string(masks.size()));
  }
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const std::size_t count = std::size_t{1} << groups_[group].size();
    const MaskTable& table = masks[group];
    const bool inside = std::ranges::all_of(table.aliases, [&](auto mask) { return mask < count; });
    if (table.thresholds.size() != count || table.aliases.size() != count || !inside) {
      throw SpaceError("the mask table of group " + std::to_string(group) + " needs " +
                       std::to_string(count) + " thresholds and as many aliases below that");
    }
  }
}

void Candidates::check_same_rows(const CodeView& codes, const CodeOutput& output) const {
  digits_.variable_ranges().check_shape(codes);
  digits_.variable_ranges().check_output(output, codes.rows);
}

// Copies the rows from `first` on; throws where a code is out of range.
void Candidates::copy_rows(const CodeView& codes, std::size_t first,
                           const CodeOutput& output) const {
  const CodeView rows = codes.from(first, output.rows);
  digits_.variable_ranges().check(rows, first);
  const CodeView to = output.view();
  if (rows.width == to.width && rows.row_stride == to.row_stride &&
      rows.column_stride == to.column_stride) {
    if (output.rows > 0) {
      std::memcpy(output.data, rows.data, output.rows * static_cast<std::size_t>(to.row_stride));
    }
    return;
  }
  CodeColumns columns(codes.columns);
  for (std::size_t done = 0; done < rows.rows; done += block) {
    const std::size_t count = std::min(block, rows.rows - done);
    columns.read(rows, done, count);
    columns.write(output, done, count);
  }
}

void Candidates::mutate(const CodeView& codes, std::span<const MaskTable> masks, std::uint64_t seed,
                        std::uint64_t first, const CodeOutput& output) const {
  check_same_rows(codes, output);
  check_masks(masks);
  const std::uint64_t key = random_key(seed, Purpose::mutate);
  const CodeWriter& write = writer(Law::genes, output.width);
  const std::size_t groups = groups_.size();
  std::vector<std::uint32_t> choices(groups * block);
  std::vector<std::uint8_t> chosen(groups * block);
  std::array<std::uint64_t, block> draws{};
  for (std::size_t done = 0; done < output.rows; done += block) {
    const std::size_t rows = std::min(block, output.rows - done);
    copy_rows(codes, done, output.from(done, rows));
    for (std::size_t group = 0; group < groups; ++group) {
      const std::uint64_t counter = ((first + done) * groups + group) * 2;
      const std::span<const std::uint64_t> drawn(draws.data(), rows);
      fill_draws(key, counter, 2 * groups, rows, draws.data());
      choose_masks(drawn, masks[group], groups_[group].size(), chosen.data() + group, groups);
      fill_draws(key, counter + 1, 2 * groups, rows, draws.data());
      choose_below(drawn, group_bounds_[group], choices.data() + group, groups);
    }
    write.overwrite({choices.data(), rows * groups}, {chosen.data(), rows * groups}, output, done);
  }
}

void Candidates::crossover(const CodeView& a, const CodeView& b, std::uint64_t seed,
                           std::uint64_t first, const CodeOutput& output) const {
  check_same_rows(a, output);
  check_same_rows(b, output);
  const std::uint64_t key = random_key(seed, Purpose::crossover);
  CodeBuffer other(block, output.columns, output.width);
  for (std::size_t done = 0; done < output.rows; done += block) {
    const CodeOutput children = output.from(done, std::min(block, output.rows - done));
    const CodeOutput others = other.output(children.rows);
    copy_rows(a, done, children);
    copy_rows(b, done, others);
    cross_rows(key, first + done, others, children);
  }
}

// -- telling apart
// -----------------------------------------------------------------------------------

void Candidates::canonical(const CodeView& codes, const CodeOutput& output) const {
  check_same_rows(codes, output);
  for (std::size_t done = 0; done < output.rows; done += block) {
    const CodeOutput rows = output.from(done, std::min(block, output.rows - done));
    copy_rows(codes, done, rows);
    digits_.canonicalizer().apply(rows);
  }
}

void Candidates::hash(const CodeView& codes, std::uint64_t* hashes) const {
  digits_.variable_ranges().check_shape(codes);
  CodeBuffer buffer(block, codes.columns, width_of(digits_.variable_ranges()));
  for (std::size_t done = 0; done < codes.rows; done += block) {
    const CodeOutput rows = buffer.output(std::min(block, codes.rows - done));
    copy_rows(codes, done, rows);
    digits_.canonicalizer().apply(rows);
    if (rows.width == CodeWidth::byte) {
      hash_rows<std::uint8_t>(rows, hashes + done);
    } else {
      hash_rows<std::uint16_t>(rows, hashes + done);
    }
  }
}

std::vector<std::uint64_t> Candidates::unique(const CodeView& codes) const {
  std::vector<std::uint64_t> hashes(codes.rows);
  hash(codes, hashes.data());
  CodeBuffer rows(codes.rows, codes.columns, width_of(digits_.variable_ranges()));
  const CodeOutput canonical_rows = rows.output();
  canonical(codes, canonical_rows);
  const std::size_t row_bytes = codes.columns * static_cast<std::size_t>(canonical_rows.width);

  // Open addressing; rows are compared, as hashes may agree by chance. 0: empty, else 1 + the row.
  std::vector<std::uint64_t> places(std::bit_ceil(std::max<std::size_t>(2 * codes.rows, 2)));
  const std::size_t mask = places.size() - 1;
  std::vector<std::uint64_t> found;
  for (std::size_t row = 0; row < codes.rows; ++row) {
    std::size_t place = hashes[row] & mask;
    while (places[place] != 0) {
      const std::size_t other = places[place] - 1;
      if (hashes[other] == hashes[row] &&
          (row_bytes == 0 ||
           std::memcmp(canonical_rows.row(other), canonical_rows.row(row), row_bytes) == 0)) {
        break;
      }
      place = (place + 1) & mask;
    }
    if (places[place] != 0) continue;
    places[place] = row + 1;
    found.push_back(row);
  }
  return found;
}

}  // namespace netledger
