// Programs: each expression is stored once, and the simplest cases not at all.
#include "quantity/program.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

namespace netledger {

TEST_CASE("variables are distinct, even of one name") {
  Program program;
  const Quantity first = program.variable("size");
  const Quantity second = program.variable("size");
  CHECK_FALSE(first.same_as(second));
  REQUIRE(program.variables().size() == 2);
  CHECK(program.variables()[1] == "size");
  CHECK(program.expressions()[second.expression()].first == 1);
}

TEST_CASE("an expression built twice is one expression") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  const Quantity once = (x + 3) * y / 2;
  const std::size_t stored = program.expressions().size();
  const Quantity twice = (x + 3) * y / 2;
  CHECK(once.same_as(twice));
  CHECK(program.expressions().size() == stored);
  CHECK_FALSE(once.same_as((x + 4) * y / 2));
  CHECK_FALSE(once.same_as(ceil_divide((x + 3) * y, 2)));
}

TEST_CASE("operations that commute do so before they are stored") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  CHECK((x + y).same_as(y + x));
  CHECK((x * y).same_as(y * x));
  CHECK((x + 5).same_as(5 + x));
  CHECK(minimum(x, y).same_as(minimum(y, x)));
  CHECK(maximum(x, y).same_as(maximum(y, x)));
  CHECK(greatest_common_divisor(x, y).same_as(greatest_common_divisor(y, x)));
  CHECK((x == y).truth().same_as((y == x).truth()));
}

TEST_CASE("operations that do not commute are kept apart") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  CHECK_FALSE((x - y).same_as(y - x));
  CHECK_FALSE((x / y).same_as(y / x));
  CHECK_FALSE((x % y).same_as(y % x));
  CHECK_FALSE(ceil_divide(x, y).same_as(ceil_divide(y, x)));
  CHECK_FALSE((x < y).truth().same_as((y < x).truth()));
  CHECK_FALSE((x <= y).truth().same_as((y <= x).truth()));
  CHECK_FALSE((x < y).truth().same_as((x <= y).truth()));
}

TEST_CASE("what changes nothing is not stored") {
  Program program;
  const Quantity x = program.variable("x");
  const std::size_t stored = program.expressions().size();
  CHECK((x + 0).same_as(x));
  CHECK((0 + x).same_as(x));
  CHECK((x - 0).same_as(x));
  CHECK((x * 1).same_as(x));
  CHECK((1 * x).same_as(x));
  CHECK((x / 1).same_as(x));
  CHECK(ceil_divide(x, 1).same_as(x));
  CHECK(minimum(x, x).same_as(x));
  CHECK(maximum(x, x).same_as(x));
  CHECK(select(program.at(x.expression()) == x, x, 0).same_as(x));
  CHECK(program.expressions().size() == stored);
}

TEST_CASE("what is certain becomes a constant") {
  Program program;
  const Quantity x = program.variable("x");
  const std::size_t stored = program.expressions().size();
  CHECK((x - x).is(0));
  CHECK((x * 0).is(0));
  CHECK((0 * x).is(0));
  CHECK((x % 1).is(0));
  CHECK((x == x).holds());
  CHECK((x <= x).holds());
  CHECK((x >= x).holds());
  CHECK((x < x).known());
  CHECK_FALSE((x < x).holds());
  CHECK(program.expressions().size() == stored);
}

TEST_CASE("what depends on the variable is not simplified away") {
  Program program;
  const Quantity x = program.variable("x");
  // 0 - x is not x, x / x is not 1 where x is 0, 1 / x and 1 % x are not 1.
  CHECK_FALSE((0 - x).same_as(x));
  CHECK_FALSE((x / x).is_constant());
  CHECK_FALSE((x % x).is_constant());
  CHECK_FALSE((1 / x).is_constant());
  CHECK_FALSE((1 % x).is_constant());
  CHECK_FALSE((0 / x).is_constant());
}

TEST_CASE("a select between one value and itself is that value") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  CHECK(select(x < y, y, y).same_as(y));
  CHECK(select(x < y, 3, 3).is(3));
  const Quantity chosen = select(x < y, x, y);
  CHECK(chosen.same_as(select(x < y, x, y)));
  CHECK_FALSE(chosen.same_as(select(x < y, y, x)));
  CHECK_FALSE(chosen.same_as(select(y < x, x, y)));
}

TEST_CASE("the identity of a constant within a program") {
  Program program;
  const Quantity x = program.variable("x");
  const std::uint32_t seven = program.id(7);
  CHECK(seven == program.id(7));
  CHECK(seven != program.id(8));
  CHECK(program.expressions()[seven].opcode == Opcode::constant);
  CHECK(program.expressions()[seven].value == 7);
  CHECK(program.id(x) == x.expression());
}

TEST_CASE("operands come before what they are operands of") {
  Program program;
  const Quantity x = program.variable("x");
  const Quantity y = program.variable("y");
  (void)select((x + 2) * y < ceil_log2(x), x % 5, greatest_common_divisor(x, y) - 9);
  const auto& expressions = program.expressions();
  REQUIRE(expressions.size() > 60);
  for (std::size_t id = 0; id < expressions.size(); ++id) {
    const Expression& expression = expressions[id];
    if (expression.opcode == Opcode::constant || expression.opcode == Opcode::variable) continue;
    CHECK(expression.first < id);
    CHECK(expression.second < id);
    if (expression.opcode == Opcode::select) CHECK(expression.third < id);
  }
}

