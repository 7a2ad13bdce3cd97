#include "ops/attributes.h"

#include <utility>

namespace netledger {

void Attributes::set_word(std::size_t slot, std::size_t word) {
  if (specs_[slot].kind == AttributeKind::choice) {
    set(slot, {static_cast<std::int64_t>(word)});
    return;
  }
  slots_[slot] = {.form = Form::word, .offset = static_cast<std::uint32_t>(word)};
}

void Attributes::set_text(std::size_t slot, std::string text) {
  slots_[slot] = {.form = Form::text, .offset = static_cast<std::uint32_t>(texts_.size())};
  texts_.push_back(std::move(text));
}

void Attributes::set_none(std::size_t slot) { slots_[slot] = {.form = Form::none}; }

std::size_t Attributes::complete() {
  for (std::size_t slot = 0; slot < specs_.size(); ++slot) {
    if (is_set(slot)) continue;
    switch (specs_[slot].otherwise) {
      case Otherwise::required:
        return slot;
      case Otherwise::none:
        set_none(slot);
        break;
      case Otherwise::value:
        if (specs_[slot].kind == AttributeKind::text) {
          set_text(slot, "");
        } else {
          set(slot, {specs_[slot].fallback});
        }
        break;
    }
  }
  return specs_.size();
}

std::size_t Attributes::find(std::string_view name) const {
  std::size_t slot = 0;
  while (slot < specs_.size() && specs_[slot].name != name) ++slot;
  return slot;
}

std::string_view Attributes::word(std::size_t slot) const {
  const AttributeSpec& spec = specs_[slot];
  if (spec.kind == AttributeKind::choice) {
    return spec.choices[static_cast<std::size_t>(values(slot)[0].constant())];
  }
  return spec.choices[word_index(slot)];
}

}  // namespace netledger
