// Code writers: rows from combinations, without touching anything else.
#include "space/code_writer.h"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "space_plans.h"

namespace netledger {

using namespace testing;

TEST_CASE("rows are put together from parts in any order, up to the last byte") {
  Dice dice(66);
  for (const CodeWidth width : {CodeWidth::byte, CodeWidth::word}) {
    for (const std::size_t columns :
         {std::size_t{1}, std::size_t{2}, std::size_t{13}, std::size_t{30}}) {
      // Two parts: every third column, and the others.
      std::vector<CodePart> parts(columns > 1 ? 2 : 1);
      for (VariableIndex column = 0; column < columns; ++column) {
        parts[column % 3 == 0 ? 0 : 1].variables.push_back(column);
      }
      for (CodePart& part : parts) {
        for (std::size_t code = 0; code < 20 * part.variables.size(); ++code) {
          part.codes.push_back(
              static_cast<std::uint16_t>(dice.roll(0, width == CodeWidth::byte ? 255 : 65535)));
        }
      }
      const CodeWriter writer(parts, width);
      constexpr std::size_t rows = 40;
      std::vector<std::uint32_t> choices(rows * parts.size());
      for (auto& choice : choices) choice = static_cast<std::uint32_t>(dice.roll(0, 19));
      // A row more, which must stay as it is.
      Matrix codes(rows + 1, columns, width);
      const Row guard = codes.row(rows);
      const CodeOutput output = codes.output().from(0, rows);
      writer.write(choices, output, 0);
      CHECK(codes.row(rows) == guard);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t part = 0; part < parts.size(); ++part) {
          const auto& variables = parts[part].variables;
          const std::size_t choice = choices[row * parts.size() + part];
          for (std::size_t place = 0; place < variables.size(); ++place) {
            REQUIRE(codes.row(row)[variables[place]] ==
                    parts[part].codes[choice * variables.size() + place]);
          }
        }
      }
    }
  }
}

TEST_CASE("masks become bytes") {
  CHECK(expand_mask(0, CodeWidth::byte) == 0);
  CHECK(expand_mask(0b10000101, CodeWidth::byte) == 0xFF00000000FF00FFU);
  CHECK(expand_mask(0b0110, CodeWidth::word) == 0x0000FFFFFFFF0000U);
}

}  // namespace netledger
