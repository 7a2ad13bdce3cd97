#include "query/cost_counter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>

#include "query/cost_bins.h"
#include "query/halves.h"
#include "query/part_uses.h"
#include "query/prepared_slice.h"
#include "query/stored_table.h"
#include "query/wording.h"
#include "space/error.h"

namespace netledger {

namespace {

// Slices whose small tables are kept, to be made once.
constexpr std::size_t most_kept_slices = 1024;

// Uniform below a bound, which is not 0.
Wide drawn_below(std::uint64_t key, std::uint64_t counter, Wide bound) {
  return draw_below(key, counter, bound);
}

// As many of the low bits of chained draws as the bound has, until they lie below.
template <std::size_t Limbs>
WideCount<Limbs> drawn_below(std::uint64_t key, std::uint64_t counter,
                             const WideCount<Limbs>& bound) {
  std::size_t used = Limbs;
  while (bound.limbs[used - 1] == 0) --used;
  const auto bits = static_cast<unsigned>(std::bit_width(bound.limbs[used - 1]));
  const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  std::uint64_t word = draw(key, counter);
  while (true) {
    WideCount<Limbs> drawn;
    for (std::size_t limb = used; limb-- > 0;) {
      drawn.limbs[limb] = word;
      word = mix(word + golden_ratio);
    }
    drawn.limbs[used - 1] &= mask;
    if (drawn < bound) return drawn;
  }
}

// Many rows at a time share what they read; every thread has some of them.
template <class Draw>
void draw_in_chunks(std::uint64_t rows, Progress& progress, const Draw& draw) {
  constexpr std::uint64_t most = 1U << 19U;
  constexpr std::uint64_t least = 1U << 12U;
  const std::uint64_t chunk = std::clamp<std::uint64_t>(rows / progress.threads() + 1, least, most);
  run_chunks(rows, chunk, progress.options(0, 0), [&](unsigned /*thread*/) -> ChunkWorker {
    return [&](std::uint64_t first, std::uint64_t count) {
      draw(first, count);
      return true;
    };
  });
}

template <class Count>
class CostCounterOf final : public CostCounter {
 public:
  using Algebra = Counting<Count>;
  using Table = Polynomial<Algebra>;
  using Tables = SliceTables<Algebra>;

  CostCounterOf(const Problem& problem, const Slices& slices, std::size_t memory)
      : problem_(problem), slices_(slices), memory_(memory), kept_(slices.slices.size()) {}

  std::vector<Natural> cumulative(std::span<const std::int64_t> limits,
                                  const Effort& effort) override;
  std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>> nearest(
      std::int64_t target, const Effort& effort) override;
  bool find(std::int64_t cost, std::vector<std::uint16_t>& codes, const Effort& effort) override;
  CostCounts distribution(const Effort& effort) override;
  std::vector<Natural> bins(std::int64_t start, std::uint64_t width, std::size_t count,
                            const Effort& effort) override;
  bool sample(std::uint64_t seed, std::int64_t low, std::int64_t high, const CodeOutput& output,
              const Effort& effort) override;
  void uses(std::int64_t low, std::int64_t high, const PartUse& use, const Effort& effort) override;
  void prepare(const Effort& effort) override;
  [[nodiscard]] bool prepared() const noexcept override { return !prepared_.empty(); }
  [[nodiscard]] bool answers_at_once() const noexcept override {
    return whole_ != nullptr || prepared();
  }
  [[nodiscard]] std::size_t bytes() const noexcept override;
  [[nodiscard]] std::size_t limbs() const noexcept override { return sizeof(Count) / 8; }
  [[nodiscard]] std::vector<StoredSlice> tables() const override;
  void restore(const std::vector<StoredSlice>& tables) override;
  Reach reach() override;
  Predicted predict_count() override;
  Predicted predict_distribution() override;
  Predicted predict_prepare() override;

 private:
  // All networks in one table, with what answers questions about it.
  struct Whole {
    Table own;
    // Its own, or that of the index, which is kept.
    const Table* table = &own;
    std::shared_ptr<const PreparedSlice<Count>> index;
    std::int64_t offset = 0;
    std::unique_ptr<const RankedTable<Count>> ranked;
  };

