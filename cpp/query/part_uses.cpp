#include "query/part_uses.h"

#include <mutex>
#include <span>

namespace netledger {

namespace {

template <class Count>
using Table = Polynomial<Counting<Count>>;

// Where a table has a cost, which it has.
template <class Count>
std::size_t place_of(const Table<Count>& table, std::int64_t cost) {
  return table.places_up_to(cost) - 1;
}

// Where a product has the costs of a table and a term together.
template <class Count>
class ProductPlaces {
 public:
  ProductPlaces(const Table<Count>& before, const Table<Count>& product)
      : before_(before), product_(product) {
    if (before.dense() && product.dense()) {
      ratio_ = static_cast<std::size_t>(before.step() / product.step());
    }
  }

  // Of the term and the first place.
  [[nodiscard]] std::size_t first(std::int64_t cost) const {
    return place_of(product_, before_.cost(0) + cost);
  }
  [[nodiscard]] std::size_t at(std::size_t place, std::size_t first, std::int64_t cost) const {
    // Dense tables are on one lattice.
    if (ratio_ > 0) return first + place * ratio_;
    return place_of(product_, before_.cost(place) + cost);
  }

 private:
  const Table<Count>& before_;
  const Table<Count>& product_;
  std::size_t ratio_ = 0;
};

// For every place of one half how many networks of the other bring it within the limits.
template <class Count>
std::vector<Sum<Count>> completions(const Table<Count>& table, const Table<Count>& other,
                                    std::int64_t low, std::int64_t high) {
  const RankedTable<Count> ranked(other);
  std::vector<Sum<Count>> found;
  found.reserve(table.places());
  for (std::size_t place = 0; place < table.places(); ++place) {
    const std::int64_t cost = table.cost(place);
    Sum<Count> ways = ranked.up_to(high - cost);
    ways -= ranked.up_to(low - 1 - cost);
    found.push_back(ways);
  }
  return found;
}

// One step back: `ways` are those of the product of `before` and `part`. Returns those of `before`;
// adds up those of the part.
template <class Count>
std::vector<Sum<Count>> step_back(const Table<Count>& before, const Table<Count>& part,
                                  const Table<Count>& product, const std::vector<Sum<Count>>& ways,
                                  std::vector<std::pair<std::int64_t, Sum<Count>>>& of_part,
                                  Progress& progress) {
  const auto terms = part.terms();
  std::vector<Sum<Count>> of_before(before.places(), Sum<Count>{0});
  const ProductPlaces<Count> places(before, product);
  std::vector<std::size_t> firsts;
  for (const auto& term : terms) {
    of_part.emplace_back(term.cost, Sum<Count>{0});
    firsts.push_back(places.first(term.cost));
  }
  std::mutex mutex;
  constexpr std::uint64_t chunk = 1U << 14U;
  const auto rows = static_cast<double>(before.places());
  const double operations = rows * static_cast<double>(terms.size());
  run_chunks(before.places(), chunk, progress.options(operations, rows),
             [&](unsigned /*thread*/) -> ChunkWorker {
               return [&](std::uint64_t first, std::uint64_t count) {
                 std::vector<Sum<Count>> mine(terms.size(), Sum<Count>{0});
                 for (std::size_t place = first; place < first + count; ++place) {
                   if (Counting<Count>::is_absent(before.coefficient(place))) continue;
                   const Sum<Count> own = widened(before.coefficient(place));
                   Sum<Count> sum{0};
                   for (std::size_t index = 0; index < terms.size(); ++index) {
                     const std::size_t made = places.at(place, firsts[index], terms[index].cost);
                     sum += widened(terms[index].coefficient) * ways[made];
                     mine[index] += own * ways[made];
                   }
                   of_before[place] = sum;
                 }
                 const std::scoped_lock lock(mutex);
                 for (std::size_t index = 0; index < terms.size(); ++index) {
                   of_part[index].second += mine[index];
                 }
                 return true;
               };
             });
  progress.done(operations);
  return of_before;
}

template <class Count>
void go_back(const ProductChain<Counting<Count>>& chain, std::span<const std::size_t> numbers,
             std::vector<Sum<Count>> ways, std::vector<PartUse<Count>>& uses, Progress& progress) {
  if (numbers.empty()) return;
  for (std::size_t place = numbers.size() - 1; place > 0; --place) {
    PartUse<Count> use{numbers[place], {}};
    ways = step_back(chain.before(place), *chain.parts()[place], chain.tables()[place - 1], ways,
                     use.ways, progress);
    uses.push_back(std::move(use));
  }
  PartUse<Count> use{numbers.front(), {}};
  const Table<Count>& first = *chain.parts().front();
  for (std::size_t place = 0; place < first.places(); ++place) {
    if (!Counting<Count>::is_absent(first.coefficient(place))) {
      use.ways.emplace_back(first.cost(place), ways[place]);
    }
  }
  uses.push_back(std::move(use));
}

}  // namespace

template <class Count>
std::vector<PartUse<Count>> part_uses(const SliceTables<Counting<Count>>& slice,
                                      const HalfTables<Counting<Count>>& halves, std::int64_t low,
                                      std::int64_t high, Progress& progress) {
  std::vector<PartUse<Count>> uses;
  go_back<Count>(halves.left_chain(), slice.halves().left,
                 completions(halves.left(), halves.right(), low, high), uses, progress);
  go_back<Count>(halves.right_chain(), slice.halves().right,
                 completions(halves.right(), halves.left(), low, high), uses, progress);
  return uses;
}

#define NETLEDGER_COUNT(...)                                                                \
  template std::vector<PartUse<__VA_ARGS__>> part_uses(                                     \
      const SliceTables<Counting<__VA_ARGS__>>& slice,                                      \
      const HalfTables<Counting<__VA_ARGS__>>& halves, std::int64_t low, std::int64_t high, \
      Progress& progress);
NETLEDGER_COUNT(std::uint64_t)
NETLEDGER_COUNT(Wide)
NETLEDGER_COUNT(WideCount<4>)
NETLEDGER_COUNT(WideCount<16>)

}  // namespace netledger
