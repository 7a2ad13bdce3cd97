// The attributes of a layer: what each op accepts, and the values that one layer was given.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quantity/quantity.h"

namespace netledger {

enum class AttributeKind : std::uint8_t {
  integer,   // one Quantity
  integers,  // a sequence of Quantities; one integer stands for a sequence of length one
  flag,      // true or false
  choice,    // one of a list of words
  text,      // any string
};

// What an attribute is when the caller leaves it out.
enum class Otherwise : std::uint8_t {
  required,  // an error
  none,      // not given: None in Python
  value,     // `fallback`
};

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind;
  Otherwise otherwise = Otherwise::required;
  std::int64_t fallback = 0;                       // as one integer, flag or index; a text is empty
  std::span<const std::string_view> choices = {};  // for choice; for integers: words it takes too
};

// The values of one layer's attributes, in the order of its op's AttributeSpecs. Each is a sequence
// of Quantities: an integer, flag or choice has one, an attribute that is not given has none.
//
// Made to be reused: `reset` keeps the memory of the layer before.
class Attributes {
 public:
  static constexpr std::size_t maximum_count = 12;

  // What an attribute is given as.
  enum class Form : std::uint8_t { unset, values, word, text, none };

  Attributes() = default;
  explicit Attributes(std::span<const AttributeSpec> specs) { reset(specs); }
  void reset(std::span<const AttributeSpec> specs) {
    specs_ = specs;
    std::fill_n(slots_.begin(), specs.size(), Slot{});
    values_.clear();
    texts_.clear();
  }

  // Each attribute may be set once; those that are left out take their defaults in `complete`.
  void set(std::size_t slot, std::span<const Quantity> values) {
    slots_[slot] = {.form = Form::values,
                    .offset = static_cast<std::uint32_t>(values_.size()),
                    .length = static_cast<std::uint32_t>(values.size())};
    for (const Quantity& value : values) values_.push_back(value);
  }
  void set(std::size_t slot, std::initializer_list<Quantity> values) {
    set(slot, std::span(values.begin(), values.size()));
  }
  // A word where numbers could stand, as padding="same"; an index into the choices.
  void set_word(std::size_t slot, std::size_t word);
  void set_text(std::size_t slot, std::string text);
  void set_none(std::size_t slot);
  // Fills in defaults. Returns the first required attribute without a value, or the number of
  // attributes when there is none.
  [[nodiscard]] std::size_t complete();

  [[nodiscard]] std::span<const AttributeSpec> specs() const noexcept { return specs_; }
  // Index of the attribute of that name, or the number of attributes.
  [[nodiscard]] std::size_t find(std::string_view name) const;
  [[nodiscard]] bool is_set(std::size_t slot) const { return form(slot) != Form::unset; }

  [[nodiscard]] std::span<const Quantity> values(std::size_t slot) const {
    return {values_.data() + slots_[slot].offset, slots_[slot].length};
  }
  // How many values the attributes have in all.
  [[nodiscard]] std::size_t total() const noexcept { return values_.size(); }
  [[nodiscard]] Form form(std::size_t slot) const { return slots_[slot].form; }
  [[nodiscard]] bool is_none(std::size_t slot) const { return form(slot) == Form::none; }
  [[nodiscard]] bool is_word(std::size_t slot) const { return form(slot) == Form::word; }
  [[nodiscard]] std::string_view word(std::size_t slot) const;
  [[nodiscard]] std::size_t word_index(std::size_t slot) const { return slots_[slot].offset; }
  [[nodiscard]] const std::string& text(std::size_t slot) const {
    return texts_[slots_[slot].offset];
  }

 private:
  struct Slot {
    Form form = Form::unset;
    // Where its values or its text stand; of a word, its index.
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };

  std::span<const AttributeSpec> specs_;
  std::array<Slot, maximum_count> slots_{};
  std::vector<Quantity> values_;
  std::vector<std::string> texts_;
};

}  // namespace netledger