  [[nodiscard]] std::string metric_name() const {
    return problem_.names().empty() ? "nothing" : problem_.names().front();
  }
  [[nodiscard]] std::shared_ptr<const Tables> tables_of(std::size_t slice,
                                                        const Effort& effort = {});
  // The tables of all slices that are kept, while somebody waits.
  void make_parts(const Effort& effort) {
    for (std::size_t slice = 0; slice < kept_.size() && slice < most_kept_slices; ++slice) {
      static_cast<void>(tables_of(slice, effort));
    }
  }
  // From the tables of its parts where these are small; from what is known without them elsewhere.
  // Nothing for an empty slice.
  [[nodiscard]] std::optional<PartOrders> orders_of(std::size_t slice);
  [[nodiscard]] Extent extent_of(std::size_t slice);
  [[nodiscard]] Extent whole_extent();
  void require(const Predicted& predicted, const std::string& what, const std::string& instead);
  // Of the parts of one slice; they are there while it is worked on.
  [[nodiscard]] double most_part_bytes();
  [[nodiscard]] Progress progress_of(const Effort& effort, double operations) const {
    return {operations, effort.threads, effort.wait};
  }
  void make_whole(const Effort& effort);
  [[nodiscard]] Natural counted_at_once(std::int64_t limit) const;
  [[nodiscard]] std::shared_ptr<const PreparedSlice<Count>> prepared_slice(std::size_t slice,
                                                                           double most_places,
                                                                           Progress& progress);
  // Nullptr where they are not the tables of the slice.
  [[nodiscard]] std::shared_ptr<const PreparedSlice<Count>> restored_slice(
      const std::shared_ptr<const Tables>& slice, const StoredSlice& stored) const;
  // Places that the tables of one slice at a time may have.
  [[nodiscard]] double single_places() const noexcept {
    return static_cast<double>(memory_) / (2 * sizeof(Count));
  }
  // Networks of a slice that cost at most so much without what the slice costs.
  using Limits = std::pair<Sum<Count>, Sum<Count>>;
  [[nodiscard]] std::vector<Limits> slice_limits(std::int64_t low, std::int64_t high,
                                                 Progress& progress);
  using Request = PreparedSlice<Count>::Request;
  void add_to_bins(const Tables& tables, CostBins<Count>& bins, Progress& progress) const;

