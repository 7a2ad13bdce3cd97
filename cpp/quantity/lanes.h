// LaneProgram: expressions made ready to be evaluated for many assignments at once, one per lane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quantity/interval.h"
#include "quantity/program.h"

namespace netledger {

// Stands on its own: it keeps nothing of the Program it was made from. Copies share their code.
class LaneProgram {
 public:
  // Lanes evaluated together.
  static constexpr std::size_t block = 256;

  // Registers of one thread, for the program that made them (and its copies); reused from block to
  // block.
  class Registers {
   private:
    friend class LaneProgram;
    template <class Value>
    struct alignas(64) Register {
      std::array<Value, block> lanes;
    };
    std::vector<Register<double>> reals_;
    std::vector<Register<std::int64_t>> integers_;
  };

  // What a program is made of.
  struct Code;

  // `domains[v]` is where variable v of the program lies.
  LaneProgram(const Program& program, std::span<const std::uint32_t> roots,
              std::span<const Interval> domains);

  // The variables that the roots depend on, ascending: the columns of `run`.
  [[nodiscard]] const std::vector<std::uint32_t>& variables() const noexcept;
  // Whether the intervals prove every step exact, so that no lane can have a fault.
  [[nodiscard]] bool proven() const noexcept;
  [[nodiscard]] std::size_t instruction_count() const noexcept;
  // Registers that one block of lanes takes, of `block` * 8 bytes each.
  [[nodiscard]] std::size_t register_count() const noexcept;
  // Where each root lies.
  [[nodiscard]] const std::vector<Interval>& bounds() const noexcept;

  [[nodiscard]] std::unique_ptr<Registers> registers() const;
  // Evaluates lanes 0..lanes-1 (at most `block`): results[i][lane] becomes the value of root i, 0
  // where it is not exact; faults[i][lane] becomes 1 there (an overflow, a division by zero, an
  // index outside its table), else 0. For a proven program `faults` may be empty.
  // columns[i] are values of variables()[i]. The caller vouches that they lie within the domain:
  // outside of it results are meaningless, and a division may trap.
  void run(std::span<const std::int64_t* const> columns, std::size_t lanes,
           std::span<std::int64_t* const> results, std::span<std::uint8_t* const> faults,
           Registers& registers) const;

 private:
  std::shared_ptr<const Code> code_;
};

}  // namespace netledger
