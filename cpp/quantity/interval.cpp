#include "quantity/interval.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <optional>

#include "quantity/checked.h"

namespace netledger {

namespace {

// Holds every result of one operation on two counts.
using Wide = __int128;

constexpr std::int64_t lowest = checked::lowest;
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

constexpr Interval unknown{.low = lowest, .high = highest, .exact = false};

struct Range {
  Wide low;
  Wide high;
};

Range hull(const Range& left, const Range& right) {
  return {.low = std::min(left.low, right.low), .high = std::max(left.high, right.high)};
}

// The part of the range that counts can have.
Interval within_counts(const Range& range, bool exact) {
  const Wide low = std::max<Wide>(range.low, lowest);
  const Wide high = std::min<Wide>(range.high, highest);
  if (low > high) return unknown;
  return {.low = static_cast<std::int64_t>(low),
          .high = static_cast<std::int64_t>(high),
          .exact = exact && low == range.low && high == range.high};
}

Interval within_counts(const std::optional<Range>& range, bool exact) {
  return range ? within_counts(*range, exact) : unknown;
}

Range hull_of(std::initializer_list<Wide> corners) {
  const auto [low, high] = std::minmax(corners);
  return {.low = low, .high = high};
}

// A product is linear in each factor: its extremes are at the corners.
Range multiply(const Range& left, const Range& right) {
  return hull_of(
      {left.low * right.low, left.low * right.high, left.high * right.low, left.high * right.high});
}

Wide floor_quotient(Wide left, Wide right) {
  return left / right - static_cast<Wide>(left % right != 0 && (left < 0) != (right < 0));
}

Wide ceil_quotient(Wide left, Wide right) { return -floor_quotient(-left, right); }

// For positive divisors a quotient is monotone in each operand.
template <Wide (*Quotient)(Wide, Wide)>
Range divide(const Range& left, const Range& right) {
  return hull_of({Quotient(left.low, right.low), Quotient(left.low, right.high),
                  Quotient(left.high, right.low), Quotient(left.high, right.high)});
}

// For positive divisors.
Range modulo(const Range& left, const Range& right) {
  if (right.low == right.high) {
    const Wide turns = floor_quotient(left.low, right.low);
    if (turns == floor_quotient(left.high, right.low)) {
      return {.low = left.low - turns * right.low, .high = left.high - turns * right.low};
    }
  }
  if (left.low >= 0 && left.high < right.low) return left;
  const Wide high = right.high - 1;
  return {.low = 0, .high = left.low >= 0 ? std::min(high, left.high) : high};
}

Range negative(const Range& range) { return {.low = -range.high, .high = -range.low}; }

// `operation` over the positive and over the negative divisors; nothing if there are none. For the
// negative ones both signs are turned: that changes no quotient, and turns a remainder's sign.
template <class Operation>
std::optional<Range> for_divisors(const Range& left, const Range& right, bool is_remainder,
                                  Operation operation) {
  std::optional<Range> result;
  if (right.high > 0) {
    result = operation(left, Range{.low = std::max<Wide>(right.low, 1), .high = right.high});
  }
  if (right.low < 0) {
    const Range negatives{.low = right.low, .high = std::min<Wide>(right.high, -1)};
    const Range turned = operation(negative(left), negative(negatives));
    const Range outcome = is_remainder ? negative(turned) : turned;
    result = result ? hull(*result, outcome) : outcome;
  }
  return result;
}

Wide magnitude(const Interval& interval) {
  return std::max(-static_cast<Wide>(interval.low), static_cast<Wide>(interval.high));
}

// A divisor of every operand that is not zero.
Range greatest_common_divisor(const Interval& left, const Interval& right) {
  if (left.low == left.high && right.low == right.high) {
    const Wide divisor = std::gcd(left.low, right.low);
    return {.low = divisor, .high = divisor};
  }
  const bool left_zero = left.contains(0);
  const bool right_zero = right.contains(0);
  if (left_zero && right_zero) {
    return {.low = 0, .high = std::max(magnitude(left), magnitude(right))};
  }
  if (left_zero) return {.low = 1, .high = magnitude(right)};
  if (right_zero) return {.low = 1, .high = magnitude(left)};
  return {.low = 1, .high = std::min(magnitude(left), magnitude(right))};
}

Interval truth(bool always, bool never, bool exact) {
  return {.low = always ? 1 : 0, .high = never ? 0 : 1, .exact = exact};
}

Interval select(const Interval& condition, const Interval& yes, const Interval& no) {
  // Only the branch taken matters, where it is always the same.
  const bool exact = condition.exact;
  if (!condition.contains(0))
    return {.low = yes.low, .high = yes.high, .exact = exact && yes.exact};
  if (condition.low == condition.high) {
    return {.low = no.low, .high = no.high, .exact = exact && no.exact};
  }
  return {.low = std::min(yes.low, no.low),
          .high = std::max(yes.high, no.high),
          .exact = exact && yes.exact && no.exact};
}

Interval lookup(const Interval& index, std::span<const std::int64_t> table) {
  const auto size = static_cast<std::int64_t>(table.size());
  const std::int64_t first = std::max<std::int64_t>(index.low, 0);
  const std::int64_t last = std::min(index.high, size - 1);
  if (first > last) return unknown;
  const auto [low, high] = std::ranges::minmax(
      table.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first) + 1));
  return within_counts(Range{.low = low, .high = high},
                       index.exact && first == index.low && last == index.high);
}

