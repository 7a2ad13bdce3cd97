// Scaled dot-product attention, alone and with the projections of multi-head attention.
#include "ops/broadcast.h"
#include "ops/contraction.h"
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

namespace dot_product {
enum Slot { is_causal, enable_gqa };
constexpr AttributeSpec attributes[] = {
    {"is_causal", AttributeKind::flag, Otherwise::value, 0},
    {"enable_gqa", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace dot_product

namespace multi_head {
enum Slot {
  num_heads,
  bias,
  kdim,
  vdim,
  add_bias_kv,
  add_zero_attn,
  batch_first,
  need_weights,
};
constexpr AttributeSpec attributes[] = {
    {"num_heads", AttributeKind::integer},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"kdim", AttributeKind::integer, Otherwise::none},
    {"vdim", AttributeKind::integer, Otherwise::none},
    {"add_bias_kv", AttributeKind::flag, Otherwise::value, 0},
    {"add_zero_attn", AttributeKind::flag, Otherwise::value, 0},
    {"batch_first", AttributeKind::flag, Otherwise::value, 0},
    {"need_weights", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace multi_head

struct Attention {
  // Queries of all heads: those that are compared with keys, and those that gather values (more
  // where only the values have a further batch dimension).
  Quantity compared;
  Quantity gathering;
  Quantity keys;
  Quantity key_features;
  Quantity value_features;
  bool mask = false;
};

// softmax(q k' / sqrt(key_features) + mask) v
void add_attention(Layer& layer, const Attention& attention) {
  const Quantity scores = attention.compared * attention.keys;
  add_arithmetic(layer, dot_products(scores, attention.key_features));
  // One operation to scale a score, one to mask it.
  layer.flops += scores * (attention.mask ? 2 : 1);
  // The softmax over n keys: n exponentials, n - 1 additions, n divisions.
  layer.flops += attention.compared * (3 * attention.keys - 1);
  add_arithmetic(layer,
                 dot_products(attention.gathering * attention.value_features, attention.keys));
}

// All sizes but the last two. With grouped queries, the heads of `shape` divide those of the query
// and count as many.
Shape batch_of(Layer& layer, const Shape& shape, std::string_view name) {
  Shape batch(shape.sizes(0, shape.rank() - 2));
  if (!layer.flag(dot_product::enable_gqa)) return batch;
  const Quantity heads = shape.last(2);
  const Quantity query_heads = layer.input(0).last(2);
  layer.require(heads > 0, "the heads of {} must be positive, got {}", name, heads);
  layer.require(query_heads % heads == 0,
                "query has {} heads, which the {} heads of {} do not divide", query_heads, heads,
                name);
  batch[batch.rank() - 1] = query_heads;
  return batch;
}

void require_mask(Layer& layer, const Shape& mask, const Shape& scores) {
  constexpr std::string_view rule = "attn_mask {} does not broadcast to the scores {}";
  layer.require(mask.rank() <= scores.rank(), rule, mask, scores);
  for (std::size_t from_end = 0; from_end < mask.rank(); ++from_end) {
    const Quantity& size = mask.last(from_end);
    if (size.is(1) || size.same_as(scores.last(from_end))) continue;
    layer.require(either(size == 1, size == scores.last(from_end)), rule, mask, scores);
  }
}

void scaled_dot_product_attention(Layer& layer) {
  const Shape& query = layer.input(0);
  const Shape& key = layer.input(1);
  const Shape& value = layer.input(2);
  const bool mask = layer.input_count() == 4;
  const std::size_t rank = layer.flag(dot_product::enable_gqa) ? 3 : 2;
  layer.require(query.rank() >= rank && key.rank() >= rank && value.rank() >= rank,
                "query, key and value must have at least {} dimensions, got {}, {} and {}", rank,
                query.rank(), key.rank(), value.rank());
  layer.require(query.last() == key.last(), "query has {} features but key has {}", query.last(),
                key.last());
  layer.require(query.last() > 0, "query must have a positive number of features, got {}",
                query.last());
  layer.require(key.last(1) == value.last(1), "key has length {} but value has {}", key.last(1),
                value.last(1));
  layer.require(key.last(1) > 0, "key must have a positive length, got {}", key.last(1));

  const Shape query_batch(query.sizes(0, query.rank() - 2));
  const Shape key_batch = batch_of(layer, key, "key");
  const Shape value_batch = batch_of(layer, value, "value");
  Shape scores = broadcast(layer, query_batch.sizes(), key_batch.sizes());
  Shape output = broadcast(layer, scores.sizes(), value_batch.sizes());
  scores.append(query.last(1));
  output.append(query.last(1));
  const Quantity compared = scores.elements();
  const Quantity gathering = output.elements();
  scores.append(key.last(1));
  output.append(value.last());
  if (mask) {
    require_mask(layer, layer.input(3), scores);
    layer.require(!layer.flag(dot_product::is_causal),
                  "attn_mask and is_causal exclude each other: put the causal part into the mask");
  }
  layer.output(output);
  add_attention(layer, {.compared = compared,
                        .gathering = gathering,
                        .keys = key.last(1),
                        .key_features = query.last(),
                        .value_features = value.last(),
                        .mask = mask});
}

// The features of key or value, which are those of the query unless `slot` says otherwise.
Quantity features_of(Layer& layer, const Shape& shape, std::string_view name, std::size_t slot,
                     const Quantity& embed_dim) {
  const Quantity features = layer.given(slot) ? layer.integer(slot) : embed_dim;
  const std::string_view attribute = layer.attributes().specs()[slot].name;
  layer.require(features > 0, "{} must be positive, got {}", attribute, features);
  layer.require(shape.last() == features, "{} has {} features but {} is {}", name, shape.last(),
                attribute, features);
  return features;
}

void add_weights(Layer& layer, const Quantity& embed_dim, const Quantity& kdim,
                 const Quantity& vdim) {
  // One packed weight where all have the same features. Packed or not, the elements are as many:
  // where only a configuration decides it, the weights stay apart.
  if (both(kdim == embed_dim, vdim == embed_dim).holds()) {
    layer.parameter({3 * embed_dim, embed_dim});
  } else {
    layer.parameter({embed_dim, embed_dim});
    layer.parameter({embed_dim, kdim});
    layer.parameter({embed_dim, vdim});
  }
  const bool bias = layer.flag(multi_head::bias);
  if (bias) layer.parameter({3 * embed_dim});
  if (layer.flag(multi_head::add_bias_kv)) {
    layer.parameter({1, 1, embed_dim});
    layer.parameter({1, 1, embed_dim});
  }
  layer.parameter({embed_dim, embed_dim});
  if (bias) layer.parameter({embed_dim});
}

void multi_head_attention(Layer& layer) {
  const Shape& query = layer.input(0);
  const Shape& key = layer.input(1);
  const Shape& value = layer.input(2);
  const std::size_t rank = query.rank();
  layer.require(rank == 2 || rank == 3,
                "query must have 3 or 2 dimensions, (N, L, E), (L, N, E) or (L, E), got {}", rank);
  layer.require(key.rank() == rank && value.rank() == rank,
                "key and value must have as many dimensions as query, {}, got {} and {}", rank,
                key.rank(), value.rank());

  const Quantity embed_dim = query.last();
  const Quantity heads = layer.integer(multi_head::num_heads);
  layer.require(embed_dim > 0, "embed_dim must be positive, got {}", embed_dim);
  layer.require(heads > 0, "num_heads must be positive, got {}", heads);
  layer.require(embed_dim % heads == 0, "embed_dim {} is not divisible by num_heads {}", embed_dim,
                heads);
  const Quantity kdim = features_of(layer, key, "key", multi_head::kdim, embed_dim);
  const Quantity vdim = features_of(layer, value, "value", multi_head::vdim, embed_dim);

  const bool batch_first = layer.flag(multi_head::batch_first);
  const std::size_t sequence = rank == 3 && batch_first ? 1 : 0;
  Quantity batch = 1;
  if (rank == 3) {
    batch = query[1 - sequence];
    layer.require(both(key[1 - sequence] == batch, value[1 - sequence] == batch),
                  "query, key and value must have the same batch size, got {}, {} and {}", batch,
                  key[1 - sequence], value[1 - sequence]);
  }
  const Quantity length = query[sequence];
  const Quantity key_length = key[sequence];
  layer.require(key_length == value[sequence], "key has length {} but value has {}", key_length,
                value[sequence]);
  // Each of the two appends a position to the projected keys and values.
  const Quantity keys = key_length + (layer.flag(multi_head::add_bias_kv) ? 1 : 0) +
                        (layer.flag(multi_head::add_zero_attn) ? 1 : 0);
  layer.require(keys > 0, "key must have a positive length, got {}", keys);

  layer.output(query);
  const bool need_weights = layer.flag(multi_head::need_weights);
  if (need_weights) {
    Shape averaged;
    if (rank == 3) averaged.append(batch);
    averaged.append(length);
    averaged.append(keys);
    layer.output(averaged);
  }
  add_weights(layer, embed_dim, kdim, vdim);

  const bool bias = layer.flag(multi_head::bias);
  const Quantity queries = batch * length;
  add_arithmetic(layer, affine_map(queries, embed_dim, embed_dim, bias));
  add_arithmetic(layer, affine_map(batch * key_length, kdim, embed_dim, bias));
  add_arithmetic(layer, affine_map(batch * key_length, vdim, embed_dim, bias));
  add_attention(layer, {.compared = queries * heads,
                        .gathering = queries * heads,
                        .keys = keys,
                        .key_features = embed_dim / heads,
                        .value_features = embed_dim / heads});
  add_arithmetic(layer, affine_map(queries, embed_dim, embed_dim, bias));
  // The mean over the heads: an addition less than heads, and a division.
  if (need_weights) layer.flops += queries * keys * heads;
}

constexpr Op ops[] = {
    {.name = "scaled_dot_product_attention",
     .family = "attention",
     .rule = scaled_dot_product_attention,
     .attributes = dot_product::attributes,
     .minimum_inputs = 3,
     .maximum_inputs = 4,
     .contraction = true},
    {.name = "multi_head_attention",
     .family = "attention",
     .rule = multi_head_attention,
     .attributes = multi_head::attributes,
     .minimum_inputs = 3,
     .maximum_inputs = 3,
     .contraction = true},
};

}  // namespace

std::span<const Op> attention_ops() { return ops; }

}  // namespace netledger
