#include "query/halves.h"

#include <algorithm>
#include <deque>
#include <mutex>

namespace netledger {

template <class Algebra>
HalfTables<Algebra>::HalfTables(const SliceTables<Algebra>& slice, bool keep, Progress& progress)
    : slice_(slice),
      left_(slice.chain(slice.halves().left)),
      right_(slice.chain(slice.halves().right)) {
  left_.multiply(keep, progress);
  right_.multiply(keep, progress);
}

template <class Algebra>
std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>> HalfTables<Algebra>::nearest(
    std::int64_t target) const {
  std::optional<std::int64_t> below;
  std::optional<std::int64_t> above;
  const Table& other = right();
  const std::size_t places = other.places();
  const auto occurs = [&](std::size_t place) {
    return !Algebra::is_absent(other.coefficient(place));
  };
  // As the left cost rises, what is left for the right one falls.
  std::size_t end = places;
  std::size_t from = places;
  left().each([&](std::int64_t cost, const Value& /*coefficient*/) {
    const std::int64_t rest = target - cost;
    while (end > 0 && (other.cost(end - 1) > rest || !occurs(end - 1))) --end;
    if (end > 0)
      below = std::max(below.value_or(cost + other.cost(end - 1)), cost + other.cost(end - 1));
    // The least place that reaches the rest; places between that do not occur are passed over.
    while (from > 0 && other.cost(from - 1) >= rest) --from;
    std::size_t reached = from;
    while (reached < places && !occurs(reached)) ++reached;
    if (reached < places) {
      above = std::min(above.value_or(cost + other.cost(reached)), cost + other.cost(reached));
    }
  });
  return {below, above};
}

template <class Algebra>
bool HalfTables<Algebra>::find(std::int64_t cost, std::span<std::uint16_t> codes) const {
  std::optional<std::int64_t> of_left;
  Value best = Algebra::absent();
  left().each([&](std::int64_t mine, const Value& coefficient) {
    const Value rest = right().at(cost - mine);
    if (Algebra::is_absent(rest)) return;
    const Value both = Algebra::multiply(coefficient, rest);
    if constexpr (std::is_same_v<Algebra, Least>) {
      if (of_left && both >= best) return;
    } else if (of_left) {
      return;
    }
    of_left = mine;
    best = both;
  });
  if (!of_left) return false;
  const auto asked = [](const Table& table, std::int64_t of) {
    // The first of those that are counted; or the value itself.
    if constexpr (std::is_same_v<Algebra, Least>) return table.at(of);
    return Algebra::absent();
  };
  const std::int64_t of_right = cost - *of_left;
  slice_.find(left_, slice_.halves().left, *of_left, asked(left(), *of_left), codes);
  slice_.find(right_, slice_.halves().right, of_right, asked(right(), of_right), codes);
  return true;
}

template <class Count>
std::vector<Sum<Count>> count_up_to(const HalfTables<Counting<Count>>& halves,
                                    std::span<const std::int64_t> limits, Progress& progress) {
  const Polynomial<Counting<Count>>& left = halves.left();
  const RankedTable<Count> right(halves.right());
  std::vector<Sum<Count>> sums(limits.size(), Sum<Count>{0});
  std::mutex mutex;
  constexpr std::uint64_t chunk = 1U << 14U;
  const auto places = static_cast<double>(left.places());
  run_chunks(left.places(), chunk, progress.options(places, places),
             [&](unsigned /*thread*/) -> ChunkWorker {
               return [&](std::uint64_t first, std::uint64_t count) {
                 std::vector<Sum<Count>> mine(limits.size(), Sum<Count>{0});
                 for (std::size_t place = first; place < first + count; ++place) {
                   if (Counting<Count>::is_absent(left.coefficient(place))) continue;
                   const Sum<Count> ways = widened(left.coefficient(place));
                   for (std::size_t index = 0; index < limits.size(); ++index) {
                     mine[index] += ways * right.up_to(limits[index] - left.cost(place));
                   }
                 }
                 const std::scoped_lock lock(mutex);
                 for (std::size_t index = 0; index < limits.size(); ++index) {
                   sums[index] += mine[index];
                 }
                 return true;
               };
             });
  return sums;
}

std::optional<std::pair<std::int64_t, std::int64_t>> least_between(const HalfTables<Least>& halves,
                                                                   std::int64_t low,
                                                                   std::int64_t high) {
  const Polynomial<Least>& right = halves.right();
  std::optional<std::pair<std::int64_t, std::int64_t>> best;
  // The window of right costs moves down as the left cost rises. Of the places in it those are kept
  // that are less than all behind them: the last one entered stands at the back.
  std::deque<std::size_t> window;
  std::size_t next = right.places();
  halves.left().each([&](std::int64_t cost, std::int64_t other) {
    while (next > 0 && right.cost(next - 1) >= low - cost) {
      --next;
      if (Least::is_absent(right.coefficient(next))) continue;
      while (!window.empty() && right.coefficient(window.back()) >= right.coefficient(next)) {
        window.pop_back();
      }
      window.push_back(next);
    }
    while (!window.empty() && right.cost(window.front()) > high - cost) window.pop_front();
    if (window.empty()) return;
    const std::pair<std::int64_t, std::int64_t> found{cost + right.cost(window.front()),
                                                      other + right.coefficient(window.front())};
    if (!best || found.second < best->second) best = found;
  });
  return best;
}

#define NETLEDGER_ALGEBRA(...) template class HalfTables<__VA_ARGS__>;
NETLEDGER_ALGEBRA(Counting<std::uint64_t>)
NETLEDGER_ALGEBRA(Counting<Wide>)
NETLEDGER_ALGEBRA(Counting<WideCount<4>>)
NETLEDGER_ALGEBRA(Counting<WideCount<16>>)
NETLEDGER_ALGEBRA(Least)

#define NETLEDGER_COUNT(...)                                                                 \
  template std::vector<Sum<__VA_ARGS__>> count_up_to(                                        \
      const HalfTables<Counting<__VA_ARGS__>>& halves, std::span<const std::int64_t> limits, \
      Progress& progress);
NETLEDGER_COUNT(std::uint64_t)
NETLEDGER_COUNT(Wide)
NETLEDGER_COUNT(WideCount<4>)
NETLEDGER_COUNT(WideCount<16>)

}  // namespace netledger
