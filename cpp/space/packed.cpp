#include "space/packed.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "space/error.h"
#include "space/refused_rows.h"
#include "space/sum_words.h"

namespace netledger {

namespace {

// Tables of fewer entries are not written as products.
constexpr std::size_t least_entries = std::size_t{1} << 13U;

std::uint32_t load(const std::byte* place) noexcept {
  std::uint16_t code = 0;
  std::memcpy(&code, place, sizeof(code));
  return code;
}

// Packed codes are words.
void sum_table(const DigitTable& table, std::size_t words, const CodeView& packed, std::size_t rows,
               std::uint64_t* sums) {
  std::array<std::uint32_t, CodeColumns::block> entries{};
  for (std::size_t place = 0; place < table.digits.size(); ++place) {
    const std::byte* from = packed.at(0, table.digits[place]);
    const std::uint32_t stride = table.strides[place];
    for (std::size_t row = 0; row < rows; ++row, from += packed.row_stride) {
      entries[row] += load(from) * stride;
    }
  }
  if (words == 1) {
    for (std::size_t row = 0; row < rows; ++row) sums[row] += table.words[entries[row]];
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t word = 0; word < words; ++word) {
      sums[row * words + word] += table.words[entries[row] * words + word];
    }
  }
}

constexpr std::size_t most_together = 8;

// Some tables of products over the same digit on the right, ready to be read.
struct ProductTables {
  std::array<const Products::Terms*, most_together> left{};
  // Bytes from the start of a row to the codes.
  std::array<std::ptrdiff_t, most_together> left_offsets{};
  std::ptrdiff_t right_offset = 0;
  // By code of the right digit: the terms of all tables.
  const Products::Terms* right = nullptr;
};

using SumProducts = void (*)(const ProductTables& tables, const CodeView& packed, std::size_t rows,
                             std::uint64_t* sums);

template <std::size_t Tables>
void sum_products_portable(const ProductTables& all, const CodeView& packed, std::size_t rows,
                           std::uint64_t* sums) {
  const std::byte* row = packed.at(0, 0);
  for (std::size_t index = 0; index < rows; ++index, row += packed.row_stride) {
    const Products::Terms* const right = all.right + load(row + all.right_offset) * Tables;
    std::uint64_t sum = 0;
    for (std::size_t table = 0; table < Tables; ++table) {
      const Products::Terms& left = all.left[table][load(row + all.left_offsets[table])];
      for (std::size_t term = 0; term < Products::terms; ++term) {
        sum += left[term] * right[table][term];
      }
    }
    sums[index] += sum;
  }
}

#if defined(__x86_64__)
#define NETLEDGER_AVX512 "avx512f,avx512vl,avx512dq"

[[gnu::target(NETLEDGER_AVX512)]] inline __m256i load_terms(const Products::Terms* terms) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(terms));
}

// Two tables at a time. The codes on the left stand one column after another: few addresses, which
// stay in registers. (Masks of all lanes, as GCC 12 warns about its own header otherwise.)
template <std::size_t Tables>
[[gnu::target(NETLEDGER_AVX512)]] void sum_products_avx512(const ProductTables& all,
                                                           const CodeView& packed, std::size_t rows,
                                                           std::uint64_t* sums) {
  const auto left = all.left;
  const Products::Terms* const rights = all.right;
  const std::ptrdiff_t column = packed.column_stride;
  const std::ptrdiff_t right_offset = all.right_offset - all.left_offsets.front();
  const std::byte* row = packed.at(0, 0) + all.left_offsets.front();
  for (std::size_t index = 0; index < rows; ++index, row += packed.row_stride) {
    const Products::Terms* const right = rights + load(row + right_offset) * Tables;
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (std::size_t table = 0; table + 1 < Tables; table += 2) {
      const auto place = static_cast<std::ptrdiff_t>(table);
      const __m256i one = load_terms(left[table] + load(row + place * column));
      const __m256i other = load_terms(left[table + 1] + load(row + (place + 1) * column));
      const __m512i both = _mm512_maskz_inserti64x4(0xFF, _mm512_castsi256_si512(one), other, 1);
      sum = _mm512_add_epi64(sum, _mm512_mullo_epi64(both, _mm512_loadu_si512(right + table)));
    }
    __m256i half = _mm256_add_epi64(_mm512_maskz_extracti64x4_epi64(0xF, sum, 0),
                                    _mm512_maskz_extracti64x4_epi64(0xF, sum, 1));
    if constexpr (Tables % 2 == 1) {
      const auto place = static_cast<std::ptrdiff_t>(Tables - 1);
      const __m256i last = load_terms(left[Tables - 1] + load(row + place * column));
      half = _mm256_add_epi64(half, _mm256_mullo_epi64(last, load_terms(right + Tables - 1)));
    }
    const __m128i quarter =
        _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    sums[index] += static_cast<std::uint64_t>(_mm_cvtsi128_si64(quarter)) +
                   static_cast<std::uint64_t>(_mm_extract_epi64(quarter, 1));
  }
}
#endif