  const Problem& problem_;
  const Slices& slices_;
  std::size_t memory_;
  std::vector<std::shared_ptr<const Tables>> kept_;
  std::shared_ptr<const Whole> whole_;
  std::vector<std::shared_ptr<const PreparedSlice<Count>>> prepared_;
  // How often a count passed over the halves.
  std::size_t passes_ = 0;
  std::optional<Predicted> count_prediction_;
  std::optional<Predicted> distribution_prediction_;
  std::optional<Predicted> prepare_prediction_;
  // See PartOrders::kept_order; known with the prediction.
  double kept_places_ = 0;
  std::optional<Extent> whole_extent_;
};

// -- what there is
// -------------------------------------------------------------------------------

template <class Count>
auto CostCounterOf<Count>::tables_of(std::size_t slice, const Effort& effort)
    -> std::shared_ptr<const Tables> {
  if (kept_[slice] != nullptr) return kept_[slice];
  require_parts(problem_, slices_, slices_.slices[slice], sizeof(Count), memory_);
  Progress progress = progress_of(effort, 0);
  auto made = std::make_shared<const Tables>(problem_, slices_, slices_.slices[slice],
                                             progress.options(0, 0));
  if (slices_.slices.size() <= most_kept_slices) kept_[slice] = made;
  return made;
}

template <class Count>
std::optional<PartOrders> CostCounterOf<Count>::orders_of(std::size_t slice) {
  constexpr double small_bytes = 1U << 24U;
  const Slice& of = slices_.slices[slice];
  if (kept_[slice] != nullptr || part_bytes(problem_, slices_, of, sizeof(Count)) <= small_bytes) {
    const auto tables = tables_of(slice);
    return tables->empty() ? std::nullopt : std::optional(tables->orders());
  }
  const Elimination<Extents> elimination(problem_, slices_.tree, {}, of.codes);
  std::vector<Extent> extents;
  for (const std::size_t root : slices_.tree.roots) {
    extents.push_back(elimination.root(root));
    if (extents.back().empty) return std::nullopt;
  }
  return PartOrders(extents);
}

template <class Count>
Extent CostCounterOf<Count>::extent_of(std::size_t slice) {
  const auto orders = orders_of(slice);
  if (!orders) return {};
  const Extent offset = Extent::of(slices_.slices[slice].costs[0]);
  return orders->order.extents.empty() ? offset : orders->order.extents.back() + offset;
}

template <class Count>
Extent CostCounterOf<Count>::whole_extent() {
  if (whole_extent_) return *whole_extent_;
  Extent extent;
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    extent.unite(extent_of(slice));
  }
  whole_extent_ = extent;
  return extent;
}

template <class Count>
std::size_t CostCounterOf<Count>::bytes() const noexcept {
  std::size_t bytes = whole_ == nullptr ? 0 : whole_->own.bytes() + whole_->ranked->bytes();
  for (const auto& prepared : prepared_) {
    if (prepared != nullptr) bytes += prepared->bytes();
  }
  return bytes;
}

template <class Count>
void CostCounterOf<Count>::require(const Predicted& predicted, const std::string& what,
                                   const std::string& instead) {
  if (predicted.bytes <= static_cast<double>(memory_)) return;
  throw SpaceError(what + " needs tables of about " + grouped_number(predicted.bytes) +
                   " bytes, but memory allows " + grouped_number(static_cast<double>(memory_)) +
                   ": raise memory, ask about fewer configurations (where)" + instead);
}

template <class Count>
double CostCounterOf<Count>::most_part_bytes() {
  double most = 0;
  for (const Slice& slice : slices_.slices) {
    most = std::max(most, part_bytes(problem_, slices_, slice, sizeof(Count)));
  }
  return most;
}

template <class Count>
Reach CostCounterOf<Count>::reach() {
  const Extent all = whole_extent();
  Reach reach{.step = all.step, .places = all.slots(), .part_values = {}};
  if (slices_.slices.empty()) return reach;
  const Slice& last = slices_.slices.back();
  const Elimination<Extents> elimination(problem_, slices_.tree, {}, last.codes);
  for (const std::size_t root : slices_.tree.roots) {
    reach.part_values.push_back(static_cast<std::uint64_t>(elimination.root(root).terms));
  }
  return reach;
}

template <class Count>
Predicted CostCounterOf<Count>::predict_count() {
  if (count_prediction_) return *count_prediction_;
  Predicted predicted;
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto orders = orders_of(slice);
    if (!orders) continue;
    const Halves& halves = orders->halves;
    predicted.operations += halves.operations + written_place * halves.places;
    predicted.bytes = std::max(predicted.bytes, halves.places * sizeof(Count));
  }
  predicted.bytes += most_part_bytes();
  count_prediction_ = predicted;
  return predicted;
}

template <class Count>
Predicted CostCounterOf<Count>::predict_distribution() {
  if (distribution_prediction_) return *distribution_prediction_;
  Predicted predicted;
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto orders = orders_of(slice);
    if (!orders) continue;
    const ProductOrder& order = orders->order;
    predicted.operations += order.operations + 2 * order.places;
    predicted.bytes = std::max(predicted.bytes, order.most_places * sizeof(Count));
  }
  if (slices_.slices.size() > 1) {
    const Extent all = whole_extent();
    predicted.operations += static_cast<double>(slices_.slices.size());
    predicted.bytes += stored_places(all) * sizeof(Count);
  }
  predicted.bytes += most_part_bytes();
  distribution_prediction_ = predicted;
  return predicted;
}

template <class Count>
Predicted CostCounterOf<Count>::predict_prepare() {
  if (prepare_prediction_) return *prepare_prediction_;
  const auto predicted_with = [this](double most_places) {
    Predicted predicted;
    for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
      const auto orders = orders_of(slice);
      if (!orders) continue;
      const ProductOrder& order = orders->kept_order(most_places);
      predicted.operations += order.operations + 2 * order.places;
      predicted.bytes += order.places * sizeof(Count);
    }
    predicted.bytes += most_part_bytes();
    return predicted;
  };
  // Other orders need less memory, but draw slower.
  Predicted predicted = predicted_with(std::numeric_limits<double>::infinity());
  kept_places_ = std::numeric_limits<double>::infinity();
  if (predicted.bytes > static_cast<double>(memory_)) {
    predicted = predicted_with(0);
    kept_places_ = 0;
  }
  prepare_prediction_ = predicted;
  return predicted;
}

