#include "space/sweep.h"

#include <algorithm>
#include <functional>
#include <string>

#include "quantity/checked.h"
#include "space/error.h"
#include "space/refused_rows.h"
#include "space/sum_words.h"

namespace netledger {

namespace {

std::vector<std::uint32_t> sizes_of(const Plan& plan) {
  std::vector<std::uint32_t> sizes;
  sizes.reserve(plan.variables.size());
  for (const PlanVariable& variable : plan.variables) sizes.push_back(variable.size);
  return sizes;
}

CostTables tables_of(const Plan& plan) {
  const std::vector<std::uint32_t> sizes = sizes_of(plan);
  return {plan, merge_factors(plan.factors, sizes, TableLimits{}), sizes};
}

[[noreturn]] void refuse_total(std::size_t row, const std::string& metric) {
  throw CountOverflow("row " + std::to_string(row) + ": metric '" + metric +
                      "' does not fit 64 bits, and no step refuses the configuration");
}

}  // namespace

CostColumns CostColumns::from(std::size_t first) const {
  CostColumns rest = *this;
  for (std::int64_t*& column : rest.metrics) column += first;
  for (double*& column : rest.reals) column += first;
  if (rest.refusals != nullptr) rest.refusals += first;
  return rest;
}

class Sweeper::Workspace {
 public:
  explicit Workspace(const Sweeper& sweeper)
      : columns(sweeper.plan_.variables.size()),
        table_indices(sweeper.tables_.tables().size() * block),
        row_indices(sweeper.row_indices_ != nullptr ? sweeper.row_indices_->row_length() * block
                                                    : 0),
        sums(sweeper.tables_.words_per_entry() * block),
        refusals(block) {
    if (sweeper.plan_.lanes == nullptr) return;
    const Lanes& lanes = *sweeper.plan_.lanes;
    const std::size_t roots = sweeper.plan_.metrics.size() + lanes.steps.size();
    registers = lanes.program.registers();
    lane_columns.resize(lanes.program.variables().size() * block);
    results.resize(roots * block);
    faults.resize(roots * block);
    for (std::size_t column = 0; column < lanes.program.variables().size(); ++column) {
      lane_column_pointers.push_back(lane_columns.data() + column * block);
    }
    for (std::size_t root = 0; root < roots; ++root) {
      result_pointers.push_back(results.data() + root * block);
      fault_pointers.push_back(faults.data() + root * block);
    }
  }