TEST_CASE("quantities of two programs cannot mix") {
  Program one;
  Program other;
  const Quantity x = one.variable("x");
  const Quantity y = other.variable("y");
  const std::size_t stored_in_one = one.expressions().size();
  const std::size_t stored_in_other = other.expressions().size();
  CHECK_THROWS_AS(x + y, std::invalid_argument);
  CHECK_THROWS_AS(y * x, std::invalid_argument);
  CHECK_THROWS_AS(minimum(x, y), std::invalid_argument);
  CHECK_THROWS_AS(x < y, std::invalid_argument);
  CHECK_THROWS_AS(x == y, std::invalid_argument);
  CHECK(one.expressions().size() == stored_in_one);
  CHECK(other.expressions().size() == stored_in_other);
  const Condition condition = x < 3;
  CHECK_THROWS_AS(select(condition, y, 0), std::invalid_argument);
  CHECK_THROWS_AS(select(condition, 0, y), std::invalid_argument);
  CHECK_THROWS_AS(select(condition, x, y), std::invalid_argument);
  CHECK_THROWS_WITH(x - y, "quantities of two different spaces cannot be combined");
}

TEST_CASE("requirements keep their condition and their sentence, in order") {
  Program program;
  const Quantity x = program.variable("x");
  CHECK(program.requirements().empty());
  program.require(x > 0, "x must be positive");
  program.require(x % 2 == 0, "x must be even");
  REQUIRE(program.requirements().size() == 2);
  CHECK(program.requirements()[0].text == "x must be positive");
  CHECK(program.requirements()[0].condition == program.id((x > 0).truth()));
  CHECK(program.requirements()[1].text == "x must be even");
  CHECK(program.requirements()[1].condition == program.id((x % 2 == 0).truth()));
}

TEST_CASE("an expression over coded variables is known by its values") {
  Program program;
  const Quantity code = program.coded_variable("kernel", 3);
  const Quantity kernel = 2 * code + 3;
  const Quantity size = program.coded_variable("size", 4);

  SUBCASE("what is the same for all values is a constant") {
    CHECK((2 * (kernel / 2) - kernel).is(-1));
    CHECK((kernel % 2 == 1).holds());
    CHECK(program.coded_variable("only", 1).is(0));
  }
  SUBCASE("expressions that agree everywhere are one") {
    CHECK((kernel + kernel).same_as(2 * kernel));
    CHECK((code * code).same_as(select(code == 2, 4, minimum(code, 1))));
    CHECK_FALSE((kernel + 1).same_as(kernel + 2));
  }
  SUBCASE("a variable that makes no difference is not depended on") {
    const Quantity padded = size + 2 * (kernel / 2) - kernel + 1;
    CHECK(padded.same_as(size));
    CHECK(program.support((size * kernel).expression()) == std::vector<std::uint32_t>{0, 1});
    CHECK(program.support(padded.expression()) == std::vector<std::uint32_t>{1});
  }
  SUBCASE("where there is no exact value") {
    const Quantity quotient = 12 / code;
    REQUIRE(program.values(quotient) != nullptr);
    CHECK(program.values(quotient)->values == std::vector<std::int64_t>{no_exact_value, 12, 6});
    CHECK(select(code == 0, 0, quotient).same_as(select(code == 1, 12, select(code == 2, 6, 0))));
    const Quantity large = select(code == 0, 1, std::int64_t{1} << 40);
    CHECK(program.values(large * large)->values[0] == 1);
    CHECK(program.values(large * large)->values[1] == no_exact_value);
  }
  SUBCASE("many combinations are not kept") {
    const Quantity wide = program.coded_variable("wide", 2000);
    CHECK(program.values(wide) != nullptr);
    CHECK(program.values(wide * kernel) == nullptr);
    CHECK(program.support((wide * kernel + size).expression()) ==
          std::vector<std::uint32_t>{0, 1, 2});
  }
}

TEST_CASE("a look-up reads a table") {
  Program program;
  const Quantity code = program.coded_variable("code", 3);
  const std::vector<std::int64_t> entries{5, 7, 5};
  CHECK(program.lookup(1, entries).is(7));
  CHECK_THROWS_AS((void)program.lookup(3, entries), std::out_of_range);
  CHECK(program.lookup(code, entries).same_as(select(code == 1, 7, 5)));
  CHECK(program.lookup(code, std::vector<std::int64_t>{4, 4, 4}).is(4));
  CHECK(program.values(program.lookup(code + 1, entries))->values ==
        std::vector<std::int64_t>{7, 5, no_exact_value});
  const Quantity free = program.variable("free");
  CHECK(program.lookup(free, entries).same_as(program.lookup(free, entries)));
  CHECK(program.tables().size() == 2);
}

TEST_CASE("a requirement holds only where its construction is present") {
  Program program;
  const Quantity code = program.coded_variable("code", 3);
  program.construct((code == 2).truth(), 7);
  CHECK(program.require(code > 1, "always met where it counts"));
  CHECK(program.requirements().empty());
  CHECK_FALSE(program.require(code < 2, "never met where it counts"));
  CHECK(program.requirements().empty());
  program.construct((code > 0).truth(), 8);
  CHECK(program.require(code == 2, "met by one of two"));
  REQUIRE(program.requirements().size() == 1);
  CHECK(program.requirements()[0].step == 8);
  CHECK(program.values(program.requirements()[0].condition)->values ==
        std::vector<std::int64_t>{1, 0, 1});
  program.forget_requirements(0);
  CHECK(program.requirements().empty());
}

}  // namespace netledger
