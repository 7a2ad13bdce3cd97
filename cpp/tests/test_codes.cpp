// Codes: matrices of any strides, and their ranges.
#include "space/codes.h"

#include <cstdint>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

#include "space/error.h"
#include "space_plans.h"

namespace netledger {

using namespace testing;

TEST_CASE("blocks of columns hold the codes of any matrix, and give them back") {
  Dice dice(61);
  const Plan plan = random_plan(dice, {});
  const std::vector<Row> rows = random_rows(plan, dice, 100);
  for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
    for (const bool by_column : {false, true}) {
      const Matrix codes(rows, 6, width, 2, by_column);
      CodeColumns columns(6);
      columns.read(codes.view(), 10, 90);
      Matrix copy(90, 6, width);
      columns.write(copy.output(), 0, 90);
      for (std::size_t row = 0; row < 90; ++row) {
        CHECK(columns.column(3)[row] == rows[10 + row][3]);
        CHECK(columns.view(90).code(row, 5) == rows[10 + row][5]);
        CHECK(copy.row(row) == rows[10 + row]);
      }
    }
  }
}

TEST_CASE("each code out of range is found, wherever it stands") {
  const CodeRanges ranges({"a", "b", "c"}, {2, 256, 3});
  const std::vector<Row> right(100, Row{1, 255, 2});
  for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
    for (const std::size_t gap : {std::size_t{0}, std::size_t{1}}) {
      for (const bool by_column : {false, true}) {
        Matrix codes(right, 3, width, gap, by_column);
        CHECK_NOTHROW(ranges.check(codes.view(), 0));
        for (const std::size_t row : {std::size_t{0}, std::size_t{31}, std::size_t{99}}) {
          codes.set(row, 2, 3);
          const std::string text =
              "row " + std::to_string(7 + row) + ": c has 3 choices, coded 0 to 2; got 3";
          CHECK_THROWS_WITH_AS(ranges.check(codes.view(), 7), text.c_str(), SpaceError);
          codes.set(row, 2, 0);
        }
        if (width == CodeWidth::byte) continue;
        codes.set(50, 1, 256);
        CHECK_THROWS_AS(ranges.check(codes.view(), 0), SpaceError);
      }
    }
  }
}

TEST_CASE("words at odd addresses are read") {
  const CodeRanges ranges({"a"}, {300});
  std::vector<std::uint8_t> bytes{0, 43, 1, 44, 1};
  const CodeView codes{bytes.data() + 1, 2, 1, 2, 2, CodeWidth::word};
  CHECK(codes.code(0, 0) == 299);
  CHECK_THROWS_WITH_AS(ranges.check(codes, 0), "row 1: a has 300 choices, coded 0 to 299; got 300",
                       SpaceError);
}

TEST_CASE("shapes and widths that do not fit are refused") {
  const CodeRanges ranges({"a", "b"}, {2, 257});
  CHECK_THROWS_AS(ranges.check_shape(Matrix(1, 3, CodeWidth::byte).view()), SpaceError);
  CHECK_THROWS_AS(ranges.check_output(Matrix(1, 2, CodeWidth::byte).output(), 1), SpaceError);
  CHECK_THROWS_AS(ranges.check_output(Matrix(2, 2, CodeWidth::word).output(), 1), SpaceError);
  CHECK_NOTHROW(ranges.check_output(Matrix(1, 2, CodeWidth::word).output(), 1));
}

}  // namespace netledger
