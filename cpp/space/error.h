// SpaceError: a design space, or what was asked of one, is not valid.
#pragma once

#include <stdexcept>

namespace netledger {

class SpaceError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace netledger
