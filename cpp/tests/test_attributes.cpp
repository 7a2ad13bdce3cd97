// Attributes: set once, completed with defaults, read back as they were given.
#include "ops/attributes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "quantity/program.h"

namespace netledger {

namespace {

constexpr std::string_view words[] = {"same", "valid"};
constexpr std::string_view modes[] = {"sum", "mean", "max"};

enum Slot : std::size_t { size, sizes, flag, mode, padding, label, limit };
constexpr AttributeSpec specs[] = {
    {"size", AttributeKind::integer},
    {"sizes", AttributeKind::integers, Otherwise::value, 3},
    {"flag", AttributeKind::flag, Otherwise::value, 1},
    {"mode", AttributeKind::choice, Otherwise::value, 1, modes},
    {"padding", AttributeKind::integers, Otherwise::value, 0, words},
    {"label", AttributeKind::text, Otherwise::value},
    {"limit", AttributeKind::integer, Otherwise::none},
};
constexpr std::size_t count = std::size(specs);

}  // namespace

TEST_CASE("attributes are found by name") {
  const Attributes attributes(specs);
  CHECK(attributes.specs().size() == count);
  for (std::size_t slot = 0; slot < count; ++slot) CHECK(attributes.find(specs[slot].name) == slot);
  CHECK(attributes.find("strides") == count);
  CHECK(attributes.find("") == count);
}

TEST_CASE("a required attribute that is missing is named") {
  Attributes attributes(specs);
  CHECK_FALSE(attributes.is_set(size));
  CHECK(attributes.complete() == size);
  attributes.set(size, {8});
  CHECK(attributes.is_set(size));
  CHECK(attributes.complete() == count);
}

TEST_CASE("defaults fill what is left out") {
  Attributes attributes(specs);
  attributes.set(size, {8});
  REQUIRE(attributes.complete() == count);
  CHECK(attributes.values(size)[0].is(8));
  REQUIRE(attributes.values(sizes).size() == 1);
  CHECK(attributes.values(sizes)[0].is(3));
  CHECK(attributes.values(flag)[0].is(1));
  CHECK(std::string(attributes.word(mode)) == "mean");
  CHECK_FALSE(attributes.is_word(padding));
  CHECK(attributes.values(padding)[0].is(0));
  CHECK(attributes.text(label).empty());
  CHECK(attributes.is_none(limit));
  for (std::size_t slot = 0; slot < count; ++slot) {
    CHECK(attributes.is_set(slot));
    CHECK(attributes.is_none(slot) == (slot == limit));
  }
}

TEST_CASE("defaults leave what is given") {
  Attributes attributes(specs);
  attributes.set(size, {-5});
  attributes.set(sizes, {4, 5, 6});
  attributes.set(flag, {0});
  attributes.set_word(mode, 2);
  attributes.set_word(padding, 1);
  attributes.set_text(label, "a block");
  attributes.set(limit, {9});
  REQUIRE(attributes.complete() == count);
  CHECK(attributes.values(size)[0].is(-5));
  REQUIRE(attributes.values(sizes).size() == 3);
  CHECK(attributes.values(sizes)[0].is(4));
  CHECK(attributes.values(sizes)[2].is(6));
  CHECK(attributes.values(flag)[0].is(0));
  CHECK(std::string(attributes.word(mode)) == "max");
  CHECK(attributes.is_word(padding));
  CHECK(attributes.word_index(padding) == 1);
  CHECK(std::string(attributes.word(padding)) == "valid");
  CHECK(attributes.values(padding).empty());
  CHECK(attributes.text(label) == "a block");
  CHECK_FALSE(attributes.is_none(limit));
  CHECK(attributes.values(limit)[0].is(9));
}

TEST_CASE("a choice is its index, and not a word among numbers") {
  Attributes attributes(specs);
  attributes.set_word(mode, 0);
  CHECK_FALSE(attributes.is_word(mode));
  REQUIRE(attributes.values(mode).size() == 1);
  CHECK(attributes.values(mode)[0].is(0));
  CHECK(std::string(attributes.word(mode)) == "sum");
}

TEST_CASE("an empty sequence is given, not none") {
  Attributes attributes(specs);
  attributes.set(size, {1});
  attributes.set(sizes, std::span<const Quantity>{});
  REQUIRE(attributes.complete() == count);
  CHECK(attributes.values(sizes).empty());
  CHECK_FALSE(attributes.is_none(sizes));
  CHECK_FALSE(attributes.is_word(sizes));
}

TEST_CASE("none may be given where there is a default") {
  Attributes attributes(specs);
  attributes.set(size, {1});
  attributes.set_none(sizes);
  attributes.set_none(label);
  REQUIRE(attributes.complete() == count);
  CHECK(attributes.is_none(sizes));
  CHECK(attributes.values(sizes).empty());
  CHECK(attributes.is_none(label));
}

TEST_CASE("texts are kept apart from each other") {
  static constexpr AttributeSpec texts[] = {{"first", AttributeKind::text},
                                            {"second", AttributeKind::text}};
  Attributes attributes(texts);
  attributes.set_text(1, "ij,jk->ik");
  attributes.set_text(0, "");
  CHECK(attributes.text(0).empty());
  CHECK(attributes.text(1) == "ij,jk->ik");
}

TEST_CASE("reset forgets all") {
  static constexpr AttributeSpec other[] = {{"dim", AttributeKind::integer, Otherwise::value, -1}};
  Attributes attributes(specs);
  attributes.set(size, {1});
  attributes.set_word(padding, 0);
  attributes.set_text(label, "x");
  attributes.set_none(limit);
  attributes.reset(other);
  CHECK_FALSE(attributes.is_set(0));
  CHECK_FALSE(attributes.is_none(0));
  REQUIRE(attributes.complete() == 1);
  CHECK(attributes.values(0)[0].is(-1));
  attributes.reset(specs);
  for (std::size_t slot = 0; slot < count; ++slot) {
    CHECK_FALSE(attributes.is_set(slot));
    CHECK_FALSE(attributes.is_word(slot));
    CHECK_FALSE(attributes.is_none(slot));
  }
}

TEST_CASE("attributes may be variables") {
  Program program;
  const Quantity width = program.variable("width");
  Attributes attributes(specs);
  attributes.set(size, {width});
  attributes.set(sizes, {1, width + 1});
  CHECK(attributes.values(size)[0].same_as(width));
  CHECK(attributes.values(sizes)[1].same_as(width + 1));
}

}  // namespace netledger
