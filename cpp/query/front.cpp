#include "query/front.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "query/elimination.h"
#include "query/product_chain.h"
#include "space/error.h"

namespace netledger {

namespace {

// Both are the less the better.
using Point = std::array<std::int64_t, 2>;
// Ascending in the first, descending in the second.
using Front = std::vector<Point>;

Point moved(const Point& point, const Point& by) { return {point[0] + by[0], point[1] + by[1]}; }

// What is best of either front, of which the second is moved.
Front best_of(const Front& front, const Front& other, const Point& by) {
  Front result;
  result.reserve(front.size() + other.size());
  auto left = front.begin();
  auto right = other.begin();
  while (left != front.end() || right != other.end()) {
    const bool takes_left =
        right == other.end() || (left != front.end() && *left <= moved(*right, by));
    const Point next = takes_left ? *left++ : moved(*right++, by);
    if (result.empty() || next[1] < result.back()[1]) result.push_back(next);
  }
  return result;
}

bool holds(const Front& front, const Point& point) {
  return std::ranges::binary_search(front, point);
}

// How much the fronts may take.
struct Room {
  std::size_t memory;

  void require(std::size_t points) const {
    if (points * sizeof(Point) <= memory) return;
    throw SpaceError("the fronts of this space take more than " + std::to_string(memory) +
                     " bytes: raise memory, or ask about fewer configurations (where)");
  }
};

struct Fronts {
  using Message = Front;
  // The products of the first one, the first two, and so on.
  struct Product {
    std::vector<Front> products;
  };

  std::array<std::int64_t, 2> signs;
  Room room;

  [[nodiscard]] static Front one() { return {{0, 0}}; }
  [[nodiscard]] Point signed_costs(const MetricCosts& costs) const {
    return {signs[0] * costs[0], signs[1] * costs[1]};
  }
  [[nodiscard]] Front combine(std::span<const Way<Front>> ways) const {
    Front front;
    for (const Way<Front>& way : ways) {
      front = best_of(front, *way.message, signed_costs(way.costs));
    }
    return front;
  }
  [[nodiscard]] Product product(const std::vector<const Front*>& fronts) const {
    Product result;
    std::size_t points = 0;
    for (const Front* const front : fronts) {
      Front made;
      if (result.products.empty()) {
        made = *front;
      } else {
        for (const Point& point : *front) made = best_of(made, result.products.back(), point);
      }
      points += made.size();
      room.require(points);
      result.products.push_back(std::move(made));
    }
    return result;
  }
  [[nodiscard]] static const Front& message(const Product& product) noexcept {
    static const Front nothing;
    return product.products.empty() ? nothing : product.products.back();
  }
  [[nodiscard]] static std::size_t weight(const Message& message) noexcept {
    return message.size();
  }
};

// Divides a point of a product among its factors.
std::vector<Point> divided(const Fronts::Product& product, const std::vector<const Front*>& fronts,
                           Point point) {
  std::vector<Point> parts(fronts.size());
  for (std::size_t place = fronts.size() - 1; place > 0; --place) {
    const auto part = std::ranges::find_if(*fronts[place], [&](const Point& candidate) {
      return holds(product.products[place - 1], {point[0] - candidate[0], point[1] - candidate[1]});
    });
    if (part == fronts[place]->end()) throw std::logic_error("a front has no such point");
    parts[place] = *part;
    point = {point[0] - (*part)[0], point[1] - (*part)[1]};
  }
  parts[0] = point;
  return parts;
}

void find_codes(const Elimination<Fronts>& elimination, std::size_t index, const Point& point,
                std::span<std::uint16_t> codes) {
  const Bucket& bucket = elimination.tree().buckets[index];
  const BucketCosts costs(elimination.problem(), bucket);
  const std::uint32_t size = elimination.problem().sizes()[bucket.variable];
  const Front one = Fronts::one();
  for (std::uint32_t code = 0; code < size; ++code) {
    codes[bucket.variable] = static_cast<std::uint16_t>(code);
    MetricCosts added;
    if (!costs.read(codes, added)) continue;
    const Point own = elimination.semiring().signed_costs(added);
    const Point rest{point[0] - own[0], point[1] - own[1]};
    std::vector<const Front*> fronts;
    fronts.reserve(bucket.children.size());
    for (const std::size_t child : bucket.children) {
      fronts.push_back(&elimination.message(child, codes));
    }
    const auto* const product = elimination.product(index, codes);
    const Front& all = product != nullptr ? Fronts::message(*product)
                       : fronts.empty()   ? one
                                          : *fronts.front();
    if (!holds(all, rest)) continue;
    const std::vector<Point> parts = product != nullptr ? divided(*product, fronts, rest)
                                                        : std::vector<Point>(fronts.size(), rest);
    for (std::size_t place = 0; place < parts.size(); ++place) {
      find_codes(elimination, bucket.children[place], parts[place], codes);
    }
    return;
  }
  throw std::logic_error("a front has no such configuration");
}

}  // namespace

std::vector<FrontPoint> pareto_front(const Problem& problem, const Slices& slices, bool maximise,
                                     bool maximise_other, std::size_t memory,
                                     const Effort& effort) {
  const Fronts fronts{.signs = {maximise ? -1 : 1, maximise_other ? -1 : 1}, .room = {memory}};
  Progress progress(static_cast<double>(2 * slices.slices.size()), effort.threads, effort.wait);
  struct Made {
    std::unique_ptr<Elimination<Fronts>> elimination;
    std::vector<const Front*> parts;
    Fronts::Product product;
    Point offset{};
  };
  std::vector<Made> made;
  Front all;
  for (const Slice& slice : slices.slices) {
    Made& of = made.emplace_back();
    of.elimination =
        std::make_unique<Elimination<Fronts>>(problem, slices.tree, fronts, slice.codes);
    for (const std::size_t root : slices.tree.roots) {
      of.parts.push_back(&of.elimination->root(root));
    }
    of.product = of.parts.empty() ? Fronts::Product{{Fronts::one()}} : fronts.product(of.parts);
    of.offset = fronts.signed_costs(slice.costs);
    all = best_of(all, Fronts::message(of.product), of.offset);
    progress.done(1);
    if (effort.wait) progress.options(0, 1).wait(0);
  }
  std::vector<FrontPoint> found(all.size());
  constexpr std::uint64_t chunk = 256;
  const auto rows = static_cast<double>(all.size());
  const auto find = [&](std::size_t index) {
    const Point& point = all[index];
    for (std::size_t slice = 0; slice < made.size(); ++slice) {
      const Made& of = made[slice];
      const Point rest{point[0] - of.offset[0], point[1] - of.offset[1]};
      if (!holds(Fronts::message(of.product), rest)) continue;
      std::vector<std::uint16_t> codes = slices.slices[slice].codes;
      if (!of.parts.empty()) {
        const std::vector<Point> parts = divided(of.product, of.parts, rest);
        for (std::size_t part = 0; part < parts.size(); ++part) {
          find_codes(*of.elimination, slices.tree.roots[part], parts[part], codes);
        }
      }
      found[index] = {fronts.signs[0] * point[0], fronts.signs[1] * point[1], std::move(codes)};
      return;
    }
  };
  run_chunks(all.size(), chunk, progress.options(static_cast<double>(made.size()), rows),
             [&](unsigned /*thread*/) -> ChunkWorker {
               return [&](std::uint64_t first, std::uint64_t count) {
                 for (std::uint64_t index = first; index < first + count; ++index) find(index);
                 return true;
               };
             });
  if (maximise) std::ranges::reverse(found);
  return found;
}

}  // namespace netledger
