#include "graph/graph.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace netledger {

namespace {

// What comes before the values of an attribute: how many there are, or one of these. A word is
// first_word less its index.
constexpr std::int64_t no_value = -1;
constexpr std::int64_t text_value = -2;
constexpr std::int64_t first_word = -3;

// A number takes one unit, or five: this mark, and the number in four.
constexpr std::int16_t wide = std::numeric_limits<std::int16_t>::max();
constexpr std::size_t wide_units = 5;

void put(std::int16_t*& units, std::int64_t number) {
  if (number >= std::numeric_limits<std::int16_t>::min() && number < wide) {
    *units++ = static_cast<std::int16_t>(number);
    return;
  }
  *units++ = wide;
  std::memcpy(units, &number, sizeof number);
  units += wide_units - 1;
}

std::int64_t take(const std::int16_t*& units) {
  const std::int16_t small = *units++;
  if (small != wide) return small;
  std::int64_t number = 0;
  std::memcpy(&number, units, sizeof number);
  units += wide_units - 1;
  return number;
}

// Hashes units four at a time; fills up the last four with zeros.
std::uint64_t hash_of(const std::int16_t* units, std::int16_t*& end) {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;
  while ((end - units) % 4 != 0) *end++ = 0;
  std::uint64_t hash = 0;
  std::uint64_t factor = golden;
  for (; units != end; units += 4) {
    std::uint64_t four = 0;
    std::memcpy(&four, units, sizeof four);
    hash += four * factor;
    factor += 2 * golden;
  }
  return hash;
}

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

// What a layer moves. Tensors of the same element type that follow each other are summed up before
// they are multiplied with its size.
struct Traffic {
  Quantity elements = 0;
  Quantity bytes = 0;

  void move(const Quantity& moved, DTypeIndex dtype) {
    if (dtype != dtype_) {
      finish();
      dtype_ = dtype;
    }
    run_ += moved;
  }
  void finish() {
    elements += run_;
    bytes += run_ * dtypes[dtype_].itemsize;
    run_ = 0;
  }

 private:
  Quantity run_ = 0;
  DTypeIndex dtype_ = float32;
};

}  // namespace

Graph::Graph() : program_(std::make_unique<Program>()), names_{""} {
  scopes_.push_back({.parent = 0, .path = "", .module_class = "", .call = 0});
  recent_attributes_.resize(recent_capacity);
}

void Graph::refuse_index(std::string_view kind, std::uint32_t index, std::size_t count) {
  throw GraphError("the graph has no " + std::string(kind) + " " + std::to_string(index) +
                   "; it has " + std::to_string(count));
}

// -- storage -------------------------------------------------------------------------------------

void Graph::load_shape(const Tensor& tensor, Shape& shape) const {
  shape.resize(tensor.rank);
  const std::span<const Word> words = sizes_.at(tensor.sizes, tensor.rank);
  for (std::size_t index = 0; index < words.size(); ++index) shape[index] = load(words[index]);
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
  std::ranges::transform(shape, sizes_.at(first, shape.rank()).begin(), store);
  return static_cast<std::uint32_t>(first);
}

