#include "graph/graph.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace netledger {

namespace {

constexpr std::int64_t expression_base = std::numeric_limits<std::int64_t>::min();

// How the values of one attribute are laid down: a length, or one of these.
constexpr std::uint64_t no_value = 0xFFFF;
constexpr std::uint64_t first_word = 0xFF00;
constexpr std::uint64_t text_value = 0xFEFF;
constexpr std::size_t headers_per_word = 4;
constexpr std::size_t recent_capacity = 1024;

std::string count_of_inputs(const Op& op) {
  if (op.maximum_inputs == any_number) {
    return "at least " + std::to_string(op.minimum_inputs) + " inputs";
  }
  if (op.minimum_inputs == op.maximum_inputs) return std::to_string(op.minimum_inputs) + " inputs";
  return std::to_string(op.minimum_inputs) + " to " + std::to_string(op.maximum_inputs) + " inputs";
}

bool takes(const Op& op, std::size_t inputs) {
  return inputs >= op.minimum_inputs && inputs <= op.maximum_inputs;
}

std::string wrong_input_count(const Op& op, std::size_t inputs) {
  return sentence("{} takes {}, got {}", {op.name, count_of_inputs(op), inputs});
}

}  // namespace

Graph::Graph() : program_(std::make_unique<Program>()), names_{""} {
  scopes_.push_back({.parent = 0, .path = "", .module_class = "", .call = 0});
  recent_attributes_.assign(recent_capacity, absent);
}

// -- identities ----------------------------------------------------------------------------------

void Graph::check_tensor(TensorIndex tensor) const {
  if (tensor < tensors_.size()) return;
  throw GraphError("the graph has no tensor " + std::to_string(tensor) + "; it has " +
                   std::to_string(tensors_.size()));
}

void Graph::check_node(NodeIndex node) const {
  if (node < nodes_.size()) return;
  throw GraphError("the graph has no node " + std::to_string(node) + "; it has " +
                   std::to_string(nodes_.size()));
}

void Graph::check_scope(ScopeIndex scope) const {
  if (scope < scopes_.size()) return;
  throw GraphError("the graph has no scope " + std::to_string(scope) + "; it has " +
                   std::to_string(scopes_.size()));
}

// -- storage -------------------------------------------------------------------------------------

Graph::Word Graph::store(const Quantity& quantity) noexcept {
  return quantity.is_constant() ? quantity.constant() : expression_base + quantity.expression();
}

Quantity Graph::load(Word word) const noexcept {
  if (word >= checked::lowest) return word;
  return program_->at(static_cast<std::uint32_t>(word - expression_base));
}

void Graph::load_shape(const Tensor& tensor, Shape& shape) const {
  shape.clear();
  for (const Word word : sizes_.at(tensor.sizes, tensor.rank)) shape.append(load(word));
}

std::uint32_t Graph::store_sizes(const Shape& shape, const Tensor* like) {
  if (like != nullptr && like->rank == shape.rank()) {
    // Layers that keep the shape of their input share its sizes.
    const std::span<const Word> words = sizes_.at(like->sizes, like->rank);
    if (std::equal(words.begin(), words.end(), shape.begin(),
                   [](Word word, const Quantity& size) { return word == store(size); })) {
      return like->sizes;
    }
  }
  const std::size_t first = sizes_.allocate(shape.rank());
  for (std::size_t index = 0; index < shape.rank(); ++index) {
    sizes_[first + index] = store(shape[index]);
  }
  return static_cast<std::uint32_t>(first);
}

