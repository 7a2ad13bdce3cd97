#include "ops/layer.h"

#include <set>

namespace netledger {

namespace {

// What a quantity can be: its values when they are few, else the least and the greatest.
std::string text_of(const Quantity& number) {
  if (number.is_constant()) return std::to_string(number.constant());
  const ValueTable* table = number.program()->values(number);
  if (table == nullptr) return "?";
  constexpr std::size_t few = 5;
  std::set<std::int64_t> values(table->values.begin(), table->values.end());
  values.erase(no_exact_value);
  if (values.empty()) return "?";
  std::string text = "{";
  if (values.size() > few) {
    text += std::to_string(*values.begin()) + ", ..., " + std::to_string(*values.rbegin());
  } else {
    for (const std::int64_t value : values) {
      if (text.size() > 1) text += ", ";
      text += std::to_string(value);
    }
  }
  text += '}';
  return text;
}

}  // namespace

Fact::Fact(const Quantity& number) : text_(text_of(number)) {}

Fact::Fact(std::span<const Quantity> sizes) {
  text_ += '(';
  for (std::size_t index = 0; index < sizes.size(); ++index) {
    if (index > 0) text_ += ", ";
    text_ += Fact(sizes[index]).text();
  }
  text_ += sizes.size() == 1 ? ",)" : ")";
}

std::string sentence(std::string_view text, std::initializer_list<Fact> facts) {
  std::string result;
  const Fact* fact = facts.begin();
  for (std::size_t position = 0; position < text.size(); ++position) {
    if (text.substr(position, 2) == "{}" && fact != facts.end()) {
      result += fact->text();
      ++fact;
      ++position;
    } else {
      result += text[position];
    }
  }
  return result;
}

void Layer::reset(const Op& op, const Attributes& attributes) {
  op_ = &op;
  attributes_ = &attributes;
  inputs_.clear();
  outputs_.clear();
  weights_.clear();
  macs = 0;
  flops = 0;
  input_reads.reset();
  weight_reads.reset();
}

void Layer::refuse(std::string_view text, std::initializer_list<Fact> facts) const {
  throw RuleViolation(sentence(text, facts));
}

Spatial Layer::per_dimension(std::size_t slot) {
  const std::span<const Quantity> values = integers(slot);
  const std::size_t count = spatial();
  if (values.size() != 1 && values.size() != count) {
    refuse("{} must have 1 or {} entries, got {}",
           {attributes_->specs()[slot].name, count, Fact(values)});
  }
  Spatial result;
  for (std::size_t index = 0; index < count; ++index) {
    result[index] = values.size() == 1 ? values[0] : values[index];
  }
  return result;
}

std::size_t Layer::dimension(const Quantity& dimension, std::size_t rank) {
  const std::int64_t given = fixed(dimension, "dim");
  const auto limit = static_cast<std::int64_t>(rank);
  if (given < -limit || given >= limit) {
    refuse("dim {} is out of range for {} dimensions", {given, rank});
  }
  return static_cast<std::size_t>(given < 0 ? given + limit : given);
}

std::int64_t Layer::fixed(const Quantity& quantity, std::string_view name) {
  if (!quantity.is_constant()) refuse("{} must be a plain integer, not an expression", {name});
  return quantity.constant();
}

}  // namespace netledger
