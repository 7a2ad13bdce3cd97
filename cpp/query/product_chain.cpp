#include "query/product_chain.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace netledger {

RunOptions Progress::options(double operations, double rows) {
  RunOptions options{.threads = threads_, .wait = {}};
  if (wait_) {
    options.wait = [this, operations, rows](std::uint64_t done) {
      const double all = done_ + operations * static_cast<double>(done) / std::max(rows, 1.0);
      wait_(static_cast<std::uint64_t>(std::clamp(1000 * all / std::max(total_, 1.0), 0.0, 999.0)));
    };
  }
  return options;
}

template <class Algebra>
void ProductChain<Algebra>::multiply(bool keep, Progress& progress) {
  tables_.clear();
  std::vector<Extent> made{parts_.front()->extent()};
  for (std::size_t part = 1; part < parts_.size(); ++part) {
    made.push_back(made.back() + parts_[part]->extent());
  }
  constexpr bool narrow = std::is_same_v<Algebra, Counting<std::uint64_t>>;
  Wide total = 1;
  if constexpr (narrow) total = total_of(*parts_.front());
  Places<Value> room;
  for (std::size_t part = 1; part < parts_.size(); ++part) {
    const Polynomial<Algebra>& first = result();
    const double operations = first.extent().terms * parts_[part]->extent().terms;
    const auto rows = static_cast<double>(made[part].slots());
    // As large as the largest table that will be made in it; of a sparse one nothing is.
    const std::size_t last = parts_.size() - 1 - (parts_.size() - 1 - part) % 2;
    if (!keep && first.dense() && room.capacity() < made[part].slots() &&
        made[last].is_dense(made[last].terms)) {
      room = {};
      room.reserve(static_cast<std::size_t>(made[last].slots()));
    }
    Polynomial<Algebra> next =
        product(first, *parts_[part], progress.options(operations, rows), std::exchange(room, {}));
    progress.done(operations);
    // Modulo 2^64 a count is at most what it is: where all add up to as many as there are, none has
    // lost anything.
    if constexpr (narrow) {
      total *= total_of(*parts_[part]);
      if (total_of(next) != total) throw CountsTooLarge();
    }
    if (!keep && !tables_.empty()) {
      room = tables_.back().release();
      tables_.clear();
    }
    tables_.push_back(std::move(next));
  }
  if (keep) prepare_division();
}

template <class Algebra>
std::size_t ProductChain<Algebra>::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Polynomial<Algebra>& table : tables_) bytes += table.bytes();
  return bytes;
}

template <class Algebra>
void ProductChain<Algebra>::restore(std::vector<Polynomial<Algebra>> tables) {
  tables_ = std::move(tables);
  prepare_division();
}

template <class Algebra>
void ProductChain<Algebra>::prepare_division() {
  divisions_.clear();
  for (std::size_t part = 1; part < parts_.size(); ++part) divisions_.push_back(division(part));
}

template <class Algebra>
auto ProductChain<Algebra>::division(std::size_t part) const -> Division {
  // A sparse table of so few places is copied to a dense one, which is looked up in faster.
  constexpr std::uint64_t few_places = std::uint64_t{1} << 21U;
  const Polynomial<Algebra>& rest = before(part);
  const Polynomial<Algebra>& own = *parts_[part];
  const Extent extent = rest.extent();
  Division made;
  if (own.empty() || rest.empty()) return made;
  made.least = own.cost(0) + rest.cost(0);
  if (rest.dense()) {
    made.step = rest.step();
    made.others = rest.coefficients();
  } else if (extent.slots() <= few_places) {
    made.step = std::max<std::uint64_t>(extent.step, 1);
    made.copied.assign(static_cast<std::size_t>(extent.slots()), Algebra::absent());
    rest.each([&](std::int64_t cost, const Value& coefficient) {
      made.copied[static_cast<std::size_t>(cost - extent.low) / made.step] = coefficient;
    });
    made.others = made.copied;
  }
  for (std::size_t place = 0; place < own.places(); ++place) {
    if (Algebra::is_absent(own.coefficient(place))) continue;
    made.terms.push_back({own.cost(place), 0, own.coefficient(place), place});
  }
  const auto distance = [&](const Division::Term& term) {
    return static_cast<std::uint64_t>(term.cost) - static_cast<std::uint64_t>(own.cost(0));
  };
  for (auto& term : made.terms) term.steps = distance(term) / made.step;
  std::ranges::stable_sort(made.terms, {},
                           [&](const auto& term) { return distance(term) % made.step; });
  for (std::size_t index = 0; index < made.terms.size(); ++index) {
    const std::uint64_t residue = distance(made.terms[index]) % made.step;
    if (made.residues.empty() || made.residues.back() != residue) {
      made.residues.push_back(residue);
      made.begins.push_back(index);
    }
  }
  made.begins.push_back(made.terms.size());
  return made;
}

template <class Algebra>
bool ProductChain<Algebra>::takes(const Division::Term& term, const Value& others,
                                  std::int64_t& cost, Value& asked, Part& part) {
  if (Algebra::is_absent(others)) return false;
  if (!Choice<Algebra>::takes(asked, Algebra::multiply(term.ways, others))) return false;
  const auto [mine, left] = Choice<Algebra>::divided(asked, term.ways, others);
  part = {term.place, term.cost, mine};
  cost -= term.cost;
  asked = left;
  return true;
}

template <class Algebra>
auto ProductChain<Algebra>::take_share(std::size_t number, std::int64_t& cost, Value& asked) const
    -> Part {
  const Division& division = divisions_[number - 1];
  Part part{};
  if (division.others.empty()) {
    for (const auto& term : division.terms) {
      if (takes(term, before(number).at(cost - term.cost), cost, asked, part)) return part;
    }
    throw std::logic_error("a product has no such configuration");
  }
  // What is left for the others where the part costs least has to lie on their lattice.
  const std::uint64_t distance =
      static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(division.least);
  const std::uint64_t place = distance / division.step;
  const std::uint64_t residue = distance - place * division.step;
  std::size_t group = 0;
  if (division.residues.size() > 1) {
    group = static_cast<std::size_t>(std::ranges::lower_bound(division.residues, residue) -
                                     division.residues.begin());
  }
  if (group < division.residues.size() && division.residues[group] == residue) {
    const auto* const end = division.terms.data() + division.begins[group + 1];
    for (const auto* term = division.terms.data() + division.begins[group]; term != end; ++term) {
      // Beyond the end, also where it would be negative.
      const std::uint64_t at = place - term->steps;
      if (at < division.others.size() && takes(*term, division.others[at], cost, asked, part)) {
        return part;
      }
    }
  }
  throw std::logic_error("a product has no such configuration");
}

template <class Algebra>
void ProductChain<Algebra>::divide(std::int64_t cost, Value asked, std::span<Part> parts) const {
  for (std::size_t part = parts_.size() - 1; part > 0; --part) {
    parts[part] = take_share(part, cost, asked);
  }
  parts[0] = first_share(cost, asked);
}

template class ProductChain<Counting<std::uint64_t>>;
template class ProductChain<Counting<Wide>>;
template class ProductChain<Counting<WideCount<4>>>;
template class ProductChain<Counting<WideCount<16>>>;
template class ProductChain<Least>;

}  // namespace netledger