// -- counting
// ------------------------------------------------------------------------------------

template <class Count>
Natural CostCounterOf<Count>::counted_at_once(std::int64_t limit) const {
  if (whole_ != nullptr) return natural_of(whole_->ranked->up_to(limit - whole_->offset));
  Sum<Count> sum{0};
  for (const auto& prepared : prepared_) {
    if (prepared != nullptr)
      sum += prepared->ranked().up_to(limit - prepared->slice().slice().costs[0]);
  }
  return natural_of(sum);
}

template <class Count>
std::vector<Natural> CostCounterOf<Count>::cumulative(std::span<const std::int64_t> limits,
                                                      const Effort& effort) {
  make_parts(effort);
  if (!answers_at_once() && predict_distribution().bytes <= static_cast<double>(memory_)) {
    // Who asks again will ask often: then one table that answers at once is worth its time.
    constexpr double few_operations = 2e7;
    if (passes_ > 0 || predict_distribution().operations <= few_operations) make_whole(effort);
  }
  std::vector<Natural> found;
  if (answers_at_once()) {
    for (const std::int64_t limit : limits) found.push_back(counted_at_once(limit));
    return found;
  }
  ++passes_;
  const Predicted predicted = predict_count();
  require(predicted, "counting networks by '" + metric_name() + "'", "");
  Progress progress = progress_of(effort, predicted.operations);
  std::vector<Sum<Count>> sums(limits.size(), Sum<Count>{0});
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    const HalfTables<Algebra> halves(*tables, false, progress);
    std::vector<std::int64_t> rest(limits.begin(), limits.end());
    for (std::int64_t& limit : rest) limit -= tables->slice().costs[0];
    const auto counted = count_up_to<Count>(halves, rest, progress);
    for (std::size_t index = 0; index < limits.size(); ++index) sums[index] += counted[index];
  }
  for (const Sum<Count>& sum : sums) found.push_back(natural_of(sum));
  return found;
}

template <class Count>
std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>> CostCounterOf<Count>::nearest(
    std::int64_t target, const Effort& effort) {
  make_parts(effort);
  std::optional<std::int64_t> below;
  std::optional<std::int64_t> above;
  const auto consider = [&](const Table& table, std::int64_t offset) {
    const auto there = [&](std::size_t place) {
      return !Algebra::is_absent(table.coefficient(place));
    };
    const std::size_t end = table.places_up_to(target - offset);
    for (std::size_t place = end; place-- > 0;) {
      if (!there(place)) continue;
      below = std::max(below.value_or(table.cost(place) + offset), table.cost(place) + offset);
      break;
    }
    if (below == target) {
      above = target;
      return;
    }
    for (std::size_t place = end; place < table.places(); ++place) {
      if (!there(place)) continue;
      above = std::min(above.value_or(table.cost(place) + offset), table.cost(place) + offset);
      break;
    }
  };
  if (whole_ != nullptr) {
    consider(*whole_->table, whole_->offset);
    return {below, above};
  }
  const Predicted predicted = predict_count();
  if (!prepared()) require(predicted, "looking for a cost", "");
  Progress progress = progress_of(effort, predicted.operations);
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    if (prepared()) {
      if (prepared_[slice] == nullptr) continue;
      consider(prepared_[slice]->chain().result(), slices_.slices[slice].costs[0]);
      continue;
    }
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    const std::int64_t offset = tables->slice().costs[0];
    const HalfTables<Algebra> halves(*tables, false, progress);
    const auto [lower, upper] = halves.nearest(target - offset);
    if (lower) below = std::max(below.value_or(*lower + offset), *lower + offset);
    if (upper) above = std::min(above.value_or(*upper + offset), *upper + offset);
  }
  return {below, above};
}