std::uint32_t Graph::store_name(std::string_view name) {
  if (name.empty()) return 0;
  names_.emplace_back(name);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

std::uint32_t Graph::store_attributes(const Attributes& attributes) {
  const std::size_t count = attributes.specs().size();
  const std::size_t headers = (count + headers_per_word - 1) / headers_per_word;
  std::vector<Word>& words = attribute_scratch_;
  words.assign(headers, 0);
  for (std::size_t slot = 0; slot < count; ++slot) {
    std::uint64_t header = no_value;
    if (attributes.specs()[slot].kind == AttributeKind::text && !attributes.is_none(slot)) {
      header = text_value;
      words.push_back(store_name(attributes.text(slot)));
    } else if (attributes.is_none(slot)) {
      header = no_value;
    } else if (attributes.values(slot).empty() && attributes.is_word(slot)) {
      header = first_word + attributes.word_index(slot);
    } else {
      const std::span<const Quantity> values = attributes.values(slot);
      if (values.size() >= text_value) throw GraphError("an attribute has too many entries");
      header = values.size();
      for (const Quantity& value : values) words.push_back(store(value));
    }
    const std::size_t shift = 16 * (slot % headers_per_word);
    words[slot / headers_per_word] = static_cast<Word>(
        static_cast<std::uint64_t>(words[slot / headers_per_word]) | (header << shift));
  }
  std::uint64_t hash = words.size();
  for (const Word word : words) {
    hash = (hash ^ static_cast<std::uint64_t>(word)) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29U;
  }
  std::uint32_t& recent = recent_attributes_[hash % recent_capacity];
  if (recent != absent && recent + words.size() <= attribute_words_.size() &&
      std::ranges::equal(attribute_words_.at(recent, words.size()), words)) {
    return recent;
  }
  const std::size_t first = attribute_words_.allocate(words.size());
  std::copy(words.begin(), words.end(), words.empty() ? nullptr : &attribute_words_[first]);
  recent = static_cast<std::uint32_t>(first);
  return recent;
}

Attributes Graph::attributes(NodeIndex node) const {
  const Node& stored = node_at(node);
  Attributes result(op(node).attributes);
  const std::size_t count = result.specs().size();
  std::size_t position = stored.attributes + (count + headers_per_word - 1) / headers_per_word;
  std::vector<Quantity> values;
  for (std::size_t slot = 0; slot < count; ++slot) {
    const auto headers =
        static_cast<std::uint64_t>(attribute_words_[stored.attributes + slot / headers_per_word]);
    const std::uint64_t header = (headers >> (16 * (slot % headers_per_word))) & 0xFFFFU;
    if (header == no_value) {
      result.set_none(slot);
    } else if (header == text_value) {
      result.set_text(slot, names_[static_cast<std::size_t>(attribute_words_[position++])]);
    } else if (header >= first_word) {
      result.set_word(slot, header - first_word);
    } else {
      values.clear();
      for (std::uint64_t index = 0; index < header; ++index) {
        values.push_back(load(attribute_words_[position++]));
      }
      result.set(slot, values);
    }
  }
  return result;
}

TensorIndex Graph::append_tensor(const Tensor& tensor) {
  const std::size_t index = tensors_.size();
  if (index >= absent) throw GraphError("a graph holds at most 4294967295 tensors");
  tensors_.push_back(tensor);
  return static_cast<TensorIndex>(index);
}

// -- building ------------------------------------------------------------------------------------

TensorIndex Graph::add_tensor(TensorKind kind, const Shape& shape, DTypeIndex dtype,
                              std::string_view name, bool trainable) {
  const std::string kind_name(tensor_kind_names[static_cast<std::size_t>(kind)]);
  const std::string prefix = "tensor '" + std::string(name) + "': ";
  for (const Quantity& size : shape) {
    if (size.is_constant() && size.constant() < 0) {
      const std::string rule =
          "a size must not be negative, got " + std::to_string(size.constant());
      throw LayerRefused(prefix + rule, std::string(name), kind_name, rule);
    }
  }
  Quantity elements = 0;
  try {
    elements = shape.elements();
  } catch (const CountOverflow& overflow) {
    throw CountOverflow(prefix + overflow.what());
  }
  const auto index = static_cast<TensorIndex>(tensors_.size());
  return append_tensor({.elements = store(elements),
                        .sizes = store_sizes(shape, nullptr),
                        .storage = index,
                        .name = store_name(name),
                        .rank = static_cast<std::uint8_t>(shape.rank()),
                        .dtype = dtype,
                        .kind = kind,
                        .trainable = trainable,
                        .claimed = false});
}

ScopeIndex Graph::add_scope(ScopeIndex parent, std::string path, std::string module_class,
                            std::int64_t call) {
  check_scope(parent);
  scopes_.push_back({parent, std::move(path), std::move(module_class), call});
  return static_cast<ScopeIndex>(scopes_.size() - 1);
}

void Graph::add_output(TensorIndex tensor) {
  check_tensor(tensor);
  model_outputs_.push_back(tensor);
}

void Graph::apply_rule(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
                       const Placement& placement) {
  if (!takes(op, inputs.size())) throw RuleViolation(wrong_input_count(op, inputs.size()));
  if (const std::size_t missing = attributes.complete(); missing < op.attributes.size()) {
    layer_.refuse("attribute '{}' is required", {op.attributes[missing].name});
  }
  op.rule(layer_);
  check_weights(placement);
  if (placement.dtypes.size() > 1 && placement.dtypes.size() != layer_.output_count()) {
    layer_.refuse("{} outputs but {} dtypes", {layer_.output_count(), placement.dtypes.size()});
  }
}

void Graph::check_weights(const Placement& placement) const {
  if (!placement.explicit_weights) return;
  const std::span<const Weight> expected = layer_.weights();
  if (placement.weights.size() != expected.size()) {
    layer_.refuse("the layer has {} weights, got {}", {expected.size(), placement.weights.size()});
  }
  for (std::size_t index = 0; index < expected.size(); ++index) {
    if (placement.weights[index] == absent) continue;
    const Shape given = shape(placement.weights[index]);
    const Shape& wanted = expected[index].shape;
    if (!std::ranges::equal(given.sizes(), wanted.sizes(),
                            [](const Quantity& a, const Quantity& b) { return a.same_as(b); })) {
      layer_.refuse("its weight {} has shape {}, but the input needs {}", {index, given, wanted});
    }
  }
}

DTypeIndex Graph::output_dtype(std::span<const TensorIndex> inputs, const Placement& placement,
                               std::size_t output) const {
  if (placement.dtypes.empty()) return inputs.empty() ? float32 : tensors_[inputs[0]].dtype;
  return placement.dtypes.size() == 1 ? placement.dtypes[0] : placement.dtypes[output];
}

void Graph::add_unclaimed(std::span<const TensorIndex> tensors, std::size_t before,
                          Account& account, std::span<const TensorIndex> earlier) const {
  const auto add = [&account](Metric metric, const Quantity& elements) {
    account[static_cast<std::size_t>(metric)] += elements;
  };
  for (std::size_t position = 0; position < tensors.size(); ++position) {
    if (tensors[position] == absent) continue;
    const Tensor& tensor = tensors_[tensors[position]];
    if (tensor.claimed ||
        (tensor.kind != TensorKind::parameter && tensor.kind != TensorKind::buffer)) {
      continue;
    }
    const auto same = [&](TensorIndex other) { return other == tensors[position]; };
    if (std::any_of(tensors.begin(), tensors.begin() + static_cast<std::ptrdiff_t>(position),
                    same) ||
        std::any_of(earlier.begin(), earlier.begin() + static_cast<std::ptrdiff_t>(before), same)) {
      continue;
    }
    const Quantity elements = load(tensor.elements);
    if (tensor.kind == TensorKind::buffer) {
      add(Metric::buffers, elements);
    } else {
      add(Metric::params, elements);
      if (tensor.trainable) add(Metric::trainable_params, elements);
    }
  }
}

Account Graph::account_of(const Op& op, std::span<const TensorIndex> inputs,
                          const Placement& placement, DTypeIndex first_dtype) const {
  Account account;
  account.fill(0);
  const auto at_metric = [&account](Metric metric) -> Quantity& {
    return account[static_cast<std::size_t>(metric)];
  };
  Quantity elements_moved = 0;
  Quantity bytes_moved = 0;
  const auto move = [&](const Quantity& elements, DTypeIndex dtype) {
    elements_moved += elements;
    bytes_moved += elements * dtypes[dtype].itemsize;
  };
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    const Tensor& tensor = tensors_[inputs[index]];
    move(index == 0 && layer_.input_reads ? *layer_.input_reads : load(tensor.elements),
         tensor.dtype);
  }
  const std::span<const Weight> weights = layer_.weights();
  for (std::size_t index = 0; index < weights.size(); ++index) {
    const Quantity elements = weights[index].shape.elements();
    const bool owned = !placement.explicit_weights || placement.weights[index] == absent;
    if (!placement.explicit_weights) {
      if (weights[index].kind == WeightKind::buffer) {
        at_metric(Metric::buffers) += elements;
      } else {
        at_metric(Metric::params) += elements;
        at_metric(Metric::trainable_params) += elements;
      }
    }
    if (!weights[index].read) continue;
    move(index == 0 && layer_.weight_reads ? *layer_.weight_reads : elements,
         owned ? first_dtype : tensors_[placement.weights[index]].dtype);
  }
  Quantity outputs = 0;
  for (std::size_t index = 0; index < layer_.output_count(); ++index) {
    const Quantity elements = layer_.output_shape(index).elements();
    outputs += elements;
    move(elements, output_dtype(inputs, placement, index));
  }
  add_unclaimed(inputs, 0, account, inputs);
  add_unclaimed(placement.weights, inputs.size(), account, inputs);
  at_metric(Metric::macs) = layer_.macs;
  at_metric(Metric::flops) = layer_.flops;
  at_metric(Metric::outputs) = outputs;
  if (op.contraction) at_metric(Metric::activations) = outputs;
  if (!op.view) {
    at_metric(Metric::memory_access) = elements_moved;
    at_metric(Metric::memory_access_bytes) = bytes_moved;
  }
  return account;
}