template <std::size_t... Counts>
SumProducts choose_sum_products(std::size_t tables, [[maybe_unused]] bool side_by_side,
                                std::index_sequence<Counts...> /*all*/) {
#if defined(__x86_64__)
  if (side_by_side && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    static constexpr SumProducts by_count[] = {sum_products_avx512<Counts + 1>...};
    return by_count[tables - 1];
  }
#endif
  static constexpr SumProducts by_count[] = {sum_products_portable<Counts + 1>...};
  return by_count[tables - 1];
}

void sum_products(const ProductGroup& group, const DigitTables& all, const CodeView& packed,
                  std::size_t rows, std::uint64_t* sums) {
  const auto offset = [&](std::size_t digit) {
    return static_cast<std::ptrdiff_t>(digit) * packed.column_stride;
  };
  ProductTables tables;
  tables.right = group.right.data();
  tables.right_offset = offset(group.right_digit);
  bool side_by_side = true;
  for (std::size_t index = 0; index < group.tables.size(); ++index) {
    const DigitTable& table = all.tables()[group.tables[index]];
    tables.left[index] = table.products->left.data();
    tables.left_offsets[index] = offset(table.digits[table.left_place]);
    side_by_side =
        side_by_side && tables.left_offsets[index] == tables.left_offsets[0] + offset(index);
  }
  const SumProducts sum = choose_sum_products(group.tables.size(), side_by_side,
                                              std::make_index_sequence<most_together>());
  sum(tables, packed, rows, sums);
}

// All factors, those over some variables of another within it: no table is over digits that no
// factor brings together.
CostTables unmerged_tables(const Digits& digits) {
  const auto sizes = digits.variable_ranges().sizes();
  const Plan& plan = digits.plan();
  return {plan, merge_factors(plan.factors, sizes, TableLimits{0, 0}), sizes};
}

std::vector<std::uint32_t> digit_of_variables(const Digits& digits) {
  std::vector<std::uint32_t> digit_of(digits.plan().variables.size());
  for (std::uint32_t digit = 0; digit < digits.digits().size(); ++digit) {
    for (const VariableIndex variable : digits.digits()[digit].variables)
      digit_of[variable] = digit;
  }
  return digit_of;
}

std::vector<std::uint32_t> digits_of_table(const CostTable& table,
                                           std::span<const std::uint32_t> digit_of) {
  std::vector<std::uint32_t> found;
  found.reserve(table.variables.size());
  for (const VariableIndex variable : table.variables) found.push_back(digit_of[variable]);
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// For every entry of the digit table the entry of a table over some of its digits' variables.
std::vector<std::uint32_t> entries_of_table(const CostTable& table, const DigitTable& owner,
                                            const Digits& digits) {
  std::vector<std::uint32_t> entries{table.first};
  for (const std::uint32_t index : owner.digits) {
    const Digit& digit = digits.digits()[index];
    // What each code of the digit adds to the entry's number.
    std::vector<std::uint32_t> parts(digit.size);
    for (std::size_t place = 0; place < table.variables.size(); ++place) {
      const auto found = std::ranges::find(digit.variables, table.variables[place]);
      if (found == digit.variables.end()) continue;
      const auto member = static_cast<std::size_t>(found - digit.variables.begin());
      for (std::uint32_t code = 0; code < digit.size; ++code) {
        parts[code] += digit.combination(code)[member] * table.strides[place];
      }
    }
    std::vector<std::uint32_t> longer;
    longer.reserve(entries.size() * parts.size());
    for (const std::uint32_t entry : entries) {
      for (const std::uint32_t part : parts) longer.push_back(entry + part);
    }
    entries = std::move(longer);
  }
  return entries;
}

}  // namespace

std::unique_ptr<const DigitTables> DigitTables::build(const Digits& digits) {
  if (digits.plan().lanes != nullptr || !digits.plan().real_metrics.empty()) return nullptr;
  std::unique_ptr<DigitTables> built(new DigitTables(unmerged_tables(digits)));
  if (!built->place_tables(digits)) return nullptr;
  built->fill(digits);
  built->find_products(digits);
  built->group_products();
  return built;
}

std::size_t DigitTables::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const DigitTable& table : tables_) {
    bytes += table.words.size() * sizeof(std::uint64_t) + table.refusals.size() * sizeof(Refusal);
    if (table.products == nullptr) continue;
    bytes += (table.products->left.size() + table.products->right.size()) * sizeof(Products::Terms);
  }
  return bytes;
}

