#include "quantity/evaluate.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "quantity/lanes.h"

namespace netledger {

namespace {

constexpr std::size_t block = LaneProgram::block;

// Any value may be in a column; those that are no counts are faults.
constexpr Interval anything{.low = std::numeric_limits<std::int64_t>::min(),
                            .high = std::numeric_limits<std::int64_t>::max()};

}  // namespace

std::optional<std::size_t> evaluate(const Program& program, std::span<const std::uint32_t> roots,
                                    std::span<const std::int64_t* const> columns, std::size_t lanes,
                                    std::span<std::int64_t* const> results) {
  std::vector<std::uint32_t> all_roots(roots.begin(), roots.end());
  for (const Requirement& requirement : program.requirements()) {
    all_roots.push_back(requirement.condition);
  }
  const std::vector<Interval> domains(program.variables().size(), anything);
  const LaneProgram lane_program(program, all_roots, domains);
  const std::unique_ptr<LaneProgram::Registers> registers = lane_program.registers();

  using Faults = std::array<std::uint8_t, block>;
  std::vector<Faults> faults(all_roots.size());
  std::vector<std::array<std::int64_t, block>> conditions(all_roots.size() - roots.size());
  std::vector<std::uint8_t*> fault_targets;
  fault_targets.reserve(faults.size());
  for (Faults& root : faults) fault_targets.push_back(root.data());
  std::vector<const std::int64_t*> sources(lane_program.variables().size());
  std::vector<std::int64_t*> targets(all_roots.size());
  for (std::size_t start = 0; start < lanes; start += block) {
    const std::size_t count = std::min(block, lanes - start);
    for (std::size_t index = 0; index < sources.size(); ++index) {
      sources[index] = columns[lane_program.variables()[index]] + start;
    }
    for (std::size_t root = 0; root < targets.size(); ++root) {
      targets[root] =
          root < roots.size() ? results[root] + start : conditions[root - roots.size()].data();
    }
    lane_program.run(sources, count, targets, fault_targets, *registers);
    for (std::size_t lane = 0; lane < count; ++lane) {
      // A condition with a fault is 0 too.
      const bool bad =
          std::ranges::any_of(faults, [=](const Faults& root) { return root[lane] != 0; }) ||
          std::ranges::any_of(conditions, [=](const auto& values) { return values[lane] == 0; });
      if (bad) return start + lane;
    }
  }
  return std::nullopt;
}

}  // namespace netledger