Outputs Graph::add(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
                   const Placement& placement) {
  check_scope(placement.scope);
  layer_.reset(op, attributes);
  for (const TensorIndex input : inputs) load_shape(at(input), layer_.add_input());
  for (const TensorIndex weight : placement.weights) {
    if (weight != absent) check_tensor(weight);
  }
  Account account;
  try {
    apply_rule(op, inputs, attributes, placement);
    account = account_of(op, inputs, placement, output_dtype(inputs, placement, 0));
  } catch (const RuleViolation& violation) {
    refuse(op, inputs, placement, violation.what());
  } catch (const CountOverflow& overflow) {
    refuse_overflow(op, inputs, placement, overflow.what());
  } catch (const std::length_error& error) {
    refuse(op, inputs, placement, error.what());
  }

  const std::size_t link_count = inputs.size() + placement.weights.size();
  const std::size_t links = links_.allocate(link_count);
  std::size_t link = links;
  for (const std::span<const TensorIndex> used : {inputs, placement.weights}) {
    for (const TensorIndex tensor : used) {
      links_[link++] = tensor;
      if (tensor != absent) tensors_[tensor].claimed = true;
    }
  }
  const bool shares = (op.view || placement.inplace) && !inputs.empty();
  const auto first = static_cast<TensorIndex>(tensors_.size());
  for (std::size_t index = 0; index < layer_.output_count(); ++index) {
    const Shape& shape = layer_.output_shape(index);
    const Tensor* like = inputs.empty() ? nullptr : &tensors_[inputs[0]];
    const std::uint32_t sizes = store_sizes(shape, like);
    const auto own = static_cast<TensorIndex>(tensors_.size());
    (void)append_tensor({.elements = store(shape.elements()),
                         .sizes = sizes,
                         .storage = shares ? tensors_[inputs[0]].storage : own,
                         .name = 0,
                         .rank = static_cast<std::uint8_t>(shape.rank()),
                         .dtype = output_dtype(inputs, placement, index),
                         .kind = TensorKind::activation,
                         .trainable = true,
                         .claimed = false});
  }
  Node node{.account = {},
            .links = static_cast<std::uint32_t>(links),
            .input_count = static_cast<std::uint32_t>(inputs.size()),
            .attributes = store_attributes(attributes),
            .first_output = first,
            .output_count = static_cast<std::uint32_t>(layer_.output_count()),
            .name = store_name(placement.name),
            .scope = placement.scope,
            .weight_count = static_cast<std::uint16_t>(placement.weights.size()),
            .op = operation_index(op),
            .inplace = placement.inplace};
  std::transform(account.begin(), account.end(), node.account.begin(), store);
  nodes_.push_back(node);
  return {first, node.output_count};
}