// One table for each set of digits that no other set includes.
bool DigitTables::place_tables(const Digits& digits) {
  const std::vector<std::uint32_t> digit_of = digit_of_variables(digits);
  std::vector<std::vector<std::uint32_t>> scopes;
  for (const CostTable& table : layout_.tables()) {
    scopes.push_back(digits_of_table(table, digit_of));
  }
  for (const auto& scope : scopes) {
    const bool included = std::ranges::any_of(scopes, [&](const auto& other) {
      return other.size() > scope.size() && std::ranges::includes(other, scope);
    });
    const bool known = std::ranges::find(tables_, scope, &DigitTable::digits) != tables_.end();
    if (!included && !known) tables_.emplace_back().digits = scope;
  }
  std::ranges::sort(tables_, {}, &DigitTable::digits);
  std::size_t total = 0;
  for (DigitTable& table : tables_) {
    std::size_t entries = 1;
    table.strides.resize(table.digits.size());
    for (std::size_t place = table.digits.size(); place-- > 0;) {
      table.strides[place] = static_cast<std::uint32_t>(entries);
      entries *= digits.digits()[table.digits[place]].size;
      if (entries > most_entries) return false;
    }
    total += entries;
    if (total > most_entries) return false;
    table.words.resize(entries * layout_.words_per_entry());
  }
  for (const auto& scope : scopes) {
    const auto owner = std::ranges::find_if(tables_, [&](const DigitTable& table) {
      return std::ranges::includes(table.digits, scope);
    });
    owners_.push_back(static_cast<std::size_t>(owner - tables_.begin()));
  }
  return true;
}

void DigitTables::fill(const Digits& digits) {
  const std::size_t words = layout_.words_per_entry();
  for (std::size_t index = 0; index < owners_.size(); ++index) {
    DigitTable& owner = tables_[owners_[index]];
    const auto entries = entries_of_table(layout_.tables()[index], owner, digits);
    for (std::size_t entry = 0; entry < entries.size(); ++entry) {
      for (std::size_t word = 0; word < words; ++word) {
        owner.words[entry * words + word] += layout_.words()[entries[entry] * words + word];
      }
    }
    if (layout_.refusals().empty()) continue;
    owner.refusals.resize(entries.size());
    for (std::size_t entry = 0; entry < entries.size(); ++entry) {
      owner.refusals[entry] =
          first_refusal(owner.refusals[entry], layout_.refusals()[entries[entry]]);
    }
  }
}

void DigitTables::find_products(const Digits& digits) {
  if (layout_.words_per_entry() != 1) return;
  for (DigitTable& table : tables_) {
    // A small table is in the cache anyway.
    if (table.digits.size() != 2 || table.words.size() < least_entries) continue;
    const std::size_t first = digits.digits()[table.digits[0]].size;
    const std::size_t second = digits.digits()[table.digits[1]].size;
    table.left_place = first >= second ? 0 : 1;
    std::optional<Products> products = netledger::find_products(table.words, second);
    if (!products) continue;
    if (first < second) std::swap(products->left, products->right);
    table.products = std::make_unique<const Products>(std::move(*products));
  }
}

void DigitTables::group_products() {
  for (std::size_t index = 0; index < tables_.size(); ++index) {
    const DigitTable& table = tables_[index];
    if (table.products == nullptr) continue;
    const std::uint32_t right = table.digits[1 - table.left_place];
    auto group = std::ranges::find_if(product_groups_, [&](const ProductGroup& other) {
      return other.right_digit == right && other.tables.size() < most_together;
    });
    if (group == product_groups_.end()) {
      group = product_groups_.insert(group, ProductGroup{right, {}, {}});
    }
    group->tables.push_back(index);
  }
  for (ProductGroup& group : product_groups_) {
    const std::size_t codes = tables_[group.tables.front()].products->right.size();
    for (std::size_t code = 0; code < codes; ++code) {
      for (const std::size_t table : group.tables) {
        group.right.push_back(tables_[table].products->right[code]);
      }
    }
  }
}

class PackedSweeper::Workspace {
 public:
  explicit Workspace(const PackedSweeper& sweeper)
      : packed(sweeper.digits_.digits().size()),
        codes(sweeper.digits_.plan().variables.size()),
        unpacked(sweeper.sweeper_.workspace()),
        spelled_otherwise(block) {
    if (sweeper.tables_ != nullptr)
      sums.resize(sweeper.tables_->layout().words_per_entry() * block);
  }

