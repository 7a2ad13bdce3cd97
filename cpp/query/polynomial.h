// Polynomial: for every cost that occurs, its coefficient: how many ways there are to have it, or
// the least they cost otherwise. Sparse, or dense where costs lie close together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "query/coefficients.h"
#include "query/extent.h"
#include "query/places.h"
#include "space/run.h"

namespace netledger {

// Algebra: Counting<...> or Least.
template <class Algebra>
class Polynomial {
 public:
  using Value = Algebra::Value;
  struct Term {
    std::int64_t cost = 0;
    Value coefficient = Algebra::one();
  };

  // Nothing has any cost.
  Polynomial() = default;
  // Ascending costs, each once, none with an absent coefficient.
  explicit Polynomial(std::vector<Term> terms) : sparse_(std::move(terms)) {}
  // One coefficient per place of a distance of `step`, beginning at `first`; the first and the last
  // one are there, and `occurring` of all.
  Polynomial(std::int64_t first, std::uint64_t step, Places<Value> coefficients,
             std::size_t occurring)
      : first_(first), step_(step), dense_(std::move(coefficients)), occurring_(occurring) {}
  // One way, of cost 0.
  [[nodiscard]] static Polynomial one() { return Polynomial({Term{}}); }

  [[nodiscard]] bool empty() const noexcept { return sparse_.empty() && dense_.empty(); }
  [[nodiscard]] bool dense() const noexcept { return !dense_.empty(); }
  [[nodiscard]] std::int64_t first() const noexcept { return first_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return step_; }
  [[nodiscard]] std::span<const Value> coefficients() const noexcept { return dense_; }
  [[nodiscard]] std::span<const Term> sparse_terms() const noexcept { return sparse_; }
  // Sparse terms, whatever it is.
  [[nodiscard]] std::vector<Term> terms() const;
  [[nodiscard]] Extent extent() const;
  [[nodiscard]] std::size_t bytes() const noexcept {
    return sparse_.size() * sizeof(Term) + dense_.size() * sizeof(Value);
  }
  // Costs that occur.
  [[nodiscard]] std::size_t size() const noexcept { return dense() ? occurring_ : sparse_.size(); }
  // Costs that are stored, ascending; of a dense one with those that do not occur.
  [[nodiscard]] std::size_t places() const noexcept {
    return dense() ? dense_.size() : sparse_.size();
  }
  [[nodiscard]] std::int64_t cost(std::size_t place) const noexcept {
    return dense() ? first_ + static_cast<std::int64_t>(place * step_) : sparse_[place].cost;
  }
  [[nodiscard]] const Value& coefficient(std::size_t place) const noexcept {
    return dense() ? dense_[place] : sparse_[place].coefficient;
  }
  // Places whose cost is at most the limit.
  [[nodiscard]] std::size_t places_up_to(std::int64_t limit) const noexcept;
  // Absent where no configuration has the cost.
  [[nodiscard]] Value at(std::int64_t cost) const noexcept;
  // The memory of a dense one, which is left without anything.
  [[nodiscard]] Places<Value> release() {
    Places<Value> released = std::move(dense_);
    *this = {};
    return released;
  }
  // Calls use(cost, coefficient) with those that are there, ascending.
  template <class Use>
  void each(Use&& use) const {
    for (std::size_t place = 0; place < places(); ++place) {
      if (!Algebra::is_absent(coefficient(place))) use(cost(place), coefficient(place));
    }
  }

 private:
  std::vector<Term> sparse_;
  std::int64_t first_ = 0;
  std::uint64_t step_ = 1;
  Places<Value> dense_;
  // Of the dense ones.
  std::size_t occurring_ = 0;
};

template <class Algebra>
struct Shifted {
  const Polynomial<Algebra>* polynomial = nullptr;
  std::int64_t cost = 0;
  Algebra::Value weight = Algebra::one();
};

// Polynomials added up in a table that is dense from the beginning.
template <class Algebra>
class DenseSum {
 public:
  // Of all that will be added.
  explicit DenseSum(const Extent& extent);

  void add(const Shifted<Algebra>& summand);
  [[nodiscard]] Polynomial<Algebra> take();

 private:
  std::int64_t first_;
  std::uint64_t step_;
  Places<typename Algebra::Value> values_;
};

// All of its coefficients.
[[nodiscard]] Wide total_of(const Polynomial<Counting<std::uint64_t>>& polynomial);

// The ways of any of them.
template <class Algebra>
[[nodiscard]] Polynomial<Algebra> sum(std::span<const Shifted<Algebra>> summands);

// The ways of both together. Each term of the second is a pass over the first. A dense product is
// made in `room` where that is large enough: memory that was used before is faster than new one.
template <class Algebra>
[[nodiscard]] Polynomial<Algebra> product(const Polynomial<Algebra>& polynomial,
                                          const Polynomial<Algebra>& factor,
                                          const RunOptions& options = {},
                                          Places<typename Algebra::Value> room = {});

// The same, part by part.
// with these limits; `out` has end - begin values, absent at first.
template <class Algebra>
class DenseProduct {
 public:
  using Value = Algebra::Value;
  // The polynomial is dense.
  DenseProduct(const Polynomial<Algebra>& polynomial, const Polynomial<Algebra>& factor);

  [[nodiscard]] std::int64_t first() const noexcept { return first_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return step_; }
  [[nodiscard]] std::size_t places() const noexcept { return places_; }
  // Places come in blocks of so many, one for each residue of the factor's costs.
  [[nodiscard]] std::size_t block() const noexcept { return ratio_; }
  // Writes the places from block `begin` to before block `end`; `out` begins with the first of
  // them. The last block may be cut off by `places`.
  void fill(std::size_t begin, std::size_t end, Value* out) const;

 private:
  struct Step {
    std::size_t shift;
    Value weight;
  };
  std::span<const Value> in_;
  std::int64_t first_ = 0;
  std::uint64_t step_ = 1;
  std::size_t ratio_ = 1;
  std::size_t places_ = 0;
  // By residue.
  struct Phase {
    std::size_t residue;
    std::vector<Step> steps;
  };
  std::vector<Phase> phases_;
};

extern template class Polynomial<Counting<std::uint64_t>>;
extern template class Polynomial<Counting<Wide>>;
extern template class Polynomial<Counting<WideCount<4>>>;
extern template class Polynomial<Counting<WideCount<16>>>;
extern template class Polynomial<Least>;

}  // namespace netledger