void Graph::claim(TensorIndex tensor, NodeIndex node) {
  check_tensor(tensor);
  check_node(node);
  Account account;
  account.fill(0);
  const std::array<TensorIndex, 1> claimed = {tensor};
  add_unclaimed(claimed, 0, account, {});
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    Word& word = nodes_[node].account[metric];
    word = store(load(word) + account[metric]);
  }
  tensors_[tensor].claimed = true;
}

std::vector<TensorIndex> Graph::unclaimed() const {
  std::vector<TensorIndex> result;
  for (std::size_t index = 0; index < tensors_.size(); ++index) {
    const Tensor& tensor = tensors_[index];
    const bool owned = tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::buffer;
    if (owned && !tensor.claimed) result.push_back(static_cast<TensorIndex>(index));
  }
  return result;
}

std::string Graph::label(const Op& op, const Placement& placement) const {
  if (!placement.name.empty()) return std::string(placement.name);
  const std::string& path = scopes_[placement.scope].path;
  return path.empty() ? std::string(op.name) + "_" + std::to_string(nodes_.size()) : path;
}

std::string Graph::describe(const Op& op, const std::string& label,
                            std::span<const TensorIndex> inputs, std::string_view rule) const {
  std::string shapes;
  for (const TensorIndex input : inputs) {
    if (!shapes.empty()) shapes += ", ";
    shapes += Fact(shape(input)).text();
  }
  return describe_layer(op, label, shapes, rule);
}