template <class Count>
bool CostCounterOf<Count>::find(std::int64_t cost, std::vector<std::uint16_t>& codes,
                                const Effort& effort) {
  make_parts(effort);
  const Predicted predicted = predict_count();
  if (!prepared()) require(predicted, "looking for a configuration", "");
  Progress progress = progress_of(effort, predicted.operations);
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    codes = tables->slice().codes;
    const std::int64_t rest = cost - tables->slice().costs[0];
    if (prepared()) {
      const ProductChain<Algebra>& chain = prepared_[slice]->chain();
      if (Algebra::is_absent(chain.result().at(rest))) continue;
      tables->find(chain, prepared_[slice]->order(), rest, Algebra::absent(), codes);
      return true;
    }
    const HalfTables<Algebra> halves(*tables, true, progress);
    if (halves.find(rest, codes)) return true;
  }
  return false;
}

// -- distributions
// -------------------------------------------------------------------------------

template <class Count>
void CostCounterOf<Count>::make_whole(const Effort& effort) {
  if (whole_ != nullptr) return;
  const Predicted predicted = predict_distribution();
  const auto bins = [&] {
    // What the tables on the way leave is for the bins.
    double most = 0;
    for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
      const auto orders = orders_of(slice);
      if (orders) most = std::max(most, orders->order.streamed_places * sizeof(Count));
    }
    const double left = static_cast<double>(memory_) - most;
    if (left < 1U << 16U) return std::string();
    const double width =
        std::ceil(static_cast<double>(whole_extent().range()) * sizeof(Sum<Count>) / left);
    return ", or count in bins: bin_width=" + grouped_number(width) + " would fit";
  };
  if (predicted.bytes > static_cast<double>(memory_)) {
    require(predicted, "the exact distribution of '" + metric_name() + "'", bins());
  }
  Progress progress = progress_of(effort, predicted.operations);
  auto whole = std::make_shared<Whole>();
  if (slices_.slices.size() == 1) {
    const auto tables = tables_of(0);
    if (prepared()) {
      whole->index = prepared_.front();
      if (whole->index != nullptr) whole->table = &whole->index->chain().result();
    } else if (!tables->empty()) {
      ProductChain<Algebra> chain = tables->chain(tables->order().order);
      chain.multiply(false, progress);
      whole->own = chain.take();
    }
    whole->offset = tables->slice().costs[0];
  } else {
    const Extent all = whole_extent();
    const bool dense = all.is_dense(all.terms);
    std::optional<DenseSum<Algebra>> sum;
    if (dense) sum.emplace(all);
    Wide total = 0;
    for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
      const auto tables = tables_of(slice);
      if (tables->empty()) continue;
      ProductChain<Algebra> chain = tables->chain(tables->order().order);
      if (!prepared()) chain.multiply(false, progress);
      const Table& result = prepared() ? prepared_[slice]->chain().result() : chain.result();
      const Shifted<Algebra> summand{&result, tables->slice().costs[0]};
      if constexpr (sizeof(Count) == 8) total += total_of(result);
      if (dense) {
        sum->add(summand);
      } else {
        const std::array<Shifted<Algebra>, 2> both{Shifted<Algebra>{&whole->own, 0}, summand};
        whole->own = netledger::sum<Algebra>(both);
      }
    }
    if (dense) whole->own = sum->take();
    if constexpr (sizeof(Count) == 8) {
      if (total_of(whole->own) != total) throw CountsTooLarge();
    }
  }
  whole->ranked = std::make_unique<const RankedTable<Count>>(*whole->table);
  whole_ = std::move(whole);
}

template <class Count>
CostCounts CostCounterOf<Count>::distribution(const Effort& effort) {
  make_parts(effort);
  make_whole(effort);
  const Table& table = *whole_->table;
  CostCounts result;
  result.dense = table.dense();
  if (table.dense()) {
    result.start = table.first() + whole_->offset;
    result.step = static_cast<std::int64_t>(table.step());
    if constexpr (sizeof(Count) == 8) {
      result.counts = table.coefficients();
      result.owner = whole_;
      return result;
    }
  }
  if (!table.dense()) {
    for (const auto& term : table.sparse_terms())
      result.values.push_back(term.cost + whole_->offset);
  }
  const auto is_small = [](const Count& count) {
    return count < Count{std::numeric_limits<std::uint64_t>::max()};
  };
  bool all_small = true;
  for (std::size_t place = 0; place < table.places(); ++place) {
    all_small = all_small && is_small(table.coefficient(place));
  }
  if (all_small) {
    auto counts = std::make_shared<std::vector<std::uint64_t>>();
    counts->reserve(table.places());
    for (std::size_t place = 0; place < table.places(); ++place) {
      counts->push_back(lowest_word(table.coefficient(place)));
    }
    result.counts = *counts;
    result.owner = std::move(counts);
    return result;
  }
  for (std::size_t place = 0; place < table.places(); ++place) {
    result.large_counts.push_back(natural_of(table.coefficient(place)));
  }
  return result;
}

