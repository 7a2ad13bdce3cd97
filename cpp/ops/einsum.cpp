#include "ops/einsum.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ops/broadcast.h"
#include "ops/contraction.h"

namespace netledger {

namespace {

// Labels in the order of an implicit output: the dimensions under '...', aligned at the last, then
// A to Z, then a to z.
constexpr std::size_t letters = 26;
constexpr std::size_t uppercase = Shape::maximum_rank;
constexpr std::size_t lowercase = uppercase + letters;
constexpr std::size_t label_count = lowercase + letters;
using Labels = std::bitset<label_count>;

// Stands in a term for all dimensions that have no letter.
constexpr std::size_t ellipsis = label_count;
using Term = std::vector<std::size_t>;

struct Equation {
  std::vector<Term> operands;
  bool explicit_output = false;
  Term output;
};

// The sizes of a tensor by label; a label that it does not have has size 1.
struct Operand {
  std::array<Quantity, label_count> sizes;
  Labels has;

  Operand() { sizes.fill(1); }
  void set(std::size_t label, const Quantity& size) {
    sizes[label] = size;
    has.set(label);
  }
  void remove(std::size_t label) {
    sizes[label] = 1;
    has.reset(label);
  }
  [[nodiscard]] Quantity elements() const { return product(sizes); }
};

std::string label_name(std::size_t label) {
  if (label < uppercase) return "...";
  if (label < lowercase) return {static_cast<char>('A' + (label - uppercase))};
  return {static_cast<char>('a' + (label - lowercase))};
}

bool has_ellipsis(const Term& term) { return std::ranges::find(term, ellipsis) != term.end(); }

Term read_term(const Layer& layer, const std::string& equation, std::string_view text) {
  Term term;
  for (std::size_t position = 0; position < text.size(); ++position) {
    const char character = text[position];
    if (character == ' ') continue;
    if (character >= 'A' && character <= 'Z') {
      term.push_back(uppercase + static_cast<std::size_t>(character - 'A'));
    } else if (character >= 'a' && character <= 'z') {
      term.push_back(lowercase + static_cast<std::size_t>(character - 'a'));
    } else if (text.substr(position, 3) == "...") {
      if (has_ellipsis(term)) layer.refuse("equation '{}' has '...' twice in a term", {equation});
      term.push_back(ellipsis);
      position += 2;
    } else {
      layer.refuse("equation '{}' may hold only letters, spaces, ',', '...' and one '->'",
                   {equation});
    }
  }
  return term;
}

Equation read_equation(const Layer& layer, const std::string& text) {
  Equation equation;
  const std::size_t arrow = text.find("->");
  std::string_view operands = std::string_view(text).substr(0, arrow);
  while (true) {
    const std::size_t comma = operands.find(',');
    equation.operands.push_back(read_term(layer, text, operands.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    operands.remove_prefix(comma + 1);
  }
  if (arrow != std::string::npos) {
    equation.explicit_output = true;
    equation.output = read_term(layer, text, std::string_view(text).substr(arrow + 2));
  }
  return equation;
}

// The operand as the equation sees it: of a repeated label the diagonal.
Operand read_operand(Layer& layer, const std::string& equation, const Term& term,
                     std::size_t index) {
  const Shape& shape = layer.input(index);
  const std::size_t named = term.size() - (has_ellipsis(term) ? 1 : 0);
  layer.require(has_ellipsis(term) ? named <= shape.rank() : named == shape.rank(),
                "operand {} has {} dimensions but equation '{}' names {}", index, shape.rank(),
                equation, named);
  Operand operand;
  std::size_t dimension = 0;
  for (const std::size_t label : term) {
    if (label == ellipsis) {
      const std::size_t covered = shape.rank() - named;
      for (std::size_t from_end = covered; from_end > 0; --from_end) {
        operand.set(uppercase - from_end, shape[dimension++]);
      }
      continue;
    }
    const Quantity size = shape[dimension++];
    if (operand.has[label]) {
      layer.require(
          operand.sizes[label] == size,
          "subscript '{}' repeats in operand {} over sizes {} and {}, which must be equal",
          label_name(label), index, operand.sizes[label], size);
    }
    operand.set(label, size);
  }
  return operand;
}

// The labels of the output, in order. `uses` says how often each label stands in the equation.
std::vector<std::size_t> output_labels(const Layer& layer, const std::string& text,
                                       const Equation& equation,
                                       const std::array<std::size_t, label_count>& uses) {
  std::vector<std::size_t> labels;
  if (!equation.explicit_output) {
    for (std::size_t label = 0; label < label_count; ++label) {
      if (label < uppercase ? uses[label] > 0 : uses[label] == 1) labels.push_back(label);
    }
    return labels;
  }
  Labels seen;
  for (const std::size_t label : equation.output) {
    if (label == ellipsis) {
      for (std::size_t covered = 0; covered < uppercase; ++covered) {
        if (uses[covered] > 0) labels.push_back(covered);
      }
      continue;
    }
    if (seen[label]) {
      layer.refuse("the output of equation '{}' repeats subscript '{}'", {text, label_name(label)});
    }
    if (uses[label] == 0) {
      layer.refuse("the output of equation '{}' has subscript '{}', which no operand has",
                   {text, label_name(label)});
    }
    seen.set(label);
    labels.push_back(label);
  }
  return labels;
}

void require_terms(Layer& layer, std::size_t label, const Quantity& terms) {
  layer.require(terms > 0, "the summed subscript '{}' must have a positive size, got {}",
                label_name(label), terms);
}

// Sums one operand over the labels that are not needed: an addition less than the elements of each
// sum, for each sum.
void sum_alone(Layer& layer, Operand& operand, const Labels& needed) {
  const Quantity before = operand.elements();
  for (std::size_t label = 0; label < label_count; ++label) {
    if (!operand.has[label] || needed[label]) continue;
    require_terms(layer, label, operand.sizes[label]);
    operand.remove(label);
  }
  layer.flops += before - operand.elements();
}

// Multiplies two operands and sums over the labels that are not needed.
Operand contract_pair(Layer& layer, Operand left, Operand right, const Labels& needed) {
  const Labels shared = left.has & right.has;
  sum_alone(layer, left, needed | shared);
  sum_alone(layer, right, needed | shared);
  Operand result;
  Quantity length = 1;
  const Quantity alone = left.elements() + right.elements();
  for (std::size_t label = 0; label < label_count; ++label) {
    if (!left.has[label] && !right.has[label]) continue;
    const Quantity size = broadcast_size(left.sizes[label], right.sizes[label]);
    if (needed[label]) {
      result.set(label, size);
      continue;
    }
    require_terms(layer, label, size);
    // Where one of them has size 1, the other is summed alone.
    const Quantity terms = minimum(left.sizes[label], right.sizes[label]);
    left.set(label, terms);
    right.set(label, terms);
    length *= terms;
  }
  layer.flops += alone - left.elements() - right.elements();
  if ((shared & ~needed).none()) {
    layer.flops += result.elements();
    return result;
  }
  add_arithmetic(layer, dot_products(result.elements(), length));
  return result;
}

}  // namespace

void contract_operands(Layer& layer, const std::string& text) {
  const Equation equation = read_equation(layer, text);
  const std::size_t count = layer.input_count();
  layer.require(equation.operands.size() == count, "equation '{}' names {} operands, got {}", text,
                equation.operands.size(), count);

  std::vector<Operand> operands;
  std::array<std::size_t, label_count> uses{};
  Operand common;
  for (std::size_t index = 0; index < count; ++index) {
    operands.push_back(read_operand(layer, text, equation.operands[index], index));
    const Operand& operand = operands.back();
    for (std::size_t label = 0; label < label_count; ++label) {
      if (!operand.has[label]) continue;
      layer.require(broadcasts(common.sizes[label], operand.sizes[label]),
                    "subscript '{}' stands for sizes {} and {}, which do not broadcast",
                    label_name(label), common.sizes[label], operand.sizes[label]);
      common.set(label, broadcast_size(common.sizes[label], operand.sizes[label]));
      const Term& term = equation.operands[index];
      uses[label] +=
          label < uppercase ? 1 : static_cast<std::size_t>(std::ranges::count(term, label));
    }
  }

  const std::vector<std::size_t> kept = output_labels(layer, text, equation, uses);
  layer.require(kept.size() <= Shape::maximum_rank, "a tensor has at most {} dimensions",
                Shape::maximum_rank);
  Shape output;
  Labels needed_last;
  for (const std::size_t label : kept) {
    output.append(common.sizes[label]);
    needed_last.set(label);
  }
  layer.output(output);

  Operand result = operands[0];
  for (std::size_t index = 1; index < count; ++index) {
    Labels needed = needed_last;
    for (std::size_t later = index + 1; later < count; ++later) needed |= operands[later].has;
    result = contract_pair(layer, result, operands[index], needed);
  }
  sum_alone(layer, result, needed_last);
}

}  // namespace netledger
