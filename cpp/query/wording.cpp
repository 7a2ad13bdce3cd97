#include "query/wording.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace netledger {

std::string grouped_number(double number) {
  const std::string digits = std::to_string(static_cast<std::uint64_t>(std::min(number, 1e18)));
  std::string text;
  for (std::size_t place = 0; place < digits.size(); ++place) {
    if (place > 0 && (digits.size() - place) % 3 == 0) text += ',';
    text += digits[place];
  }
  return text;
}

}  // namespace netledger