template <class Count>
void CostCounterOf<Count>::add_to_bins(const Tables& tables, CostBins<Count>& bins,
                                       Progress& progress) const {
  const std::int64_t offset = tables.slice().costs[0];
  const std::vector<std::size_t>& order = tables.order().order;
  if (order.empty()) {
    bins.add(Table::one(), offset);
    return;
  }
  ProductChain<Algebra> chain = tables.chain(std::span(order).first(order.size() - 1));
  chain.multiply(false, progress);
  const Table& before = chain.result();
  const Table& last = *tables.parts()[order.back()];
  const Extent extent = before.extent() + last.extent();
  if (!before.dense() || !extent.is_dense(before.extent().terms * last.extent().terms)) {
    bins.add(product(before, last), offset);
    return;
  }
  // The last product is the largest: only a part of it is there at a time.
  const DenseProduct<Algebra> dense(before, last);
  const std::size_t blocks = (dense.places() - 1) / dense.block() + 1;
  const std::size_t chunk = std::max<std::size_t>((std::size_t{1} << 15U) / dense.block(), 1);
  const double operations =
      static_cast<double>(before.places()) * static_cast<double>(last.places());
  std::mutex mutex;
  Sum<Count> total{0};
  run_chunks(blocks, chunk, progress.options(operations, static_cast<double>(blocks)),
             [&](unsigned /*thread*/) -> ChunkWorker {
               return [&, values = std::vector<Count>()](std::uint64_t first,
                                                         std::uint64_t count) mutable {
                 const std::size_t begin = first * dense.block();
                 const std::size_t end =
                     std::min<std::size_t>(dense.places(), (first + count) * dense.block());
                 values.assign(end - begin, Count{0});
                 dense.fill(first, first + count, values.data());
                 const std::int64_t low =
                     dense.first() + static_cast<std::int64_t>(begin * dense.step()) + offset;
                 CostBins<Count> part = bins.between(
                     low, low + static_cast<std::int64_t>((end - begin - 1) * dense.step()));
                 const Sum<Count> sum = part.add(low, dense.step(), values);
                 const std::scoped_lock lock(mutex);
                 bins.merge(part);
                 total += sum;
                 return true;
               };
             });
  progress.done(operations);
  if constexpr (sizeof(Count) == 8) {
    if (total != total_of(before) * total_of(last)) throw CountsTooLarge();
  }
}

template <class Count>
std::vector<Natural> CostCounterOf<Count>::bins(std::int64_t start, std::uint64_t width,
                                                std::size_t count, const Effort& effort) {
  make_parts(effort);
  CostBins<Count> bins(start, width, count);
  if (whole_ != nullptr) {
    bins.add(*whole_->table, whole_->offset);
    return bins.counts();
  }
  Predicted predicted = predict_distribution();
  predicted.bytes = 0;
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    if (const auto orders = orders_of(slice)) {
      predicted.bytes = std::max(predicted.bytes, orders->order.streamed_places * sizeof(Count));
    }
  }
  if (!prepared()) require(predicted, "counting '" + metric_name() + "' in bins", "");
  Progress progress = progress_of(effort, predicted.operations);
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    if (prepared()) {
      bins.add(prepared_[slice]->chain().result(), tables->slice().costs[0]);
    } else {
      add_to_bins(*tables, bins, progress);
    }
  }
  return bins.counts();
}

// -- networks
// ------------------------------------------------------------------------------------

template <class Count>
std::shared_ptr<const PreparedSlice<Count>> CostCounterOf<Count>::prepared_slice(
    std::size_t slice, double most_places, Progress& progress) {
  auto tables = tables_of(slice);
  if (tables->empty()) return nullptr;
  const ProductOrder& order = tables->orders().kept_order(most_places);
  return std::make_shared<const PreparedSlice<Count>>(std::move(tables), order, progress);
}

