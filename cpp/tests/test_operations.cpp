// The rule book: what every op promises, whatever its rule.
#include "ops/op.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "graph/shape.h"

namespace netledger {

namespace {

bool is_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace

TEST_CASE("names of ops are unique identifiers") {
  std::set<std::string_view> names;
  for (const Op& op : operations()) {
    CAPTURE(std::string(op.name));
    CHECK(is_identifier(op.name));
    CHECK(is_identifier(op.family));
    CHECK(names.insert(op.name).second);
  }
  CHECK(names.size() > 200);
}

TEST_CASE("an op is found by its name, and knows its place") {
  std::size_t index = 0;
  for (const Op& op : operations()) {
    CAPTURE(std::string(op.name));
    CHECK(find_operation(op.name) == &op);
    CHECK(operation_index(op) == index);
    ++index;
  }
  CHECK(find_operation("conv4d") == nullptr);
  CHECK(find_operation("") == nullptr);
  CHECK(find_operation("Conv2d") == nullptr);
}

TEST_CASE("every family has ops") {
  std::set<std::string_view> families;
  for (const Op& op : operations()) families.insert(op.family);
  const std::set<std::string_view> expected = {
      "convolution", "linear",     "attention",   "recurrent", "normalization",
      "pooling",     "activation", "elementwise", "reduction", "embedding",
      "shape",       "resample",   "declared"};
  CHECK((families == expected));
}

TEST_CASE("every op has a rule and takes a possible number of inputs") {
  for (const Op& op : operations()) {
    CAPTURE(std::string(op.name));
    CHECK((op.rule != nullptr));
    CHECK(op.minimum_inputs <= op.maximum_inputs);
    CHECK(op.spatial <= 3);
    // What moves no data calculates nothing.
    CHECK_FALSE((op.view && op.contraction));
  }
}

TEST_CASE("attributes fit their room, and their names are unique identifiers") {
  for (const Op& op : operations()) {
    CAPTURE(std::string(op.name));
    CHECK(op.attributes.size() <= Attributes::maximum_count);
    std::set<std::string_view> names;
    for (const AttributeSpec& spec : op.attributes) {
      CAPTURE(std::string(spec.name));
      CHECK(is_identifier(spec.name));
      CHECK(names.insert(spec.name).second);
    }
  }
}

TEST_CASE("choices are words, without repetition") {
  for (const Op& op : operations()) {
    for (const AttributeSpec& spec : op.attributes) {
      CAPTURE(std::string(op.name));
      CAPTURE(std::string(spec.name));
      if (spec.kind == AttributeKind::choice) {
        CHECK(spec.choices.size() >= 2);
      } else if (spec.kind != AttributeKind::integers) {
        CHECK(spec.choices.empty());
      }
      // A header of the graph's storage holds a word's index in 8 bits.
      CHECK(spec.choices.size() < 0xFF);
      std::set<std::string_view> words;
      for (const std::string_view word : spec.choices) {
        CHECK_FALSE(word.empty());
        CHECK(words.insert(word).second);
      }
    }
  }
}

TEST_CASE("a fallback is a value of its kind") {
  for (const Op& op : operations()) {
    for (const AttributeSpec& spec : op.attributes) {
      CAPTURE(std::string(op.name));
      CAPTURE(std::string(spec.name));
      if (spec.otherwise != Otherwise::value) {
        CHECK(spec.fallback == 0);
        continue;
      }
      switch (spec.kind) {
        case AttributeKind::flag:
          CHECK((spec.fallback == 0 || spec.fallback == 1));
          break;
        case AttributeKind::choice:
          CHECK(spec.fallback >= 0);
          CHECK(spec.fallback < static_cast<std::int64_t>(spec.choices.size()));
          break;
        case AttributeKind::text:
          CHECK(spec.fallback == 0);
          break;
        case AttributeKind::integer:
        case AttributeKind::integers:
          // Dimensions count from the end; nothing else is negative by default.
          CHECK(spec.fallback >= -1);
          if (spec.fallback < 0) CHECK(spec.name.find("dim") != std::string_view::npos);
          break;
      }
    }
  }
}

TEST_CASE("an op's defaults are complete where nothing is required") {
  for (const Op& op : operations()) {
    CAPTURE(std::string(op.name));
    std::size_t required = op.attributes.size();
    for (std::size_t slot = op.attributes.size(); slot-- > 0;) {
      if (op.attributes[slot].otherwise == Otherwise::required) required = slot;
    }
    Attributes attributes(op.attributes);
    CHECK(attributes.complete() == required);
  }
}

TEST_CASE("contractions are what multiplies and accumulates") {
  std::set<std::string_view> families;
  for (const Op& op : operations()) {
    if (op.contraction) families.insert(op.family);
  }
  const std::set<std::string_view> expected = {"convolution", "linear", "attention", "recurrent"};
  CHECK((families == expected));
}

}  // namespace netledger
