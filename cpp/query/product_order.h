// ProductOrder: in which order independent parts are brought together, so that the tables on the
// way stay small.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "query/extent.h"

namespace netledger {

// Places that a table of these limits is stored in: dense, or sparse, which takes two for each
// value.
[[nodiscard]] double stored_places(const Extent& extent) noexcept;

struct ProductOrder {
  // Numbers of the parts; each is multiplied to those before it.
  std::vector<std::size_t> order;
  // Of what is made after each of them.
  std::vector<Extent> extents;
  // Additions that it takes, and places of all tables that are made.
  double operations = 0;
  double places = 0;
  // Places of the two tables in a row that are larger than any other two; and without the last one,
  // of which a part is enough at a time.
  double most_places = 0;
  double streamed_places = 0;
};

// `place_cost`: how many additions a place of a table is worth. Writing one costs as much as some
// additions; where all tables are kept, more is at stake.
inline constexpr double written_place = 8;
inline constexpr double kept_place = 32;
[[nodiscard]] ProductOrder order_product(std::span<const Extent> parts,
                                         double place_cost = written_place);

// The same for an order that is given; nothing where it does not name every part once.
[[nodiscard]] std::optional<ProductOrder> order_as(std::span<const Extent> parts,
                                                   const std::vector<std::size_t>& order);

// Two products, of parts that together are all, so that a question about the sum of both is
// answered by passing over the tables of either.
struct Halves {
  std::vector<std::size_t> left;
  std::vector<std::size_t> right;
  double operations = 0;
  double places = 0;
};

[[nodiscard]] Halves split_product(std::span<const Extent> parts);

}  // namespace netledger
