// Tables of counts as plain words, to be written to a file and read again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "query/cost_counter.h"
#include "query/polynomial.h"

namespace netledger {

inline constexpr std::size_t word_bytes = 8;

template <class Count>
[[nodiscard]] StoredTable stored(const Polynomial<Counting<Count>>& table) {
  constexpr std::size_t words = sizeof(Count) / word_bytes;
  StoredTable stored;
  if (table.dense()) {
    stored.first = table.first();
    stored.step = table.step();
    stored.words = {reinterpret_cast<const std::uint64_t*>(table.coefficients().data()),
                    table.coefficients().size() * words};
    return stored;
  }
  struct Columns {
    std::vector<std::int64_t> costs;
    std::vector<std::uint64_t> words;
  };
  auto columns = std::make_shared<Columns>();
  columns->words.resize(table.places() * words);
  for (std::size_t place = 0; place < table.places(); ++place) {
    columns->costs.push_back(table.cost(place));
    std::memcpy(columns->words.data() + place * words, &table.coefficient(place), sizeof(Count));
  }
  stored.costs = columns->costs;
  stored.words = columns->words;
  stored.owner = std::move(columns);
  return stored;
}

// Nothing where it is no table.
template <class Count>
[[nodiscard]] std::optional<Polynomial<Counting<Count>>> restored(const StoredTable& stored) {
  using Table = Polynomial<Counting<Count>>;
  constexpr std::size_t words = sizeof(Count) / word_bytes;
  const std::size_t places = stored.words.size() / words;
  if (places == 0 || stored.words.size() % words != 0) return std::nullopt;
  if (stored.step > 0) {
    Places<Count> counts(places);
    std::memcpy(static_cast<void*>(counts.data()), stored.words.data(), places * sizeof(Count));
    const auto occurring = static_cast<std::size_t>(
        std::ranges::count_if(counts, [](const Count& count) { return !(count == Count{0}); }));
    if (counts.front() == Count{0} || counts.back() == Count{0}) return std::nullopt;
    return Table(stored.first, stored.step, std::move(counts), occurring);
  }
  if (stored.costs.size() != places) return std::nullopt;
  std::vector<typename Table::Term> terms(places);
  for (std::size_t place = 0; place < places; ++place) {
    terms[place].cost = stored.costs[place];
    if (place > 0 && terms[place].cost <= terms[place - 1].cost) return std::nullopt;
    std::memcpy(static_cast<void*>(&terms[place].coefficient), stored.words.data() + place * words,
                sizeof(Count));
  }
  return Table(std::move(terms));
}

}  // namespace netledger
