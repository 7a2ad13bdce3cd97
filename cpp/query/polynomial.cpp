#include "query/polynomial.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace netledger {

namespace {

// Values of a block that stays in the first cache.
constexpr std::size_t cached = 2048;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define NETLEDGER_WIDEST \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define NETLEDGER_WIDEST
#endif

NETLEDGER_WIDEST void add_weighted(std::uint64_t* out, const std::uint64_t* in, std::size_t count,
                                   std::uint64_t weight) {
  if (weight == 1) {
    for (std::size_t place = 0; place < count; ++place) out[place] += in[place];
  } else {
    for (std::size_t place = 0; place < count; ++place) out[place] += weight * in[place];
  }
}

// Four passes in one.
NETLEDGER_WIDEST void add_four(std::uint64_t* out, const std::array<const std::uint64_t*, 4>& in,
                               std::size_t count, const std::array<std::uint64_t, 4>& weights) {
  const auto [a, b, c, d] = in;
  if (weights[0] == 1 && weights[1] == 1 && weights[2] == 1 && weights[3] == 1) {
    for (std::size_t place = 0; place < count; ++place) {
      out[place] += a[place] + b[place] + (c[place] + d[place]);
    }
    return;
  }
  const auto [m, n, o, p] = weights;
  for (std::size_t place = 0; place < count; ++place) {
    out[place] += m * a[place] + n * b[place] + (o * c[place] + p * d[place]);
  }
}

NETLEDGER_WIDEST void add_weighted(std::int64_t* out, const std::int64_t* in, std::size_t count,
                                   std::int64_t weight) {
  // Sums with an absent value stay so large that they count as absent.
  for (std::size_t place = 0; place < count; ++place) {
    const std::int64_t value = in[place] + weight;
    out[place] = value < out[place] ? value : out[place];
  }
}

template <class Value>
void add_weighted(Value* out, const Value* in, std::size_t count, const Value& weight) {
  for (std::size_t place = 0; place < count; ++place) {
    out[place] = static_cast<Value>(out[place] + weight * in[place]);
  }
}

// Without absent ends; sparse where most are absent.
template <class Algebra>
Polynomial<Algebra> trimmed(std::int64_t first, std::uint64_t step,
                            Places<typename Algebra::Value> values) {
  using Value = Algebra::Value;
  const auto there = [](const Value& value) { return !Algebra::is_absent(value); };
  const auto begin = std::ranges::find_if(values, there);
  if (begin == values.end()) return {};
  auto end = values.end();
  while (!there(*std::prev(end))) --end;
  const auto count = static_cast<std::size_t>(std::count_if(begin, end, there));
  const auto skipped = static_cast<std::size_t>(begin - values.begin());
  first += static_cast<std::int64_t>(skipped * step);
  if (count * Extent::most_places_per_way < static_cast<std::size_t>(end - begin)) {
    std::vector<typename Polynomial<Algebra>::Term> terms;
    terms.reserve(count);
    for (auto value = begin; value != end; ++value) {
      if (there(*value)) {
        terms.push_back(
            {first + static_cast<std::int64_t>(static_cast<std::size_t>(value - begin) * step),
             *value});
      }
    }
    return Polynomial<Algebra>(std::move(terms));
  }
  values.erase(end, values.end());
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(skipped));
  return Polynomial<Algebra>(first, step, std::move(values), count);
}

// Brings terms of equal costs together.
template <class Term, class Algebra>
void gather(std::vector<Term>& terms) {
  std::ranges::sort(terms, {}, &Term::cost);
  std::size_t kept = 0;
  for (std::size_t index = 0; index < terms.size(); ++index) {
    if (kept > 0 && terms[kept - 1].cost == terms[index].cost) {
      terms[kept - 1].coefficient =
          Algebra::add(terms[kept - 1].coefficient, terms[index].coefficient);
    } else {
      terms[kept++] = terms[index];
    }
  }
  terms.resize(kept);
}

}  // namespace

