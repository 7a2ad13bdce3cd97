// The families of the rule book: each file of this folder lists its ops here.
#pragma once

#include <span>

#include "ops/op.h"

namespace netledger {

std::span<const Op> convolution_ops();
std::span<const Op> linear_ops();
std::span<const Op> attention_ops();
std::span<const Op> recurrent_ops();
std::span<const Op> normalization_ops();
std::span<const Op> pooling_ops();
std::span<const Op> activation_ops();
std::span<const Op> elementwise_ops();
std::span<const Op> reduction_ops();
std::span<const Op> embedding_ops();
std::span<const Op> shape_ops();
std::span<const Op> resample_ops();
std::span<const Op> declared_ops();

}  // namespace netledger
