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
  constexpr bool narrow = std::is_same_v<Algebra, Counting<std::uint64_t>>;
  Wide total = 1;
  if constexpr (narrow) total = total_of(*parts_.front());
  for (std::size_t part = 1; part < parts_.size(); ++part) {
    const Polynomial<Algebra>& first = result();
    const Extent of_first = first.extent();
    const Extent of_part = parts_[part]->extent();
    const double operations = of_first.terms * of_part.terms;
    const Extent made = of_first + of_part;
    const double rows = first.dense() ? static_cast<double>(of_first.slots()) : made.terms;
    Polynomial<Algebra> next =
        product(first, *parts_[part], progress.options(operations, rows));
    progress.done(operations);
    // Modulo 2^64 a count is at most what it is: where all add up to as many as there are, none has
    // lost anything.
    if constexpr (narrow) {
      total *= total_of(*parts_[part]);
      if (total_of(next) != total) throw CountsTooLarge();
    }
    if (!keep) tables_.clear();
    tables_.push_back(std::move(next));
  }
}

template <class Algebra>
std::size_t ProductChain<Algebra>::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Polynomial<Algebra>& table : tables_) bytes += table.bytes();
  return bytes;
}

template <class Algebra>
void ProductChain<Algebra>::divide(std::int64_t cost, Value asked, std::span<Part> parts) const {
  for (std::size_t part = parts_.size() - 1; part > 0; --part) {
    const Polynomial<Algebra>& rest = before(part);
    bool found = false;
    const auto choose = [&](std::int64_t of_part, const Value& ways) {
      if (found) return;
      const Value others = rest.at(cost - of_part);
      if (Algebra::is_absent(others)) return;
      if (!Choice<Algebra>::takes(asked, Algebra::multiply(ways, others))) return;
      const auto [mine, left] = Choice<Algebra>::divided(asked, ways, others);
      parts[part] = {of_part, mine};
      cost -= of_part;
      asked = left;
      found = true;
    };
    parts_[part]->each(choose);
    if (!found) throw std::logic_error("a product has no such configuration");
  }
  parts[0] = {cost, asked};
}

template class ProductChain<Counting<std::uint64_t>>;
template class ProductChain<Counting<Wide>>;
template class ProductChain<Counting<WideCount<4>>>;
template class ProductChain<Counting<WideCount<16>>>;
template class ProductChain<Least>;

}  // namespace netledger