Interval interval(const Program& program, const Expression& expression,
                  std::span<const Interval> domains, std::span<const Interval> known) {
  if (expression.opcode == Opcode::constant) {
    return within_counts(Range{.low = expression.value, .high = expression.value}, true);
  }
  if (expression.opcode == Opcode::variable) {
    const Interval& domain = domains[expression.first];
    return within_counts(Range{.low = domain.low, .high = domain.high}, domain.exact);
  }
  const Interval& first = known[expression.first];
  if (expression.opcode == Opcode::lookup) {
    return lookup(first, program.tables()[expression.second]);
  }
  const Interval& second = known[expression.second];
  const Range left{.low = first.low, .high = first.high};
  const Range right{.low = second.low, .high = second.high};
  const bool exact = first.exact && second.exact;
  const bool divisible = exact && !second.contains(0);
  switch (expression.opcode) {
    case Opcode::add:
      return within_counts(Range{.low = left.low + right.low, .high = left.high + right.high},
                           exact);
    case Opcode::subtract:
      return within_counts(Range{.low = left.low - right.high, .high = left.high - right.low},
                           exact);
    case Opcode::multiply:
      return within_counts(multiply(left, right), exact);
    case Opcode::floor_divide:
      return within_counts(for_divisors(left, right, false, divide<floor_quotient>), divisible);
    case Opcode::ceil_divide:
      return within_counts(for_divisors(left, right, false, divide<ceil_quotient>), divisible);
    case Opcode::modulo:
      return within_counts(for_divisors(left, right, true, modulo), divisible);
    case Opcode::minimum:
      return {.low = std::min(first.low, second.low),
              .high = std::min(first.high, second.high),
              .exact = exact};
    case Opcode::maximum:
      return {.low = std::max(first.low, second.low),
              .high = std::max(first.high, second.high),
              .exact = exact};
    case Opcode::greatest_common_divisor:
      return within_counts(greatest_common_divisor(first, second), exact);
    case Opcode::equal:
      return truth(left.low == left.high && right.low == right.high && left.low == right.low,
                   left.high < right.low || right.high < left.low, exact);
    case Opcode::less:
      return truth(left.high < right.low, left.low >= right.high, exact);
    case Opcode::less_equal:
      return truth(left.high <= right.low, left.low > right.high, exact);
    case Opcode::select:
      return select(first, second, known[expression.third]);
    case Opcode::constant:
    case Opcode::variable:
    case Opcode::lookup:
      break;
  }
  return unknown;
}

}  // namespace

std::vector<Interval> intervals(const Program& program, std::span<const Interval> domains) {
  std::vector<Interval> result;
  result.reserve(program.expressions().size());
  for (const Expression& expression : program.expressions()) {
    result.push_back(interval(program, expression, domains, result));
  }
  return result;
}

}  // namespace netledger