template <class Algebra>
std::vector<typename Polynomial<Algebra>::Term> Polynomial<Algebra>::terms() const {
  if (!dense()) return sparse_;
  std::vector<Term> found;
  each([&](std::int64_t cost, const Value& coefficient) { found.push_back({cost, coefficient}); });
  return found;
}

template <class Algebra>
Extent Polynomial<Algebra>::extent() const {
  if (dense()) {
    // The step may be finer than the costs that are there.
    return {.empty = false,
            .low = first_,
            .high = cost(dense_.size() - 1),
            .step = dense_.size() == 1 ? 0 : step_,
            .terms = static_cast<double>(occurring_)};
  }
  Extent extent;
  for (const Term& term : sparse_) extent.unite(Extent::of(term.cost));
  extent.terms = static_cast<double>(sparse_.size());
  return extent;
}

template <class Algebra>
std::size_t Polynomial<Algebra>::places_up_to(std::int64_t limit) const noexcept {
  if (!dense()) {
    return static_cast<std::size_t>(std::ranges::upper_bound(sparse_, limit, {}, &Term::cost) -
                                    sparse_.begin());
  }
  if (limit < first_) return 0;
  const std::uint64_t distance =
      static_cast<std::uint64_t>(limit) - static_cast<std::uint64_t>(first_);
  return static_cast<std::size_t>(std::min<std::uint64_t>(distance / step_ + 1, dense_.size()));
}

template <class Algebra>
Algebra::Value Polynomial<Algebra>::at(std::int64_t cost) const noexcept {
  if (dense()) {
    if (cost < first_) return Algebra::absent();
    const std::uint64_t distance =
        static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(first_);
    if (step_ == 1) return distance < dense_.size() ? dense_[distance] : Algebra::absent();
    const std::uint64_t place = distance / step_;
    if (place >= dense_.size() || place * step_ != distance) return Algebra::absent();
    return dense_[place];
  }
  const auto term = std::ranges::lower_bound(sparse_, cost, {}, &Term::cost);
  return term != sparse_.end() && term->cost == cost ? term->coefficient : Algebra::absent();
}

Wide total_of(const Polynomial<Counting<std::uint64_t>>& polynomial) {
  Wide total = 0;
  for (std::size_t place = 0; place < polynomial.places(); ++place) {
    total += polynomial.coefficient(place);
  }
  return total;
}

template <class Algebra>
Polynomial<Algebra> sum(std::span<const Shifted<Algebra>> summands) {
  using Value = Algebra::Value;
  using Term = Polynomial<Algebra>::Term;
  Extent extent;
  std::size_t ways = 0;
  for (const Shifted<Algebra>& summand : summands) {
    const Extent of = summand.polynomial->extent();
    if (of.empty) continue;
    extent.unite(of + Extent::of(summand.cost));
    ways += static_cast<std::size_t>(of.terms);
  }
  if (extent.empty) return {};
  if (!extent.is_dense(static_cast<double>(ways))) {
    std::vector<Term> terms;
    terms.reserve(ways);
    for (const Shifted<Algebra>& summand : summands) {
      summand.polynomial->each([&](std::int64_t cost, const Value& coefficient) {
        terms.push_back({cost + summand.cost, Algebra::multiply(coefficient, summand.weight)});
      });
    }
    gather<Term, Algebra>(terms);
    return Polynomial<Algebra>(std::move(terms));
  }
  DenseSum<Algebra> dense(extent);
  for (const Shifted<Algebra>& summand : summands) {
    if (!summand.polynomial->empty()) dense.add(summand);
  }
  return dense.take();
}

template <class Algebra>
DenseSum<Algebra>::DenseSum(const Extent& extent)
    : first_(extent.low),
      step_(std::max<std::uint64_t>(extent.step, 1)),
      values_(static_cast<std::size_t>(extent.slots()), Algebra::absent()) {}