template <class Count>
void CostCounterOf<Count>::prepare(const Effort& effort) {
  make_parts(effort);
  if (prepared()) return;
  const Predicted predicted = predict_prepare();
  require(predicted, "an index of '" + metric_name() + "'",
          ", or draw without it: sample then makes its tables one after the other");
  Progress progress = progress_of(effort, predicted.operations);
  std::vector<std::shared_ptr<const PreparedSlice<Count>>> made;
  made.reserve(slices_.slices.size());
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    made.push_back(prepared_slice(slice, kept_places_, progress));
  }
  prepared_ = std::move(made);
  // What it can tell, the index tells.
  if (slices_.slices.size() == 1) whole_ = nullptr;
}

template <class Count>
auto CostCounterOf<Count>::slice_limits(std::int64_t low, std::int64_t high, Progress& progress)
    -> std::vector<Limits> {
  std::vector<Limits> found(slices_.slices.size(), {Sum<Count>{0}, Sum<Count>{0}});
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const std::int64_t offset = slices_.slices[slice].costs[0];
    if (prepared()) {
      if (prepared_[slice] == nullptr) continue;
      const RankedTable<Count>& ranked = prepared_[slice]->ranked();
      found[slice] = {ranked.up_to(low - 1 - offset), ranked.up_to(high - offset)};
      continue;
    }
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    const HalfTables<Algebra> halves(*tables, false, progress);
    const std::array<std::int64_t, 2> limits{low - 1 - offset, high - offset};
    const auto counted = count_up_to<Count>(halves, limits, progress);
    found[slice] = {counted[0], counted[1]};
  }
  return found;
}

template <class Count>
bool CostCounterOf<Count>::sample(std::uint64_t seed, std::int64_t low, std::int64_t high,
                                  const CodeOutput& output, const Effort& effort) {
  make_parts(effort);
  Predicted predicted = predict_prepare();
  if (!prepared()) {
    predicted.bytes = predict_count().bytes;
    for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
      if (const auto orders = orders_of(slice)) {
        predicted.bytes =
            std::max(predicted.bytes, orders->kept_order(single_places()).places * sizeof(Count));
      }
    }
    require(predicted, "drawing networks by '" + metric_name() + "'", "");
  }
  Progress progress = progress_of(effort, predicted.operations);
  if (!prepared() && slices_.slices.size() == 1) prepare(effort);
  const std::vector<Limits> limits = slice_limits(low, high, progress);
  // ends[slice]: networks of it and those before.
  std::vector<Sum<Count>> ends;
  Sum<Count> total{0};
  for (const auto& [below, end] : limits) {
    total += end;
    total -= below;
    ends.push_back(total);
  }
  if (total == Sum<Count>{0}) return false;
  const std::uint64_t key = random_key(seed, Purpose::whole);
  const auto drawn = [&](std::size_t row) {
    Sum<Count> number = drawn_below(key, row, total);
    const auto slice =
        static_cast<std::size_t>(std::ranges::upper_bound(ends, number) - ends.begin());
    if (slice > 0) number -= ends[slice - 1];
    number += limits[slice].first;
    return std::pair{slice, Request{row, number}};
  };
  if (limits.size() == 1) {
    draw_in_chunks(output.rows, progress, [&](std::uint64_t first, std::uint64_t count) {
      std::vector<Request> requests;
      requests.reserve(count);
      for (std::uint64_t row = first; row < first + count; ++row) {
        requests.push_back(drawn(row).second);
      }
      prepared_.front()->write(requests, output);
    });
    return true;
  }
  std::vector<std::vector<Request>> rows(limits.size());
  for (std::size_t row = 0; row < output.rows; ++row) {
    const auto [slice, request] = drawn(row);
    rows[slice].push_back(request);
  }
  for (std::size_t slice = 0; slice < limits.size(); ++slice) {
    if (rows[slice].empty()) continue;
    const auto prepared =
        this->prepared() ? prepared_[slice] : prepared_slice(slice, single_places(), progress);
    draw_in_chunks(rows[slice].size(), progress, [&](std::uint64_t first, std::uint64_t count) {
      prepared->write(std::span(rows[slice]).subspan(first, count), output);
    });
  }
  return true;
}