std::uint32_t Graph::store_name(std::string_view name) {
  if (name.empty()) return 0;
  names_.emplace_back(name);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

std::uint32_t Graph::store_attributes(const Attributes& attributes) {
  const std::size_t count = attributes.specs().size();
  if (count == 0) return 0;
  const std::size_t most = wide_units * (2 * count + attributes.total()) + 3;
  if (attribute_scratch_.size() < most) attribute_scratch_.resize(most);
  Unit* end = attribute_scratch_.data();
  for (std::size_t slot = 0; slot < count; ++slot) {
    switch (attributes.form(slot)) {
      case Attributes::Form::values: {
        const std::span<const Quantity> values = attributes.values(slot);
        put(end, static_cast<std::int64_t>(values.size()));
        for (const Quantity& value : values) put(end, store(value));
        break;
      }
      case Attributes::Form::word:
        put(end, first_word - static_cast<std::int64_t>(attributes.word_index(slot)));
        break;
      case Attributes::Form::text:
        put(end, text_value);
        put(end, store_name(attributes.text(slot)));
        break;
      case Attributes::Form::none:
      case Attributes::Form::unset:
        put(end, no_value);
        break;
    }
  }
  const std::uint64_t hash = hash_of(attribute_scratch_.data(), end);
  const std::span<const Unit> units(attribute_scratch_.data(), end);
  RecentAttributes& recent = recent_attributes_[(hash >> 32U) % recent_capacity];
  if (recent.hash != hash || recent.count != units.size() ||
      !std::ranges::equal(attribute_units_.at(recent.first, recent.count), units)) {
    recent = {.hash = hash,
              .first = static_cast<std::uint32_t>(attribute_units_.allocate(units.size())),
              .count = static_cast<std::uint32_t>(units.size())};
    std::ranges::copy(units, attribute_units_.at(recent.first, recent.count).begin());
  }
  return recent.first;
}

Attributes Graph::attributes(NodeIndex node) const {
  const Node& stored = node_at(node);
  Attributes result(op(node).attributes);
  const std::size_t count = result.specs().size();
  if (count == 0) return result;
  const Unit* next = &attribute_units_[stored.attributes];
  std::vector<Quantity> values;
  for (std::size_t slot = 0; slot < count; ++slot) {
    const std::int64_t head = take(next);
    if (head == no_value) {
      result.set_none(slot);
    } else if (head == text_value) {
      result.set_text(slot, names_[static_cast<std::size_t>(take(next))]);
    } else if (head <= first_word) {
      result.set_word(slot, static_cast<std::size_t>(first_word - head));
    } else {
      values.clear();
      for (std::int64_t index = 0; index < head; ++index) values.push_back(load(take(next)));
      result.set(slot, values);
    }
  }
  return result;
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
  tensors_.append() = {.elements = store(elements),
                       .sizes = store_sizes(shape, nullptr),
                       .storage = index,
                       .name = store_name(name),
                       .rank = static_cast<std::uint8_t>(shape.rank()),
                       .dtype = dtype,
                       .kind = kind,
                       .trainable = trainable,
                       .claimed = false};
  return index;
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

Graph::StoredAccount Graph::apply_rule(const Op& op, std::span<const TensorIndex> inputs,
                                       Attributes& attributes, const Placement& placement) {
  try {
    if (!takes(op, inputs.size())) throw RuleViolation(wrong_input_count(op, inputs.size()));
    if (const std::size_t missing = attributes.complete(); missing < op.attributes.size()) {
      layer_.refuse("attribute '{}' is required", {op.attributes[missing].name});
    }
    op.rule(layer_);
    check_weights(placement);
    if (placement.dtypes.size() > 1 && placement.dtypes.size() != layer_.output_count()) {
      layer_.refuse("{} outputs but {} dtypes", {layer_.output_count(), placement.dtypes.size()});
    }
    return account_of(op, inputs, placement);
  } catch (const RuleViolation& violation) {
    refuse(op, inputs, placement, violation.what());
  } catch (const CountOverflow& overflow) {
    refuse_overflow(op, inputs, placement, overflow.what());
  } catch (const std::length_error& error) {
    refuse(op, inputs, placement, error.what());
  }
}

void Graph::check_weights(const Placement& placement) {
  if (!placement.explicit_weights) return;
  const std::span<const Weight> expected = layer_.weights();
  if (placement.weights.size() != expected.size()) {
    layer_.refuse("the layer has {} weights, got {}", {expected.size(), placement.weights.size()});
  }
  for (std::size_t index = 0; index < expected.size(); ++index) {
    if (placement.weights[index] == absent) continue;
    const Shape given = shape(placement.weights[index]);
    const Shape& wanted = expected[index].shape;
    constexpr std::string_view rule = "its weight {} has shape {}, but the input needs {}";
    if (given.rank() != wanted.rank()) layer_.refuse(rule, {index, given, wanted});
    for (std::size_t dimension = 0; dimension < given.rank(); ++dimension) {
      layer_.require(given[dimension] == wanted[dimension], rule, index, given, wanted);
    }
  }
}

DTypeIndex Graph::output_dtype(std::span<const TensorIndex> inputs, const Placement& placement,
                               std::size_t output) const {
  if (placement.dtypes.empty()) return inputs.empty() ? float32 : tensors_[inputs[0]].dtype;
  return placement.dtypes.size() == 1 ? placement.dtypes[0] : placement.dtypes[output];
}

void Graph::add_unclaimed(Owned& owned, std::span<const TensorIndex> tensors,
                          std::span<const TensorIndex> earlier) const {
  for (std::size_t position = 0; position < tensors.size(); ++position) {
    if (tensors[position] == absent) continue;
    const Tensor& tensor = tensors_[tensors[position]];
    if (!is_unclaimed(tensor)) continue;
    const auto lists = [&](std::span<const TensorIndex> others) {
      return std::ranges::find(others, tensors[position]) != others.end();
    };
    if (lists(tensors.first(position)) || lists(earlier)) continue;
    const Quantity elements = load(tensor.elements);
    if (tensor.kind == TensorKind::buffer) {
      owned.buffers += elements;
    } else {
      owned.params += elements;
      if (tensor.trainable) owned.trainable_params += elements;
    }
  }
}

Graph::StoredAccount Graph::account_of(const Op& op, std::span<const TensorIndex> inputs,
                                       const Placement& placement) const {
  Owned owned;
  // A view moves nothing, however large it is.
  const bool moves = !op.view;
  Traffic traffic;
  bool has_unclaimed = !placement.weights.empty();
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    const Tensor& tensor = tensors_[inputs[index]];
    has_unclaimed = has_unclaimed || is_unclaimed(tensor);
    if (!moves) continue;
    traffic.move(index == 0 && layer_.input_reads ? *layer_.input_reads : load(tensor.elements),
                 tensor.dtype);
  }
  const DTypeIndex first_dtype = output_dtype(inputs, placement, 0);
  const std::span<const Weight> weights = layer_.weights();
  for (std::size_t index = 0; index < weights.size(); ++index) {
    const Weight& weight = weights[index];
    const Quantity elements = weight.shape.elements();
    DTypeIndex dtype = first_dtype;
    if (!placement.explicit_weights) {
      (weight.kind == WeightKind::buffer ? owned.buffers : owned.params) += elements;
    } else if (placement.weights[index] != absent) {
      dtype = tensors_[placement.weights[index]].dtype;
    }
    if (!moves || !weight.read) continue;
    traffic.move(index == 0 && layer_.weight_reads ? *layer_.weight_reads : elements, dtype);
  }
  owned.trainable_params = owned.params;
  if (has_unclaimed) {
    add_unclaimed(owned, inputs);
    add_unclaimed(owned, placement.weights, inputs);
  }
  Quantity outputs = 0;
  for (std::size_t index = 0; index < layer_.output_count(); ++index) {
    const Quantity elements = layer_.output_shape(index).elements();
    outputs += elements;
    if (!moves) continue;
    traffic.move(elements, placement.dtypes.size() > 1 ? placement.dtypes[index] : first_dtype);
  }
  traffic.finish();
  return {store(owned.params), store(owned.trainable_params), store(owned.buffers),
          store(layer_.macs),  store(layer_.flops),           store(op.contraction ? outputs : 0),
          store(outputs),      store(traffic.elements),       store(traffic.bytes)};
}

Outputs Graph::add(const Op& op, std::span<const TensorIndex> inputs, Attributes& attributes,
                   const Placement& placement) {
  check_scope(placement.scope);
  layer_.reset(op, attributes);
  for (const TensorIndex input : inputs) load_shape(at(input), layer_.add_input());
  for (const TensorIndex weight : placement.weights) {
    if (weight != absent) check_tensor(weight);
  }
  const StoredAccount account = apply_rule(op, inputs, attributes, placement);
  return append_layer(op, inputs, attributes, placement, account);
}

Outputs Graph::append_layer(const Op& op, std::span<const TensorIndex> inputs,
                            const Attributes& attributes, const Placement& placement,
                            const StoredAccount& account) {
  // What could fail comes first: a refused layer leaves the graph as it was.
  const std::uint32_t stored_attributes = store_attributes(attributes);
  const std::uint32_t name = store_name(placement.name);
  const std::size_t link_count = inputs.size() + placement.weights.size();
  const std::size_t links = links_.allocate(link_count);
  auto link = links_.at(links, link_count).begin();
  for (const std::span<const TensorIndex> used : {inputs, placement.weights}) {
    for (const TensorIndex tensor : used) {
      *link++ = tensor;
      if (tensor != absent) tensors_[tensor].claimed = true;
    }
  }
  const auto first = static_cast<TensorIndex>(tensors_.size());
  const Tensor* like = inputs.empty() ? nullptr : &tensors_[inputs[0]];
  const bool shares = (op.view || placement.inplace) && like != nullptr;
  const std::size_t outputs = layer_.output_count();
  for (std::size_t index = 0; index < outputs; ++index) {
    const Shape& shape = layer_.output_shape(index);
    const auto own = static_cast<TensorIndex>(tensors_.size());
    const Word elements =
        outputs == 1 ? account[static_cast<std::size_t>(Metric::outputs)] : store(shape.elements());
    tensors_.append() = {.elements = elements,
                         .sizes = store_sizes(shape, like),
                         .storage = shares ? like->storage : own,
                         .name = 0,
                         .rank = static_cast<std::uint8_t>(shape.rank()),
                         .dtype = output_dtype(inputs, placement, index),
                         .kind = TensorKind::activation,
                         .trainable = true,
                         .claimed = false};
  }
  accounts_.append() = account;
  Node& node = nodes_.append();
  node.links = static_cast<std::uint32_t>(links);
  node.input_count = static_cast<std::uint32_t>(inputs.size());
  node.weight_count = static_cast<std::uint32_t>(placement.weights.size());
  node.attributes = stored_attributes;
  node.first_output = first;
  node.output_count = static_cast<std::uint32_t>(outputs);
  node.name = name;
  node.scope = placement.scope;
  node.op = operation_index(op);
  node.inplace = placement.inplace;
  return {first, node.output_count};
}

void Graph::resize(TensorIndex tensor, const Shape& shape) {
  check_tensor(tensor);
  tensors_[tensor].sizes = store_sizes(shape, nullptr);
  tensors_[tensor].rank = static_cast<std::uint8_t>(shape.rank());
  tensors_[tensor].elements = store(shape.elements());
}

void Graph::claim(TensorIndex tensor, NodeIndex node) {
  check_tensor(tensor);
  check_node(node);
  Owned owned;
  add_unclaimed(owned, std::span(&tensor, 1));
  const auto increase = [&](Metric metric, const Quantity& elements) {
    Word& word = accounts_[node][static_cast<std::size_t>(metric)];
    word = store(load(word) + elements);
  };
  increase(Metric::params, owned.params);
  increase(Metric::trainable_params, owned.trainable_params);
  increase(Metric::buffers, owned.buffers);
  tensors_[tensor].claimed = true;
}

std::vector<TensorIndex> Graph::unclaimed() const {
  std::vector<TensorIndex> result;
  for (std::size_t index = 0; index < tensors_.size(); ++index) {
    const Tensor& tensor = tensors_[index];
    if (is_unclaimed(tensor)) result.push_back(static_cast<TensorIndex>(index));
  }
  return result;
}

std::string Graph::label(const Op& op, std::string_view name, ScopeIndex scope,
                         std::size_t node) const {
  if (!name.empty()) return std::string(name);
  const std::string& path = scopes_[scope].path;
  return path.empty() ? std::string(op.name) + "_" + std::to_string(node) : path;
}

std::string Graph::describe_node(NodeIndex node) const {
  return called(op(node), label(op(node), name(node), scope(node), node));
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

std::string called(const Op& op, std::string_view label) {
  if (label.empty()) return std::string(op.name);
  return "layer '" + std::string(label) + "' (" + std::string(op.name) + ")";
}

std::string describe_layer(const Op& op, std::string_view label, std::string_view shapes,
                           std::string_view rule) {
  return called(op, label) + ": " + std::string(rule) + "; input shapes " +
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
  check_node(node);
  std::ranges::transform(accounts_[node], result.begin(), [this](Word word) { return load(word); });
  return result;
}

}  // namespace netledger
