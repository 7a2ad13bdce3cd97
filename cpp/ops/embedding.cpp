// Tables of vectors, read by index.
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

constexpr std::string_view modes[] = {"sum", "mean", "max"};
constexpr std::int64_t mean_mode = 1;

namespace table {
// Of embedding_bag; embedding has the first two.
enum Slot { num_embeddings, embedding_dim, mode, include_last_offset };
constexpr AttributeSpec attributes[] = {
    {"num_embeddings", AttributeKind::integer},
    {"embedding_dim", AttributeKind::integer},
    {"mode", AttributeKind::choice, Otherwise::value, mean_mode, modes},
    {"include_last_offset", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace table

// The table, of which a layer reads only `rows`. Returns the elements it reads.
Quantity read_rows(Layer& layer, const Quantity& rows) {
  const Quantity num_embeddings = layer.integer(table::num_embeddings);
  const Quantity embedding_dim = layer.integer(table::embedding_dim);
  layer.require(num_embeddings >= 0, "num_embeddings must not be negative, got {}", num_embeddings);
  layer.require(embedding_dim >= 0, "embedding_dim must not be negative, got {}", embedding_dim);
  layer.parameter({num_embeddings, embedding_dim});
  const Quantity elements = rows * embedding_dim;
  layer.weight_reads = elements;
  return elements;
}

void embedding(Layer& layer) {
  const Shape& indices = layer.input();
  layer.require(indices.rank() < Shape::maximum_rank, "a tensor has at most {} dimensions",
                Shape::maximum_rank);
  read_rows(layer, indices.elements());
  Shape output = indices;
  output.append(layer.integer(table::embedding_dim));
  layer.output(output);
}

// The number of bags: the rows of 2-d indices, the offsets of 1-d ones.
Quantity bags_of(Layer& layer) {
  const Shape& indices = layer.input(0);
  const bool has_offsets = layer.input_count() == 2;
  layer.require(indices.rank() == 1 || indices.rank() == 2,
                "the indices must have 2 dimensions, (N, L), or 1 with offsets, got {}",
                indices.rank());
  if (indices.rank() == 2) {
    layer.require(!has_offsets, "each row of 2-d indices is a bag: offsets must be left out");
    layer.require(indices.last() > 0, "a bag must hold at least 1 index, got {}", indices.last());
    return indices[0];
  }
  layer.require(has_offsets, "1-d indices need offsets, the second input");
  const Shape& offsets = layer.input(1);
  layer.require(offsets.rank() == 1, "offsets must have 1 dimension, got {}", offsets.rank());
  Quantity bags = offsets[0];
  if (layer.flag(table::include_last_offset)) {
    layer.require(bags > 0, "include_last_offset needs at least 1 offset, got {}", bags);
    bags = bags - 1;
  }
  // Where the bags begin is data: none is taken to be empty, and all indices to be in a bag.
  layer.require(bags <= indices[0], "{} bags need at least 1 index each, got {} indices", bags,
                indices[0]);
  layer.require(either(bags > 0, indices[0] == 0), "{} indices are in no bag", indices[0]);
  return bags;
}

void embedding_bag(Layer& layer) {
  const Quantity bags = bags_of(layer);
  const Quantity read = read_rows(layer, layer.input().elements());
  const Shape output{bags, layer.integer(table::embedding_dim)};
  layer.output(output);
  // A sum or a maximum of n rows takes n - 1 operations for each element, a mean a division more.
  layer.flops = layer.word(table::mode) == "mean" ? read : read - output.elements();
}

constexpr std::span<const AttributeSpec> bag_attributes = table::attributes;

constexpr Op ops[] = {
    {.name = "embedding",
     .family = "embedding",
     .rule = embedding,
     .attributes = bag_attributes.first(table::mode)},
    {.name = "embedding_bag",
     .family = "embedding",
     .rule = embedding_bag,
     .attributes = bag_attributes,
     .maximum_inputs = 2},
};

}  // namespace

std::span<const Op> embedding_ops() { return ops; }

}  // namespace netledger