template <class Count>
void CostCounterOf<Count>::uses(std::int64_t low, std::int64_t high, const PartUse& use,
                                const Effort& effort) {
  make_parts(effort);
  Predicted predicted = predict_count();
  predicted.bytes *= 1 + static_cast<double>(sizeof(Sum<Count>)) / sizeof(Count);
  require(predicted, "counting what networks are made of", "");
  Progress progress = progress_of(effort, 3 * predicted.operations);
  for (std::size_t slice = 0; slice < slices_.slices.size(); ++slice) {
    const auto tables = tables_of(slice);
    if (tables->empty()) continue;
    const std::int64_t offset = tables->slice().costs[0];
    const HalfTables<Algebra> halves(*tables, true, progress);
    for (const auto& found : part_uses(*tables, halves, low - offset, high - offset, progress)) {
      std::vector<std::pair<std::int64_t, Natural>> ways;
      ways.reserve(found.ways.size());
      for (const auto& [cost, count] : found.ways) ways.emplace_back(cost, natural_of(count));
      use(slice, found.part, ways);
    }
  }
}

// -- what is kept
// --------------------------------------------------------------------------------

template <class Count>
std::vector<StoredSlice> CostCounterOf<Count>::tables() const {
  std::vector<StoredSlice> all;
  all.reserve(prepared_.size());
  for (const auto& prepared : prepared_) {
    StoredSlice& of_slice = all.emplace_back();
    if (prepared == nullptr) continue;
    of_slice.order = prepared->order();
    for (const Table& table : prepared->chain().tables()) {
      of_slice.tables.push_back(stored(table));
    }
  }
  return all;
}

template <class Count>
std::shared_ptr<const PreparedSlice<Count>> CostCounterOf<Count>::restored_slice(
    const std::shared_ptr<const Tables>& slice, const StoredSlice& stored) const {
  std::vector<Extent> extents;
  for (const Table* const part : slice->parts()) extents.push_back(part->extent());
  const auto order = order_as(extents, stored.order);
  if (!order || stored.tables.size() + 1 != std::max<std::size_t>(extents.size(), 1)) {
    return nullptr;
  }
  std::vector<Table> made;
  for (std::size_t place = 0; place < stored.tables.size(); ++place) {
    auto table = restored<Count>(stored.tables[place]);
    const Extent& extent = order->extents[place + 1];
    if (!table || table->extent().low != extent.low || table->extent().high != extent.high) {
      return nullptr;
    }
    made.push_back(std::move(*table));
  }
  return std::make_shared<const PreparedSlice<Count>>(slice, *order, std::move(made));
}

template <class Count>
void CostCounterOf<Count>::restore(const std::vector<StoredSlice>& tables) {
  const auto refuse = [] { throw SpaceError("the tables are not those of this space and metric"); };
  if (tables.size() != slices_.slices.size()) refuse();
  std::vector<std::shared_ptr<const PreparedSlice<Count>>> made;
  made.reserve(tables.size());
  for (std::size_t slice = 0; slice < tables.size(); ++slice) {
    auto of_slice = tables_of(slice);
    if (of_slice->empty()) {
      if (!tables[slice].tables.empty() || !tables[slice].order.empty()) refuse();
      made.push_back(nullptr);
      continue;
    }
    auto of_tables = restored_slice(of_slice, tables[slice]);
    if (of_tables == nullptr) refuse();
    made.push_back(std::move(of_tables));
  }
  prepared_ = std::move(made);
}

}  // namespace

std::unique_ptr<CostCounter> make_cost_counter(const Problem& problem, const Slices& slices,
                                               std::size_t limbs, std::size_t memory) {
  switch (limbs) {
    case 1:
      return std::make_unique<CostCounterOf<std::uint64_t>>(problem, slices, memory);
    case 2:
      return std::make_unique<CostCounterOf<Wide>>(problem, slices, memory);
    case 4:
      return std::make_unique<CostCounterOf<WideCount<4>>>(problem, slices, memory);
    default:
      return std::make_unique<CostCounterOf<WideCount<16>>>(problem, slices, memory);
  }
}

}  // namespace netledger
