// Numbers as errors show them.
#pragma once

#include <string>

namespace netledger {

// A number of bytes, or of anything else that is not negative, with commas between thousands.
[[nodiscard]] std::string grouped_number(double number);

}  // namespace netledger
