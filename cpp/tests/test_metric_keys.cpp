// Keys: order as the metrics do.
#include "space/metric_keys.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

namespace netledger {

TEST_CASE("keys of real numbers order as they do, and turn back into them") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> ascending{-infinity, -1e300, -2.5, -1e-310, 0.0,
                                      1e-310,    0.1,    3.0,  1e300,   infinity};
  for (std::size_t index = 0; index < ascending.size(); ++index) {
    CHECK(real_of_key(real_key(ascending[index])) == ascending[index]);
    if (index > 0) CHECK(real_key(ascending[index - 1]) < real_key(ascending[index]));
  }
  CHECK(real_key(-0.0) == real_key(0.0));
  CHECK(real_key(std::numeric_limits<double>::quiet_NaN()) > real_key(infinity));
  CHECK(std::isnan(real_of_key(real_key(std::numeric_limits<double>::quiet_NaN()))));
}

}  // namespace netledger
