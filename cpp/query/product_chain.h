// ProductChain: a product of many polynomials, made one after the other. Where the products on the
// way are kept, a cost of the whole is divided among the parts again, walking back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <vector>

#include "query/polynomial.h"
#include "space/run.h"

namespace netledger {

// How far work has come, for whoever waits for it.
class Progress {
 public:
  // `wait` is called now and then with the thousandths that are done; may throw, and be empty.
  Progress(double operations, unsigned threads, std::function<void(std::uint64_t)> wait)
      : total_(operations), threads_(threads), wait_(std::move(wait)) {}

  [[nodiscard]] unsigned threads() const noexcept { return threads_; }
  // Options of a run over `rows`, which are so many operations together.
  [[nodiscard]] RunOptions options(double operations, double rows);
  void done(double operations) noexcept { done_ += operations; }

 private:
  double total_;
  double done_ = 0;
  unsigned threads_;
  std::function<void(std::uint64_t)> wait_;
};

// Counts did not fit their type: a wider one is needed.
class CountsTooLarge : public std::exception {};

// What a walk asks for: by number (counts), or the value itself (the least).
template <class Algebra>
struct Choice {
  using Value = Algebra::Value;

  // Whether what is asked for lies in a part of so many ways; else goes on behind it.
  [[nodiscard]] static bool takes(Value& asked, const Value& ways) noexcept {
    if (asked < ways) return true;
    asked = static_cast<Value>(asked - ways);
    return false;
  }
  // Divides what is asked for of a pair: of the first with `first` ways, of the second.
  [[nodiscard]] static std::pair<Value, Value> divided(const Value& asked, const Value& first,
                                                       const Value& /*second*/) {
    if (first == Algebra::one()) return {Algebra::absent(), asked};
    auto [quotient, rest] = divide(asked, first);
    return {rest, quotient};
  }
};

template <>
struct Choice<Least> {
  using Value = Least::Value;

  [[nodiscard]] static bool takes(Value& asked, Value value) noexcept { return asked == value; }
  [[nodiscard]] static std::pair<Value, Value> divided(Value /*asked*/, Value first,
                                                       Value second) noexcept {
    return {first, second};
  }
};

template <class Algebra>
class ProductChain {
 public:
  using Value = Algebra::Value;
  // Of one part: the place in its table, its cost, and what is asked for of it.
  struct Part {
    std::size_t place;
    std::int64_t cost;
    Value asked;
  };

  // The parts in the order of multiplication; at least one. They outlive it.
  explicit ProductChain(std::vector<const Polynomial<Algebra>*> parts) : parts_(std::move(parts)) {}

  // Throws CountsTooLarge where counts of 64 bits pass them. Not `keep`: only the last product
  // stays, which is enough without a walk.
  void multiply(bool keep, Progress& progress);
  // The last product, which is not kept.
  [[nodiscard]] Polynomial<Algebra> take() {
    if (tables_.empty()) return *parts_.front();
    Polynomial<Algebra> last = std::move(tables_.back());
    tables_.clear();
    return last;
  }
  // Tables that were made before, in place of multiplying: one for each part but the first.
  void restore(std::vector<Polynomial<Algebra>> tables);
  // What is kept, one for each part but the first.
  [[nodiscard]] const std::vector<Polynomial<Algebra>>& tables() const noexcept { return tables_; }
  [[nodiscard]] const std::vector<const Polynomial<Algebra>*>& parts() const noexcept {
    return parts_;
  }
  [[nodiscard]] const Polynomial<Algebra>& result() const noexcept {
    return tables_.empty() ? *parts_.front() : tables_.back();
  }
  [[nodiscard]] std::size_t bytes() const noexcept;

  // One step of `divide`: takes the share of a part, by its number (not the first), out of the cost
  // and the number of the product up to it.
  [[nodiscard]] Part take_share(std::size_t number, std::int64_t& cost, Value& asked) const;
  // The share of the first part, which is what is left.
  [[nodiscard]] Part first_share(std::int64_t cost, const Value& asked) const {
    return {parts_.front()->places_up_to(cost) - 1, cost, asked};
  }
  // Divides a cost of the whole among the parts. `asked`: below the coefficient of the cost, where
  // it counts; the coefficient itself, where it is the least.
  void divide(std::int64_t cost, Value asked, std::span<Part> parts) const;

  // The product of the parts before one, at least one.
  [[nodiscard]] const Polynomial<Algebra>& before(std::size_t part) const noexcept {
    return part == 1 ? *parts_.front() : tables_[part - 2];
  }

 private:
  // How a cost is divided between a part and those before it: the part's terms, those of equal
  // residue by the step of the product before together.
  struct Division {
    struct Term {
      std::int64_t cost;
      // Of the product before.
      std::uint64_t steps;
      Value ways;
      // In the part's table.
      std::size_t place;
    };
    // The product before, dense; empty where it is too sparse for that.
    std::span<const Value> others;
    // Where that is a copy.
    Places<Value> copied;
    // The least cost of both.
    std::int64_t least = 0;
    std::uint64_t step = 1;
    std::vector<Term> terms;
    // Ascending, and where the terms of each begin; one more beginning than there are residues.
    std::vector<std::uint64_t> residues;
    std::vector<std::size_t> begins;
  };

  void prepare_division();
  [[nodiscard]] Division division(std::size_t part) const;
  // Whether the part has this term, and the others the rest, of what is asked for.
  [[nodiscard]] static bool takes(const Division::Term& term, const Value& others,
                                  std::int64_t& cost, Value& asked, Part& part);

  std::vector<const Polynomial<Algebra>*> parts_;
  std::vector<Polynomial<Algebra>> tables_;
  // Of each part but the first.
  std::vector<Division> divisions_;
};

}  // namespace netledger