  CodeColumns columns;
  std::vector<std::uint32_t> table_indices;
  std::vector<std::uint16_t> row_indices;
  std::vector<std::uint64_t> sums;
  std::vector<Refusal> refusals;
  // Whether any of the block's rows is refused.
  bool refused = false;
  std::unique_ptr<LaneProgram::Registers> registers;
  std::vector<std::int64_t> lane_columns;
  std::vector<std::int64_t> results;
  std::vector<std::uint8_t> faults;
  std::vector<const std::int64_t*> lane_column_pointers;
  std::vector<std::int64_t*> result_pointers;
  std::vector<std::uint8_t*> fault_pointers;
};

void Sweeper::DeleteWorkspace::operator()(Workspace* workspace) const noexcept { delete workspace; }

Sweeper::Sweeper(const Plan& plan, Instructions instructions)
    : plan_(plan), ranges_(plan), tables_(tables_of(plan)) {
  static_assert(block <= LaneProgram::block);
  if (instructions != Instructions::portable && RowIndices::possible(tables_, ranges_.sizes())) {
    row_indices_ = std::make_unique<RowIndices>(tables_, ranges_.sizes(), instructions);
  }
}

bool Sweeper::may_refuse() const noexcept {
  return tables_.may_refuse() || (plan_.lanes != nullptr && !plan_.lanes->steps.empty());
}

Sweeper::WorkspacePointer Sweeper::workspace() const {
  return WorkspacePointer(new Workspace(*this));
}

void Sweeper::check(const CodeView& codes) const { ranges_.check_shape(codes); }

void Sweeper::check(const ValueColumns& values) const {
  const std::size_t expected = plan_.variables.size();
  if (values.data.size() != expected || values.strides.size() != expected) {
    throw SpaceError("values have " + std::to_string(values.data.size()) + " columns; expected " +
                     std::to_string(expected));
  }
}

namespace {

// Asks for rows that come next, so that they are there when they are needed: blocks are read in
// bursts, which the processor does not foresee.
void fetch_ahead(const CodeView& codes, std::size_t first, std::size_t rows) {
  constexpr std::ptrdiff_t cache_line = 64;
  if (rows == 0) return;
  const std::byte* const start = codes.at(first, 0);
  const std::byte* const end = codes.at(first + rows - 1, codes.columns - 1);
  for (const std::byte* line = start; line <= end; line += cache_line) __builtin_prefetch(line);
}

}  // namespace

void Sweeper::sweep(const CodeView& codes, std::size_t first, std::size_t rows,
                    const CostColumns& costs, Workspace& workspace) const {
  const bool shuffled = row_indices_ != nullptr && codes.width == CodeWidth::byte &&
                        codes.rows_are_contiguous() && codes.row_stride >= 0;
  for (std::size_t done = 0; done < rows; done += block) {
    const std::size_t row = first + done;
    const std::size_t count = std::min(block, rows - done);
    const CostColumns part = costs.from(done);
    const auto read = [&](std::size_t index, std::size_t column) {
      return static_cast<std::int64_t>(codes.code(row + index, column));
    };
    if (shuffled) {
      fetch_ahead(codes, row + count, std::min(block, rows - done - count));
      if (!index_rows(codes, row, count, workspace)) ranges_.check(codes.from(row, count), row);
      const RowMajorIndices indices{workspace.row_indices.data(), row_indices_->row_length()};
      sum_tables(indices, count, part, workspace);
      if (plan_.lanes != nullptr) add_lanes(read, row, count, part, workspace);
      finish(count, part, workspace);
    } else {
      workspace.columns.read(codes, row, count);
      ranges_.check(workspace.columns, row, count);
      sweep_columns(workspace.columns, read, row, count, part, workspace);
    }
  }
}

void Sweeper::sweep(const ValueColumns& values, std::size_t first, std::size_t rows,
                    const CostColumns& costs, Workspace& workspace) const {
  for (std::size_t done = 0; done < rows; done += block) {
    const std::size_t row = first + done;
    const std::size_t count = std::min(block, rows - done);
    const auto read = [&](std::size_t index, std::size_t column) {
      return values.at(row + index, column);
    };
    read_values(values, row, count, workspace);
    sweep_columns(workspace.columns, read, row, count, costs.from(done), workspace);
  }
}

void Sweeper::sweep(const CodeColumns& columns, std::size_t rows, const CostColumns& costs,
                    Workspace& workspace) const {
  const auto read = [&](std::size_t row, std::size_t column) {
    return std::int64_t{columns.column(column)[row]};
  };
  sweep_columns(columns, read, 0, rows, costs, workspace);
}

// `read` gives the codes and values of the block's rows, whose first has the number `first`.
template <class Read>
void Sweeper::sweep_columns(const CodeColumns& columns, const Read& read, std::size_t first,
                            std::size_t rows, const CostColumns& costs,
                            Workspace& workspace) const {
  index_columns(columns, rows, workspace);
  sum_tables(TableMajorIndices{workspace.table_indices.data(), block}, rows, costs, workspace);
  if (plan_.lanes != nullptr) add_lanes(read, first, rows, costs, workspace);
  finish(rows, costs, workspace);
}

void Sweeper::read_values(const ValueColumns& values, std::size_t first, std::size_t rows,
                          Workspace& workspace) const {
  for (std::size_t column = 0; column < plan_.variables.size(); ++column) {
    const PlanVariable& variable = plan_.variables[column];
    std::uint16_t* const codes = workspace.columns.column(column);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t value = values.at(first + row, column);
      if (variable.size == 0) {
        if (value >= variable.minimum && value <= variable.maximum) continue;
        throw SpaceError("row " + std::to_string(first + row) + ": variable '" + variable.name +
                         "' lies within " + std::to_string(variable.minimum) + " and " +
                         std::to_string(variable.maximum) + "; got " + std::to_string(value));
      }
      if (value < 0 || value >= std::int64_t{variable.size}) {
        ranges_.refuse(first + row, column, value);
      }
      codes[row] = static_cast<std::uint16_t>(value);
    }
  }
}

void Sweeper::index_columns(const CodeColumns& columns, std::size_t rows,
                            Workspace& workspace) const {
  for (std::size_t index = 0; index < tables_.tables().size(); ++index) {
    const CostTable& table = tables_.tables()[index];
    std::uint32_t* const entries = workspace.table_indices.data() + index * block;
    std::fill_n(entries, rows, table.first);
    for (std::size_t place = 0; place < table.variables.size(); ++place) {
      const std::uint16_t* const codes = columns.column(table.variables[place]);
      const std::uint32_t stride = table.strides[place];
      for (std::size_t row = 0; row < rows; ++row) entries[row] += codes[row] * stride;
    }
  }
}

bool Sweeper::index_rows(const CodeView& codes, std::size_t first, std::size_t rows,
                         Workspace& workspace) const {
  const auto* const start = reinterpret_cast<const std::uint8_t*>(codes.at(first, 0));
  const auto* const end =
      reinterpret_cast<const std::uint8_t*>(codes.at(codes.rows - 1, codes.columns));
  return row_indices_->compute(start, codes.row_stride, rows, end, workspace.row_indices.data());
}

