#include "ops/op.h"

#include <unordered_map>
#include <vector>

#include "ops/families.h"

namespace netledger {

namespace {

const std::vector<Op>& book() {
  static const std::vector<Op> ops = [] {
    std::vector<Op> all;
    for (const auto family :
         {convolution_ops, linear_ops, attention_ops, recurrent_ops, normalization_ops, pooling_ops,
          activation_ops, elementwise_ops, reduction_ops, embedding_ops, shape_ops, resample_ops,
          declared_ops}) {
      const std::span<const Op> part = family();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return ops;
}

}  // namespace

std::span<const Op> operations() { return book(); }

const Op* find_operation(std::string_view name) {
  static const std::unordered_map<std::string_view, const Op*> by_name = [] {
    std::unordered_map<std::string_view, const Op*> names;
    for (const Op& op : book()) names.emplace(op.name, &op);
    return names;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

std::uint16_t operation_index(const Op& op) {
  return static_cast<std::uint16_t>(&op - book().data());
}

}  // namespace netledger
