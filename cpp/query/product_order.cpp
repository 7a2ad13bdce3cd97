#include "query/product_order.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>

namespace netledger {

namespace {

ProductOrder evaluated(std::span<const Extent> parts, std::vector<std::size_t> order) {
  ProductOrder result;
  Extent made = Extent::of(0);
  for (const std::size_t part : order) {
    const double before = stored_places(made);
    if (!result.extents.empty()) result.operations += before * parts[part].terms;
    made = made + parts[part];
    result.extents.push_back(made);
    const double places = stored_places(made);
    result.places += places;
    result.streamed_places = result.most_places;
    result.most_places = std::max(result.most_places, before + places);
  }
  result.order = std::move(order);
  return result;
}

// Chooses from the end: last comes what leaves the least to be made of the others. `first`, if any,
// comes first.
std::vector<std::size_t> from_the_end(std::span<const Extent> parts,
                                      std::optional<std::size_t> first, bool by_operations) {
  std::vector<std::size_t> left(parts.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::vector<std::size_t> order;
  if (first) std::erase(left, *first);
  while (!left.empty()) {
    // behind[i]: the sum of those from the i-th on.
    std::vector<Extent> behind(left.size() + 1, Extent::of(0));
    for (std::size_t place = left.size(); place-- > 0;) {
      behind[place] = behind[place + 1] + parts[left[place]];
    }
    Extent before = first ? parts[*first] : Extent::of(0);
    std::size_t best = 0;
    double best_cost = 0;
    for (std::size_t candidate = 0; candidate < left.size(); ++candidate) {
      const Extent rest = before + behind[candidate + 1];
      before = before + parts[left[candidate]];
      double cost = stored_places(rest);
      if (by_operations) cost *= parts[left[candidate]].terms;
      if (candidate == 0 || cost < best_cost) {
        best = candidate;
        best_cost = cost;
      }
    }
    order.push_back(left[best]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
  }
  if (first) order.push_back(*first);
  std::ranges::reverse(order);
  return order;
}

// Chooses from the beginning: next comes what makes the smallest product with those before.
std::vector<std::size_t> from_the_beginning(std::span<const Extent> parts) {
  std::vector<std::size_t> left(parts.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::vector<std::size_t> order;
  Extent made = Extent::of(0);
  while (!left.empty()) {
    const auto next = std::ranges::min_element(
        left, {}, [&](std::size_t part) { return (made + parts[part]).slots(); });
    made = made + parts[*next];
    order.push_back(*next);
    left.erase(next);
  }
  return order;
}

}  // namespace

double stored_places(const Extent& extent) noexcept {
  const auto slots = static_cast<double>(extent.slots());
  return extent.is_dense(extent.terms) ? slots : std::min(slots, 2 * extent.terms);
}

ProductOrder order_product(std::span<const Extent> parts, double place_cost) {
  if (parts.empty()) return {};
  const auto most_terms =
      static_cast<std::size_t>(std::ranges::max_element(parts, {}, &Extent::terms) - parts.begin());
  std::vector<std::size_t> by_terms(parts.size());
  std::iota(by_terms.begin(), by_terms.end(), std::size_t{0});
  std::ranges::stable_sort(by_terms, {}, [&](std::size_t part) { return -parts[part].terms; });
  const auto work = [place_cost](const ProductOrder& order) {
    return order.operations + place_cost * order.places;
  };
  ProductOrder best = evaluated(parts, by_terms);
  const auto consider = [&](std::vector<std::size_t> order) {
    ProductOrder other = evaluated(parts, std::move(order));
    if (work(other) < work(best)) best = std::move(other);
  };
  // Beyond that many parts looking for an order takes longer than it saves.
  constexpr std::size_t many = 256;
  if (parts.size() <= many) {
    consider(from_the_beginning(parts));
    for (const bool by_operations : {false, true}) {
      consider(from_the_end(parts, std::nullopt, by_operations));
      consider(from_the_end(parts, most_terms, by_operations));
    }
  }
  return best;
}

std::optional<ProductOrder> order_as(std::span<const Extent> parts,
                                     const std::vector<std::size_t>& order) {
  std::vector<std::size_t> numbers = order;
  std::ranges::sort(numbers);
  if (numbers.size() != parts.size()) return std::nullopt;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (numbers[part] != part) return std::nullopt;
  }
  return evaluated(parts, order);
}

Halves split_product(std::span<const Extent> parts) {
  const ProductOrder all = order_product(parts);
  std::optional<Halves> best;
  // Looking at every split of very many parts takes longer than it saves.
  const std::size_t stride = parts.size() / 64 + 1;
  double operations = 0;
  double places = 0;
  for (std::size_t count = 0; count < parts.size(); ++count) {
    // The parts before come as in the product of all.
    if (count > 1) {
      operations += stored_places(all.extents[count - 2]) * parts[all.order[count - 1]].terms;
    }
    if (count > 0) places += stored_places(all.extents[count - 1]);
    if (count % stride != 0) continue;
    std::vector<Extent> behind;
    for (std::size_t index = count; index < parts.size(); ++index) {
      behind.push_back(parts[all.order[index]]);
    }
    const ProductOrder right = order_product(behind);
    Halves halves{
        .left = {all.order.begin(), all.order.begin() + static_cast<std::ptrdiff_t>(count)},
        .right = {},
        .operations = operations + right.operations,
        .places = places + right.places};
    for (const std::size_t index : right.order) halves.right.push_back(all.order[count + index]);
    const auto cost = [](const Halves& of) { return of.operations + written_place * of.places; };
    if (!best || cost(halves) < cost(*best)) best = std::move(halves);
  }
  return best.value_or(Halves{});
}

}  // namespace netledger