template <class Indices>
void Sweeper::sum_tables(const Indices& indices, std::size_t rows, const CostColumns& costs,
                         Workspace& workspace) const {
  sum_words(tables_, indices, rows, workspace.sums.data());
  for (std::size_t metric = 0; metric < tables_.fields().size(); ++metric) {
    read_totals(workspace.sums.data(), tables_.words_per_entry(), tables_.fields()[metric], rows,
                costs.metrics[metric]);
  }
  if (!tables_.real_constants().empty()) sum_reals(indices, rows, costs);
  workspace.refused = false;
  if (tables_.may_refuse()) find_refusals(indices, rows, workspace);
}

template <class Indices>
void Sweeper::sum_reals(const Indices& indices, std::size_t rows, const CostColumns& costs) const {
  const std::size_t count = tables_.real_constants().size();
  for (std::size_t metric = 0; metric < count; ++metric) {
    const double* const reals = tables_.reals().data() + metric;
    for (std::size_t row = 0; row < rows; ++row) {
      double sum = tables_.real_constants()[metric];
      for (std::size_t table = 0; table < tables_.tables().size(); ++table) {
        sum += reals[indices(table, row) * count];
      }
      costs.reals[metric][row] = sum;
    }
  }
}

// Most rows are accepted: only those whose count is not 0 are looked at.
template <class Indices>
void Sweeper::find_refusals(const Indices& indices, std::size_t rows, Workspace& workspace) const {
  const MetricField& count = tables_.refusal_count();
  const std::size_t words = tables_.words_per_entry();
  for (std::size_t row = 0; row < rows; ++row) {
    Refusal first = accepted;
    if (count.total(workspace.sums.data() + row * words) != 0) {
      for (std::size_t table = 0; table < tables_.tables().size(); ++table) {
        first = first_refusal(first, tables_.refusals()[indices(table, row)]);
      }
      workspace.refused = true;
    }
    workspace.refusals[row] = first;
  }
}

template <class Read>
void Sweeper::add_lanes(const Read& read, std::size_t first, std::size_t rows,
                        const CostColumns& costs, Workspace& workspace) const {
  const Lanes& lanes = *plan_.lanes;
  const std::vector<std::uint32_t>& variables = lanes.program.variables();
  for (std::size_t column = 0; column < variables.size(); ++column) {
    std::int64_t* const values = workspace.lane_columns.data() + column * block;
    for (std::size_t row = 0; row < rows; ++row) values[row] = read(row, variables[column]);
  }
  lanes.program.run(workspace.lane_column_pointers, rows, workspace.result_pointers,
                    workspace.fault_pointers, *workspace.registers);
  if (!workspace.refused) std::fill_n(workspace.refusals.data(), rows, accepted);
  const std::size_t metrics = plan_.metrics.size();
  for (std::size_t step = 0; step < lanes.steps.size(); ++step) {
    const std::int64_t* const holds = workspace.result_pointers[metrics + step];
    const std::uint8_t* const fault = workspace.fault_pointers[metrics + step];
    for (std::size_t row = 0; row < rows; ++row) {
      if (holds[row] != 0 && fault[row] == 0) continue;
      workspace.refusals[row] = first_refusal(workspace.refusals[row], lanes.steps[step]);
      workspace.refused = true;
    }
  }
  for (std::size_t metric = 0; metric < metrics; ++metric) {
    const std::int64_t* const result = workspace.result_pointers[metric];
    std::int64_t* const totals = costs.metrics[metric];
    for (std::size_t row = 0; row < rows; ++row) {
      // Modulo 2^64, as the tables: the plan's bounds prove the total.
      totals[row] = static_cast<std::int64_t>(static_cast<std::uint64_t>(totals[row]) +
                                              static_cast<std::uint64_t>(result[row]));
    }
  }
  if (!lanes.program.proven()) check_lane_faults(first, rows, workspace);
}

// A fault in a metric must come with a step that refuses the configuration.
void Sweeper::check_lane_faults(std::size_t first, std::size_t rows,
                                const Workspace& workspace) const {
  for (std::size_t metric = 0; metric < plan_.metrics.size(); ++metric) {
    const std::uint8_t* const fault = workspace.fault_pointers[metric];
    for (std::size_t row = 0; row < rows; ++row) {
      if (fault[row] != 0 && workspace.refusals[row] == accepted) {
        refuse_total(first + row, plan_.metrics[metric]);
      }
    }
  }
}

void Sweeper::finish(std::size_t rows, const CostColumns& costs, const Workspace& workspace) const {
  if (costs.refusals != nullptr) std::fill_n(costs.refusals, rows, accepted);
  if (!workspace.refused) return;
  refuse_rows(costs, rows, [&](std::size_t row) { return workspace.refusals[row]; });
}

}  // namespace netledger
