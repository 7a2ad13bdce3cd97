// Shapes: up to 16 sizes, constant or not.
#include "graph/shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "quantity/program.h"

namespace netledger {

TEST_CASE("sizes are kept in order") {
  const Shape shape{2, 3, 5};
  REQUIRE(shape.rank() == 3);
  CHECK(shape[0].is(2));
  CHECK(shape[1].is(3));
  CHECK(shape[2].is(5));
  CHECK(shape.last().is(5));
  CHECK(shape.last(0).is(5));
  CHECK(shape.last(2).is(2));
  CHECK(shape.elements().is(30));
  CHECK(shape.end() - shape.begin() == 3);
}

TEST_CASE("a shape without dimensions holds one element") {
  const Shape shape;
  CHECK(shape.rank() == 0);
  CHECK(shape.sizes().empty());
  CHECK(shape.elements().is(1));
  CHECK(Shape({4, 0, 7}).elements().is(0));
}

TEST_CASE("a part of the sizes") {
  const Shape shape{2, 3, 5, 7};
  const std::span<const Quantity> middle = shape.sizes(1, 3);
  REQUIRE(middle.size() == 2);
  CHECK(middle[0].is(3));
  CHECK(middle[1].is(5));
  CHECK(shape.sizes(2, 2).empty());
  CHECK(Shape(middle).elements().is(15));
}

TEST_CASE("copies are independent") {
  Shape original{2, 3};
  Shape copy = original;
  copy.append(5);
  copy[0] = 7;
  CHECK(original.rank() == 2);
  CHECK(original[0].is(2));
  CHECK(copy.elements().is(105));
  original = copy;
  CHECK(original.elements().is(105));
  const Shape& same = original;
  original = same;
  CHECK(original.elements().is(105));
  original.clear();
  CHECK(original.rank() == 0);
  CHECK(copy.rank() == 3);
}

TEST_CASE("more than 16 dimensions are refused") {
  Shape shape;
  for (std::size_t dimension = 0; dimension < Shape::maximum_rank; ++dimension) shape.append(2);
  CHECK(shape.rank() == 16);
  CHECK(shape.elements().is(65536));
  CHECK_THROWS_AS(shape.append(1), std::length_error);
  CHECK_THROWS_WITH(shape.append(1), "a tensor has at most 16 dimensions");
  CHECK(shape.rank() == 16);
  std::array<Quantity, 17> sizes;
  sizes.fill(1);
  CHECK_THROWS_AS(Shape{std::span<const Quantity>(sizes)}, std::length_error);
}

TEST_CASE("elements are checked") {
  const Quantity large = std::int64_t{1} << 32;
  CHECK(Shape({large, std::int64_t{1} << 30}).elements().is(std::int64_t{1} << 62));
  CHECK_THROWS_AS(Shape({large, large}).elements(), CountOverflow);
}

TEST_CASE("elements of a shape with variables are an expression") {
  Program program;
  const Quantity n = program.variable("n");
  const Quantity elements = Shape({n, 3, n}).elements();
  CHECK_FALSE(elements.is_constant());
  CHECK(elements.same_as(n * 3 * n));
}

}  // namespace netledger