std::string describe_layer(const Op& op, std::string_view label, std::string_view shapes,
                           std::string_view rule) {
  std::string layer(op.name);
  if (!label.empty()) layer = "layer '" + std::string(label) + "' (" + layer + ")";
  return layer + ": " + std::string(rule) + "; input shapes " +
         (shapes.empty() ? "none" : std::string(shapes));
}

void Graph::refuse(const Op& op, std::span<const TensorIndex> inputs, const Placement& placement,
                   const std::string& rule) const {
  const std::string layer = label(op, placement);
  const std::string broken = takes(op, inputs.size()) ? rule : wrong_input_count(op, inputs.size());
  throw LayerRefused(describe(op, layer, inputs, broken), layer, std::string(op.name), broken);
}

void Graph::refuse_overflow(const Op& op, std::span<const TensorIndex> inputs,
                            const Placement& placement, std::string_view rule) const {
  throw CountOverflow(describe(op, label(op, placement), inputs, rule));
}

// -- reading -------------------------------------------------------------------------------------

Shape Graph::shape(TensorIndex tensor) const {
  Shape result;
  load_shape(at(tensor), result);
  return result;
}

std::span<const TensorIndex> Graph::inputs(NodeIndex node) const {
  const Node& stored = node_at(node);
  return links_.at(stored.links, stored.input_count);
}

std::span<const TensorIndex> Graph::weights(NodeIndex node) const {
  const Node& stored = node_at(node);
  return links_.at(stored.links + stored.input_count, stored.weight_count);
}

Outputs Graph::outputs(NodeIndex node) const {
  const Node& stored = node_at(node);
  return {stored.first_output, stored.output_count};
}

Account Graph::account(NodeIndex node) const {
  Account result;
  std::ranges::transform(node_at(node).account, result.begin(),
                         [this](Word word) { return load(word); });
  return result;
}

}  // namespace netledger
