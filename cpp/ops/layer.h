// Layer: what a rule sees of one layer, and where it writes what the layer gives and costs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "graph/shape.h"
#include "ops/op.h"
#include "quantity/program.h"

namespace netledger {

// A layer that its rule refuses. `what()` is the rule's sentence with the facts put in.
class RuleViolation : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// A fact put into the sentence of a rule: a number, a word, or sizes (printed as a tuple).
class Fact {
 public:
  // NOLINTBEGIN(google-explicit-constructor): facts are written as they are.
  Fact(const Quantity& number);
  Fact(std::int64_t number) : text_(std::to_string(number)) {}
  Fact(std::size_t number) : text_(std::to_string(number)) {}
  Fact(int number) : text_(std::to_string(number)) {}
  Fact(std::string_view word) : text_(word) {}
  Fact(const char* word) : text_(word) {}
  Fact(const std::string& word) : text_(word) {}
  Fact(std::span<const Quantity> sizes);
  Fact(const Shape& shape) : Fact(shape.sizes()) {}
  // NOLINTEND(google-explicit-constructor)
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

// `text` with each {} replaced by the next fact.
[[nodiscard]] std::string sentence(std::string_view text, std::initializer_list<Fact> facts);

enum class WeightKind : std::uint8_t { parameter, buffer };

struct Weight {
  Shape shape;
  WeightKind kind;
  // Whether inference reads it: it is then part of the traffic.
  bool read;
};

// Sizes in up to three spatial dimensions.
using Spatial = std::array<Quantity, 3>;

class Layer {
 public:
  // Starts on a new layer; keeps the memory of the one before.
  void reset(const Op& op, const Attributes& attributes);
  Shape& add_input() { return inputs_.next(); }

  // -- what the rule reads ------------------------------------------------------------------
  [[nodiscard]] const Op& op() const noexcept { return *op_; }
  [[nodiscard]] std::size_t spatial() const noexcept { return op_->spatial; }
  [[nodiscard]] std::size_t input_count() const noexcept { return inputs_.size(); }
  [[nodiscard]] const Shape& input(std::size_t index = 0) const { return inputs_[index]; }

  [[nodiscard]] const Attributes& attributes() const noexcept { return *attributes_; }
  [[nodiscard]] bool given(std::size_t slot) const { return !attributes_->is_none(slot); }
  [[nodiscard]] Quantity integer(std::size_t slot) const { return attributes_->values(slot)[0]; }
  [[nodiscard]] bool flag(std::size_t slot) const { return integer(slot).constant() != 0; }
  [[nodiscard]] std::span<const Quantity> integers(std::size_t slot) const {
    return attributes_->values(slot);
  }
  [[nodiscard]] std::string_view word(std::size_t slot) const { return attributes_->word(slot); }
  // A sequence with one entry per spatial dimension; a single integer stands for all of them.
  [[nodiscard]] Spatial per_dimension(std::size_t slot);
  // A dimension counted from the end when negative, checked against the rank.
  [[nodiscard]] std::size_t dimension(const Quantity& dimension, std::size_t rank);
  // A structural integer (a rank, a dimension, a count of chunks) that must not be an expression.
  [[nodiscard]] std::int64_t fixed(const Quantity& quantity, std::string_view name);

  // -- what the rule checks -----------------------------------------------------------------
  template <class... Facts>
  void require(const Condition& condition, std::string_view text, const Facts&... facts) {
    if (condition.holds()) return;
    if (condition.known()) refuse(text, {Fact(facts)...});
    if (!condition.truth().program()->require(condition, sentence(text, {Fact(facts)...}))) {
      refuse(text, {Fact(facts)...});
    }
  }
  [[noreturn]] void refuse(std::string_view text, std::initializer_list<Fact> facts = {}) const;

  // -- what the rule fills in ---------------------------------------------------------------
  void output(const Shape& shape) { outputs_.next() = shape; }
  void parameter(const Shape& shape) { weight(shape, WeightKind::parameter, true); }
  void buffer(const Shape& shape) { weight(shape, WeightKind::buffer, true); }
  void unread_buffer(const Shape& shape) { weight(shape, WeightKind::buffer, false); }
  // Multiply-accumulates of contractions.
  Quantity macs = 0;
  // Scalar arithmetic operations.
  Quantity flops = 0;
  // Elements read from the first input, or from the first weight, where that is not all of them.
  std::optional<Quantity> input_reads;
  std::optional<Quantity> weight_reads;

  [[nodiscard]] std::size_t output_count() const noexcept { return outputs_.size(); }
  [[nodiscard]] const Shape& output_shape(std::size_t index = 0) const { return outputs_[index]; }
  [[nodiscard]] std::span<const Weight> weights() const noexcept { return weights_.all(); }

 private:
  // A sequence whose entries outlive `clear`, so that a graph of millions of layers allocates once.
  template <class T>
  class Reused {
   public:
    T& next() {
      if (size_ == items_.size()) items_.emplace_back();
      return items_[size_++];
    }
    void clear() noexcept { size_ = 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return items_[index]; }
    [[nodiscard]] std::span<const T> all() const noexcept { return {items_.data(), size_}; }

   private:
    std::vector<T> items_;
    std::size_t size_ = 0;
  };

  void weight(const Shape& shape, WeightKind kind, bool read) {
    Weight& next = weights_.next();
    next.shape = shape;
    next.kind = kind;
    next.read = read;
  }

  const Op* op_ = nullptr;
  const Attributes* attributes_ = nullptr;
  Reused<Shape> inputs_;
  Reused<Shape> outputs_;
  Reused<Weight> weights_;
};

}  // namespace netledger