  CodeColumns packed;
  CodeColumns codes;
  Sweeper::WorkspacePointer unpacked;
  std::vector<std::uint64_t> sums;
  std::vector<std::uint8_t> spelled_otherwise;
};

void PackedSweeper::DeleteWorkspace::operator()(Workspace* workspace) const noexcept {
  delete workspace;
}

PackedSweeper::PackedSweeper(const Digits& digits, const Sweeper& sweeper)
    : digits_(digits), sweeper_(sweeper), tables_(DigitTables::build(digits)) {}

PackedSweeper::WorkspacePointer PackedSweeper::workspace() const {
  return WorkspacePointer(new Workspace(*this));
}

void PackedSweeper::check(const CodeView& packed) const {
  digits_.ranges().check_shape(packed);
  if (packed.width != CodeWidth::word) throw SpaceError("packed codes are 16 bits wide");
}

void PackedSweeper::sweep(const CodeView& packed, std::size_t first, std::size_t rows,
                          const CostColumns& costs, Workspace& workspace) const {
  for (std::size_t done = 0; done < rows; done += block) {
    const std::size_t count = std::min(block, rows - done);
    const CodeView part = packed.from(first + done, count);
    digits_.ranges().check(part, first + done);
    sweep_block(part, count, costs.from(done), workspace);
  }
}

void PackedSweeper::sweep_positions(std::span<const std::uint16_t> start, std::uint64_t first,
                                    std::size_t rows, const CostColumns& costs,
                                    Workspace& workspace) const {
  for (std::size_t done = 0; done < rows; done += block) {
    const std::size_t count = std::min(block, rows - done);
    const CostColumns part = costs.from(done);
    digits_.count_up(start, first + done, count, workspace.packed);
    sweep_block(workspace.packed.view(count), count, part, workspace);
    if (digits_.whole()) continue;
    digits_.unpack(workspace.packed, count, workspace.codes);
    std::ranges::fill(workspace.spelled_otherwise, std::uint8_t{0});
    digits_.canonicalizer().mark(workspace.codes, count, workspace.spelled_otherwise.data());
    refuse_rows(part, count, [&](std::size_t row) {
      return workspace.spelled_otherwise[row] != 0 ? not_canonical : accepted;
    });
  }
}

// Digits are in range.
void PackedSweeper::sweep_block(const CodeView& packed, std::size_t rows, const CostColumns& costs,
                                Workspace& workspace) const {
  if (tables_ != nullptr) {
    sweep_tables(packed, rows, costs, workspace);
    return;
  }
  if (packed.data != workspace.packed.view(rows).data) workspace.packed.read(packed, 0, rows);
  digits_.unpack(workspace.packed, rows, workspace.codes);
  sweeper_.sweep(workspace.codes, rows, costs, *workspace.unpacked);
}

void PackedSweeper::sweep_tables(const CodeView& packed, std::size_t rows, const CostColumns& costs,
                                 Workspace& workspace) const {
  const CostTables& layout = tables_->layout();
  const std::size_t words = layout.words_per_entry();
  std::fill_n(workspace.sums.data(), rows * words, std::uint64_t{0});
  for (const ProductGroup& group : tables_->product_groups()) {
    sum_products(group, *tables_, packed, rows, workspace.sums.data());
  }
  for (const DigitTable& table : tables_->tables()) {
    if (table.products == nullptr) sum_table(table, words, packed, rows, workspace.sums.data());
  }
  for (std::size_t metric = 0; metric < layout.fields().size(); ++metric) {
    read_totals(workspace.sums.data(), words, layout.fields()[metric], rows, costs.metrics[metric]);
  }
  if (costs.refusals != nullptr) std::fill_n(costs.refusals, rows, accepted);
  if (layout.may_refuse()) find_refusals(packed, rows, costs, workspace);
}

void PackedSweeper::find_refusals(const CodeView& packed, std::size_t rows,
                                  const CostColumns& costs, const Workspace& workspace) const {
  const CostTables& layout = tables_->layout();
  refuse_rows(costs, rows, [&](std::size_t row) {
    const std::uint64_t* const sums = workspace.sums.data() + row * layout.words_per_entry();
    return layout.refusal_count().total(sums) == 0 ? accepted : refusal(packed, row);
  });
}

Refusal PackedSweeper::refusal(const CodeView& packed, std::size_t row) const {
  Refusal first = accepted;
  for (const DigitTable& table : tables_->tables()) {
    if (table.refusals.empty()) continue;
    std::size_t entry = 0;
    for (std::size_t place = 0; place < table.digits.size(); ++place) {
      entry += std::size_t{packed.code(row, table.digits[place])} * table.strides[place];
    }
    first = first_refusal(first, table.refusals[entry]);
  }
  return first;
}

}  // namespace netledger
