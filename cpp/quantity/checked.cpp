#include "quantity/checked.h"

#include <string>

namespace netledger::checked {

void overflow() { throw CountOverflow("a count does not fit a 64-bit integer"); }

void division_by_zero(std::int64_t left) {
  throw DivisionByZero(std::to_string(left) + " is divided by zero");
}

}  // namespace netledger::checked