template <class Algebra>
void DenseSum<Algebra>::add(const Shifted<Algebra>& summand) {
  const Polynomial<Algebra>& polynomial = *summand.polynomial;
  const auto place = [&](std::int64_t cost) {
    return static_cast<std::size_t>(
        (static_cast<std::uint64_t>(cost + summand.cost) - static_cast<std::uint64_t>(first_)) /
        step_);
  };
  if (polynomial.dense() && polynomial.step() == step_) {
    add_weighted(values_.data() + place(polynomial.first()), polynomial.coefficients().data(),
                 polynomial.coefficients().size(), summand.weight);
    return;
  }
  polynomial.each([&](std::int64_t cost, const Algebra::Value& coefficient) {
    auto& value = values_[place(cost)];
    value = Algebra::add(value, Algebra::multiply(coefficient, summand.weight));
  });
}

template <class Algebra>
Polynomial<Algebra> DenseSum<Algebra>::take() {
  return trimmed<Algebra>(first_, step_, std::move(values_));
}

template <class Algebra>
DenseProduct<Algebra>::DenseProduct(const Polynomial<Algebra>& polynomial,
                                    const Polynomial<Algebra>& factor)
    : in_(polynomial.coefficients()) {
  const Extent extent = polynomial.extent() + factor.extent();
  first_ = extent.low;
  step_ = std::max<std::uint64_t>(std::gcd(polynomial.step(), factor.extent().step), 1);
  places_ = static_cast<std::size_t>(extent.range() / step_) + 1;
  ratio_ = static_cast<std::size_t>(polynomial.step() / step_);
  std::vector<std::pair<std::size_t, Step>> steps;
  const std::int64_t lowest = factor.extent().low;
  factor.each([&](std::int64_t cost, const Value& coefficient) {
    const auto offset = static_cast<std::size_t>(
        (static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(lowest)) / step_);
    steps.emplace_back(offset % ratio_, Step{offset / ratio_, coefficient});
  });
  std::ranges::stable_sort(steps, {}, [](const auto& step) { return step.first; });
  for (const auto& [residue, step] : steps) {
    if (phases_.empty() || phases_.back().residue != residue) phases_.push_back({residue, {}});
    phases_.back().steps.push_back(step);
  }
}

template <class Algebra>
void DenseProduct<Algebra>::fill(std::size_t begin, std::size_t end, Value* out) const {
  std::array<Value, cached> kept;
  for (std::size_t from = begin; from < end; from += cached) {
    const std::size_t to = std::min(end, from + cached);
    if (ratio_ > 1) {
      const std::size_t last = std::min(to * ratio_, places_);
      std::fill(out + (from - begin) * ratio_, out + (last - begin * ratio_), Algebra::absent());
    }
    for (const Phase& phase : phases_) {
      Value* const values = ratio_ == 1 ? out + (from - begin) : kept.data();
      std::fill_n(values, to - from, Algebra::absent());
      std::size_t waiting = 0;
      std::array<const Value*, 4> four{};
      std::array<Value, 4> weights{};
      for (const Step& step : phase.steps) {
        const std::size_t low = std::max(from, step.shift);
        const std::size_t high = std::min(to, in_.size() + step.shift);
        if (low >= high) continue;
        const Value* const in = in_.data() + (low - step.shift);
        if constexpr (std::is_same_v<Value, std::uint64_t>) {
          if (low == from && high == to) {
            four[waiting] = in;
            weights[waiting] = step.weight;
            if (++waiting == 4) {
              add_four(values, four, to - from, weights);
              waiting = 0;
            }
            continue;
          }
        }
        add_weighted(values + (low - from), in, high - low, step.weight);
      }
      for (std::size_t index = 0; index < waiting; ++index) {
        add_weighted(values, four[index], to - from, weights[index]);
      }
      if (ratio_ == 1) continue;
      Value* target = out + (from - begin) * ratio_ + phase.residue;
      // Behind the last place there may be residues that the last block has not.
      std::size_t blocks = to - from;
      while (blocks > 0 && (from + blocks - 1) * ratio_ + phase.residue >= places_) --blocks;
      for (std::size_t block = 0; block < blocks; ++block) target[block * ratio_] = kept[block];
    }
  }
}

