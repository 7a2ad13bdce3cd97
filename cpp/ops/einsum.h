// Einstein summation: reads the equation and contracts the operands pairwise from the left.
#pragma once

#include <string>

#include "ops/layer.h"

namespace netledger {

// Fills in the layer whose inputs are the operands of the equation that `text` writes down.
void contract_operands(Layer& layer, const std::string& text);

}  // namespace netledger