template <class Algebra>
Polynomial<Algebra> product(const Polynomial<Algebra>& polynomial,
                            const Polynomial<Algebra>& factor, const RunOptions& options,
                            Places<typename Algebra::Value> room) {
  using Value = Algebra::Value;
  using Term = Polynomial<Algebra>::Term;
  if (polynomial.empty() || factor.empty()) return {};
  const Extent extent = polynomial.extent() + factor.extent();
  const std::size_t ways = polynomial.size() * factor.size();
  const bool dense_product = extent.is_dense(static_cast<double>(ways));
  if (polynomial.dense() && dense_product) {
    const DenseProduct<Algebra> dense(polynomial, factor);
    Places<Value> values;
    if (room.capacity() >= dense.places()) values = std::move(room);
    values.clear();
    values.resize(dense.places());
    const std::size_t blocks = (dense.places() - 1) / dense.block() + 1;
    const std::size_t chunk = std::max<std::size_t>(cached * 16 / dense.block(), 1);
    run_chunks(blocks, chunk, options, [&](unsigned /*thread*/) -> ChunkWorker {
      return [&](std::uint64_t begin, std::uint64_t count) {
        dense.fill(begin, begin + count, values.data() + begin * dense.block());
        return true;
      };
    });
    return trimmed<Algebra>(dense.first(), dense.step(), std::move(values));
  }
  const std::vector<Term> polynomial_terms = polynomial.terms();
  const std::vector<Term> factor_terms = factor.terms();
  if (dense_product) {
    const std::uint64_t step = std::max<std::uint64_t>(extent.step, 1);
    Places<Value> values(static_cast<std::size_t>(extent.slots()), Algebra::absent());
    for (const Term& term : factor_terms) {
      for (const Term& other : polynomial_terms) {
        Value& value =
            values[static_cast<std::size_t>((static_cast<std::uint64_t>(term.cost + other.cost) -
                                             static_cast<std::uint64_t>(extent.low)) /
                                            step)];
        value = Algebra::add(value, Algebra::multiply(term.coefficient, other.coefficient));
      }
    }
    return trimmed<Algebra>(extent.low, step, std::move(values));
  }
  std::vector<Term> terms;
  terms.reserve(ways);
  for (const Term& term : factor_terms) {
    for (const Term& other : polynomial_terms) {
      terms.push_back(
          {term.cost + other.cost, Algebra::multiply(term.coefficient, other.coefficient)});
    }
  }
  gather<Term, Algebra>(terms);
  return Polynomial<Algebra>(std::move(terms));
}

#define NETLEDGER_ALGEBRA(...)                                                          \
  template class Polynomial<__VA_ARGS__>;                                               \
  template class DenseProduct<__VA_ARGS__>;                                             \
  template class DenseSum<__VA_ARGS__>;                                                 \
  template Polynomial<__VA_ARGS__> sum(std::span<const Shifted<__VA_ARGS__>> summands); \
  template Polynomial<__VA_ARGS__> product(                                             \
      const Polynomial<__VA_ARGS__>& polynomial, const Polynomial<__VA_ARGS__>& factor, \
      const RunOptions& options, Places<__VA_ARGS__::Value> room);
NETLEDGER_ALGEBRA(Counting<std::uint64_t>)
NETLEDGER_ALGEBRA(Counting<Wide>)
NETLEDGER_ALGEBRA(Counting<WideCount<4>>)
NETLEDGER_ALGEBRA(Counting<WideCount<16>>)
NETLEDGER_ALGEBRA(Least)

}  // namespace netledger
