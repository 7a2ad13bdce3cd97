// Plan: sweeps, candidates and reductions over the tables of a space.
#include "bindings/space_plan.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/code_arrays.h"
#include "bindings/convert.h"
#include "bindings/register.h"
#include "bindings/space_expectation.h"
#include "bindings/space_query.h"
#include "space/candidates.h"
#include "space/digits.h"
#include "space/packed.h"
#include "space/reductions.h"
#include "space/run.h"
#include "space/source.h"
#include "space/sweep.h"

namespace netledger::bindings {

namespace {

// What only spaces without free variables have: their configurations are rows of codes.
struct Coded {
  Digits digits;
  PackedSweeper packed;
  Candidates candidates;

  Coded(const Plan& plan, const Sweeper& sweeper)
      : digits(plan), packed(digits, sweeper), candidates(digits, sweeper) {}
};

class PyPlan {
 public:
  PyPlan(Plan plan, std::size_t layer_count, std::size_t expression_count)
      : layers(layer_count),
        expressions(expression_count),
        plan_(std::move(plan)),
        sweeper_(plan_) {
    for (const std::string& name : plan_.metrics) names_.append(py::str(name));
    for (const std::string& name : plan_.real_metrics) names_.append(py::str(name));
  }

  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  [[nodiscard]] const Sweeper& sweeper() const noexcept { return sweeper_; }
  [[nodiscard]] const py::list& names() const noexcept { return names_; }
  // Made when it is first asked for.
  [[nodiscard]] const Coded& coded() {
    const std::scoped_lock lock(mutex_);
    if (coded_ == nullptr) coded_ = std::make_unique<Coded>(plan_, sweeper_);
    return *coded_;
  }
  [[nodiscard]] CodeWidth width() const {
    return sweeper_.ranges().largest_code() < 256 ? CodeWidth::byte : CodeWidth::word;
  }
  [[nodiscard]] py::object cost(py::handle row);

  [[nodiscard]] const Expectation& expectation(MetricId metric) { return expectations_.of(metric); }

  const std::size_t layers;
  const std::size_t expressions;

 private:
  void read_row(py::handle row);

  Plan plan_;
  Sweeper sweeper_;
  Expectations expectations_{plan_};
  py::list names_;
  std::mutex mutex_;
  std::unique_ptr<Coded> coded_;
  // Of `cost`, which is asked again and again.
  Sweeper::WorkspacePointer workspace_;
  std::vector<std::uint16_t> row_;
};

// -- one configuration
// -----------------------------------------------------------------------------

void PyPlan::read_row(py::handle row) {
  row_.clear();
  const auto refuse = [](py::handle value) {
    throw SpaceError("a code is an integer from 0 to 65535, got " + quoted(value));
  };
  if (PyBytes_Check(row.ptr()) != 0) {
    for (const char code : row.cast<std::string_view>()) {
      row_.push_back(static_cast<unsigned char>(code));
    }
    return;
  }
  if (py::isinstance<py::array>(row)) {
    const auto array = py::reinterpret_borrow<py::array>(row);
    if (array.ndim() == 1 && array.dtype().kind() == 'u' && array.itemsize() <= 2) {
      const auto* data = static_cast<const std::byte*>(array.data());
      for (py::ssize_t index = 0; index < array.shape(0); ++index) {
        const std::byte* code = data + index * array.strides(0);
        std::uint16_t value = 0;
        if (array.itemsize() == 1) {
          value = std::to_integer<std::uint16_t>(*code);
        } else {
          std::memcpy(&value, code, sizeof value);
        }
        row_.push_back(value);
      }
      return;
    }
  }
  const auto entries = py::reinterpret_steal<py::object>(
      PySequence_Fast(row.ptr(), "a configuration is a row of codes"));
  if (!entries) throw py::error_already_set();
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(entries.ptr());
  const IntegerReader reader;
  for (Py_ssize_t index = 0; index < count; ++index) {
    const py::handle entry = PySequence_Fast_GET_ITEM(entries.ptr(), index);
    const std::optional<Quantity> code = reader.read(entry);
    if (!code || code->constant() < 0 ||
        code->constant() > std::numeric_limits<std::uint16_t>::max()) {
      refuse(entry);
    }
    row_.push_back(static_cast<std::uint16_t>(code->constant()));
  }
}

py::object PyPlan::cost(py::handle row) {
  const std::scoped_lock lock(mutex_);
  read_row(row);
  const CodeView view{.data = row_.data(),
                      .rows = 1,
                      .columns = row_.size(),
                      .row_stride = 0,
                      .column_stride = sizeof(std::uint16_t),
                      .width = CodeWidth::word};
  sweeper_.check(view);
  if (workspace_ == nullptr) workspace_ = sweeper_.workspace();
  constexpr std::size_t most = 64;
  if (names_.size() > most) throw SpaceError("a configuration is asked for at most 64 metrics");
  std::array<std::int64_t, most> counts{};
  std::array<double, most> reals{};
  Refusal refusal = accepted;
  CostColumns costs;
  for (std::size_t index = 0; index < plan_.metrics.size(); ++index) {
    costs.metrics.push_back(&counts[index]);
  }
  for (std::size_t index = 0; index < plan_.real_metrics.size(); ++index) {
    costs.reals.push_back(&reals[index]);
  }
  costs.refusals = &refusal;
  sweeper_.sweep(view, 0, 1, costs, *workspace_);
  if (refusal != accepted) return py::none();
  py::dict result;
  for (std::size_t index = 0; index < names_.size(); ++index) {
    const bool is_real = index >= plan_.metrics.size();
    const py::object value = is_real ? py::object(py::float_(reals[index - plan_.metrics.size()]))
                                     : py::object(py::int_(counts[index]));
    result[names_[index]] = value;
  }
  return result;
}

// -- runs
// ------------------------------------------------------------------------------------------

// Without the interpreter's lock; asks now and then whether the user wants it to end.
RunOptions run_options(unsigned threads, const py::object& progress) {
  return {.threads = threads, .wait = [&progress](std::uint64_t done) {
            const py::gil_scoped_acquire acquire;
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            if (!progress.is_none()) progress(done);
          }};
}

template <class Work>
auto run(unsigned threads, const py::object& progress, std::uint64_t rows, Work&& work) {
  const RunOptions options = run_options(threads, progress);
  const auto result = [&] {
    const py::gil_scoped_release release;
    return work(options);
  }();
  if (!progress.is_none()) progress(rows);
  return result;
}

// What takes no time worth interrupting.
template <class Work>
void released(const Work& work) {
  const py::gil_scoped_release release;
  work();
}

// A source with the objects that it reads from.
struct PySource {
  std::unique_ptr<Source> source;
  py::object plan;
  py::object data;
};

PyPlan& plan_of(const py::object& self) { return *self.cast<PyPlan*>(); }

py::tuple columns(PyPlan& self, const Source& source, unsigned threads, const py::object& progress,
                  bool may_refuse = true) {
  const auto rows = static_cast<py::ssize_t>(source.rows());
  py::dict result;
  CostColumns costs;
  for (const std::string& name : self.plan().metrics) {
    py::array_t<std::int64_t> column(rows);
    costs.metrics.push_back(column.mutable_data());
    result[py::str(name)] = std::move(column);
  }
  for (const std::string& name : self.plan().real_metrics) {
    py::array_t<double> column(rows);
    costs.reals.push_back(column.mutable_data());
    result[py::str(name)] = std::move(column);
  }
  // Where nothing is refused, zeros that nobody writes take no time.
  py::array_t<Refusal> refusals =
      may_refuse ? py::array_t<Refusal>(rows)
                 : py::array_t<Refusal>(py::module_::import("numpy").attr("zeros")(rows, "uint32"));
  if (may_refuse) costs.refusals = refusals.mutable_data();
  run(threads, progress, source.rows(),
      [&](const RunOptions& options) { return netledger::columns(source, costs, options); });
  return py::make_tuple(result, refusals);
}

py::tuple sweep(PyPlan& self, const py::array& codes, unsigned threads,
                const py::object& progress) {
  return columns(self, *codes_source(self.sweeper(), code_view(codes)), threads, progress,
                 self.sweeper().may_refuse());
}

py::tuple sweep_packed(PyPlan& self, const py::array& packed, unsigned threads,
                       const py::object& progress) {
  const CodeView view = packed_view(packed);
  return columns(self, *packed_source(self.coded().packed, view), threads, progress);
}

py::tuple sweep_values(PyPlan& self, const py::dict& given, unsigned threads,
                       const py::object& progress) {
  ValueColumns values;
  std::vector<py::array> kept;
  for (const PlanVariable& variable : self.plan().variables) {
    const py::object column = given[py::str(variable.name)];
    kept.push_back(py::array_t<std::int64_t, py::array::forcecast>(column));
    if (kept.back().ndim() != 1 || kept.back().shape(0) != kept.front().shape(0)) {
      throw SpaceError("column '" + variable.name + "' is not as long as the others");
    }
    values.rows = static_cast<std::size_t>(kept.back().shape(0));
    values.data.push_back(static_cast<const std::int64_t*>(kept.back().data()));
    values.strides.push_back(kept.back().strides(0));
  }
  return columns(self, *values_source(self.sweeper(), std::move(values)), threads, progress);
}

// -- reductions
// ------------------------------------------------------------------------------------

MetricId metric_of(const Plan& plan, const std::string& name) {
  const auto find = [&name](const std::vector<std::string>& names) {
    return static_cast<std::uint32_t>(std::ranges::find(names, name) - names.begin());
  };
  const std::uint32_t integer = find(plan.metrics);
  if (integer < plan.metrics.size()) return {.index = integer, .real = false};
  const std::uint32_t real = find(plan.real_metrics);
  if (real < plan.real_metrics.size()) return {.index = real, .real = true};
  throw SpaceError("the plan has no metric '" + name + "'");
}

// An integer beyond 64 bits is as good as the nearest within: no cost passes it.
MetricValue value_of(MetricId metric, py::handle value) {
  if (metric.real) return {.integer = 0, .real = value.cast<double>()};
  int overflow = 0;
  const py::int_ integer = py::reinterpret_borrow<py::object>(value);
  const long long result = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  if (overflow == 0) return {.integer = result, .real = 0};
  using Limits = std::numeric_limits<std::int64_t>;
  return {.integer = overflow > 0 ? Limits::max() : Limits::min(), .real = 0};
}

py::object python_value(MetricId metric, const MetricValue& value) {
  return metric.real ? py::object(py::float_(value.real)) : py::object(py::int_(value.integer));
}

std::vector<Budget> budgets_of(const Plan& plan, const py::sequence& given) {
  std::vector<Budget> budgets;
  for (const py::object item : given) {
    const auto limits = py::reinterpret_borrow<py::sequence>(item);
    Budget budget{.metric = metric_of(plan, limits[0].cast<std::string>()),
                  .low = std::nullopt,
                  .high = std::nullopt};
    if (!limits[1].is_none()) budget.low = value_of(budget.metric, limits[1]);
    if (!limits[2].is_none()) budget.high = value_of(budget.metric, limits[2]);
    budgets.push_back(budget);
  }
  return budgets;
}

py::array python_column(MetricId metric, const std::vector<MetricValue>& values) {
  const auto fill = [&](auto array, auto member) -> py::array {
    auto* data = array.mutable_data();
    for (const MetricValue& value : values) *data++ = value.*member;
    return array;
  };
  const auto count = static_cast<py::ssize_t>(values.size());
  if (metric.real) return fill(py::array_t<double>(count), &MetricValue::real);
  return fill(py::array_t<std::int64_t>(count), &MetricValue::integer);
}

py::array_t<std::int64_t> python_positions(const std::vector<std::uint64_t>& positions) {
  py::array_t<std::int64_t> array(static_cast<py::ssize_t>(positions.size()));
  std::ranges::transform(positions, array.mutable_data(), [](std::uint64_t position) {
    return static_cast<std::int64_t>(position);
  });
  return array;
}

py::tuple histogram(PyPlan& self, const PySource& source, const std::string& metric,
                    const py::sequence& edges, const py::sequence& budgets, unsigned threads,
                    const py::object& progress) {
  const MetricId id = metric_of(self.plan(), metric);
  std::vector<MetricValue> limits;
  for (const py::object edge : edges) limits.push_back(value_of(id, edge));
  const std::vector<Budget> asked = budgets_of(self.plan(), budgets);
  const auto found = run(threads, progress, source.source->rows(), [&](const RunOptions& options) {
    return netledger::histogram(*source.source, id, limits, asked, options);
  });
  const Histogram& result = found.value();
  return py::make_tuple(python_positions(result.counts), result.below, result.above,
                        result.refused);
}

py::tuple top_k(PyPlan& self, const PySource& source, const std::string& metric, std::size_t k,
                bool largest, const py::sequence& budgets, unsigned threads,
                const py::object& progress) {
  const MetricId id = metric_of(self.plan(), metric);
  const std::vector<Budget> asked = budgets_of(self.plan(), budgets);
  const auto found = run(threads, progress, source.source->rows(), [&](const RunOptions& options) {
    return netledger::top_k(*source.source, id, k, largest, asked, options);
  });
  std::vector<std::uint64_t> positions;
  std::vector<MetricValue> values;
  for (const Ranked& ranked : found.value()) {
    positions.push_back(ranked.position);
    values.push_back(ranked.value);
  }
  return py::make_tuple(python_positions(positions), python_column(id, values));
}

py::tuple pareto(PyPlan& self, const PySource& source, const std::vector<std::string>& metrics,
                 const std::vector<bool>& maximise, const py::sequence& budgets, unsigned threads,
                 const py::object& progress) {
  std::vector<Objective> objectives;
  for (std::size_t index = 0; index < metrics.size(); ++index) {
    objectives.push_back({metric_of(self.plan(), metrics[index]), maximise.at(index)});
  }
  const std::vector<Budget> asked = budgets_of(self.plan(), budgets);
  const auto found = run(threads, progress, source.source->rows(), [&](const RunOptions& options) {
    return netledger::pareto(*source.source, objectives, asked, options);
  });
  const Selected& result = found.value();
  py::dict values;
  for (std::size_t index = 0; index < metrics.size(); ++index) {
    values[py::str(metrics[index])] = python_column(objectives[index].metric, result.values[index]);
  }
  return py::make_tuple(python_positions(result.positions), values);
}

py::array filter(PyPlan& self, const PySource& source, const py::sequence& budgets,
                 std::optional<std::uint64_t> limit, unsigned threads, const py::object& progress) {
  const std::vector<Budget> asked = budgets_of(self.plan(), budgets);
  const auto found = run(threads, progress, source.source->rows(), [&](const RunOptions& options) {
    return netledger::filter(*source.source, asked, limit, options);
  });
  return python_positions(found.value().positions);
}

py::dict extremes(PyPlan& self, const PySource& source, const std::vector<std::string>& metrics,
                  const py::sequence& budgets, unsigned threads, const py::object& progress) {
  std::vector<MetricId> ids;
  for (const std::string& metric : metrics) ids.push_back(metric_of(self.plan(), metric));
  const std::vector<Budget> asked = budgets_of(self.plan(), budgets);
  const auto found = run(threads, progress, source.source->rows(), [&](const RunOptions& options) {
    return netledger::extremes(*source.source, ids, asked, options);
  });
  py::dict result;
  if (found.value().count == 0) return result;
  for (std::size_t index = 0; index < ids.size(); ++index) {
    const Extremes::OfMetric& of = found->metrics[index];
    result[py::str(metrics[index])] =
        py::make_tuple(python_value(ids[index], of.minimum.value), of.minimum.position,
                       python_value(ids[index], of.maximum.value), of.maximum.position);
  }
  return result;
}

// -- candidates
// ------------------------------------------------------------------------------------

Law law_of(std::string_view name) {
  if (name == "genes") return Law::genes;
  if (name == "architectures") return Law::architectures;
  throw SpaceError("law is 'genes' or 'architectures', got '" + std::string(name) + "'");
}

// Any integer, as a 64-bit one.
std::uint64_t seed_of(const py::int_& seed) {
  const unsigned long long value = PyLong_AsUnsignedLongLongMask(seed.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return value;
}

std::vector<std::uint16_t> start_of(const py::sequence& digits) {
  std::vector<std::uint16_t> start;
  for (const py::object digit : digits) start.push_back(digit.cast<std::uint16_t>());
  return start;
}

NewCodes codes_like(PyPlan& self, std::size_t rows) {
  return new_codes(rows, self.plan().variables.size(), self.width());
}

// Does work on rows without the interpreter's lock, part by part, so that it can be interrupted; on
// all processors where there is much of it. Every row has random numbers of its own.
template <class Work>
void in_parts(std::uint64_t rows, const Work& work) {
  constexpr std::uint64_t part = 1U << 16U;
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  run(threads, py::none(), rows, [&](const RunOptions& options) {
    return run_chunks(rows, part, options, [&work](unsigned /*thread*/) -> ChunkWorker {
      return [&work](std::uint64_t first, std::uint64_t count) {
        work(first, count);
        return true;
      };
    });
  });
}

// Some rows of a matrix.
CodeView rows_of(const CodeView& codes, std::uint64_t first, std::uint64_t count) {
  CodeView part = codes;
  part.data = codes.at(first, 0);
  part.rows = count;
  return part;
}

py::array random(PyPlan& self, std::size_t n, const py::int_& seed, std::string_view law,
                 std::uint64_t start) {
  const Law chosen = law_of(law);
  const std::uint64_t key = seed_of(seed);
  const Candidates& candidates = self.coded().candidates;
  NewCodes made = codes_like(self, n);
  in_parts(n, [&](std::uint64_t first, std::uint64_t count) {
    candidates.random(chosen, key, start + first, made.output.from(first, count));
  });
  return made.array;
}

py::array mutate(PyPlan& self, const py::array& codes, const py::int_& seed,
                 const py::sequence& tables) {
  std::vector<MaskTable> masks;
  for (const py::object item : tables) {
    const auto table = py::reinterpret_borrow<py::sequence>(item);
    MaskTable& mask = masks.emplace_back();
    mask.thresholds = table[0].cast<std::vector<std::uint64_t>>();
    mask.aliases = table[1].cast<std::vector<std::uint8_t>>();
  }
  const CodeView view = code_view(codes);
  const std::uint64_t key = seed_of(seed);
  const Candidates& candidates = self.coded().candidates;
  NewCodes made = codes_like(self, view.rows);
  in_parts(view.rows, [&](std::uint64_t first, std::uint64_t count) {
    candidates.mutate(rows_of(view, first, count), masks, key, first,
                      made.output.from(first, count));
  });
  return made.array;
}

py::array crossover(PyPlan& self, const py::array& a, const py::array& b, const py::int_& seed) {
  const CodeView first = code_view(a);
  const CodeView second = code_view(b);
  if (first.rows != second.rows) {
    throw SpaceError("parents come in pairs, got " + std::to_string(first.rows) + " rows and " +
                     std::to_string(second.rows) + " rows");
  }
  const std::uint64_t key = seed_of(seed);
  const Candidates& candidates = self.coded().candidates;
  NewCodes made = codes_like(self, first.rows);
  in_parts(first.rows, [&](std::uint64_t begin, std::uint64_t count) {
    candidates.crossover(rows_of(first, begin, count), rows_of(second, begin, count), key, begin,
                         made.output.from(begin, count));
  });
  return made.array;
}

py::array canonical(PyPlan& self, const py::array& codes) {
  const CodeView view = code_view(codes);
  const Candidates& candidates = self.coded().candidates;
  NewCodes made = codes_like(self, view.rows);
  released([&] { candidates.canonical(view, made.output); });
  return made.array;
}

py::array hash(PyPlan& self, const py::array& codes) {
  const CodeView view = code_view(codes);
  const Candidates& candidates = self.coded().candidates;
  py::array_t<std::uint64_t> hashes(static_cast<py::ssize_t>(view.rows));
  std::uint64_t* data = hashes.mutable_data();
  released([&] { candidates.hash(view, data); });
  return hashes;
}

py::array unique(PyPlan& self, const py::array& codes) {
  const CodeView view = code_view(codes);
  const Candidates& candidates = self.coded().candidates;
  std::vector<std::uint64_t> rows;
  released([&] { rows = candidates.unique(view); });
  return python_positions(rows);
}

py::array pack(PyPlan& self, const py::array& codes) {
  const CodeView view = code_view(codes);
  const Digits& digits = self.coded().digits;
  NewCodes made = new_codes(view.rows, digits.digits().size(), CodeWidth::word);
  auto* packed = static_cast<std::uint16_t*>(made.output.data);
  released([&] { digits.pack(view, 0, view.rows, packed); });
  return made.array;
}

py::array unpack(PyPlan& self, const py::array& packed) {
  const CodeView view = packed_view(packed);
  const Digits& digits = self.coded().digits;
  NewCodes made = codes_like(self, view.rows);
  released([&] { digits.unpack(view, 0, view.rows, made.output); });
  return made.array;
}

py::array enumerate(PyPlan& self, const py::sequence& start, std::uint64_t count) {
  const std::vector<std::uint16_t> digits = start_of(start);
  NewCodes made = codes_like(self, count);
  const Coded& coded = self.coded();
  released([&] { coded.digits.enumerate(digits, count, made.output); });
  return made.array;
}

py::list digits(PyPlan& self) {
  py::list result;
  for (const Digit& digit : self.coded().digits.digits()) {
    result.append(py::make_tuple(py::tuple(py::cast(digit.variables)), digit.size));
  }
  return result;
}

py::list groups(PyPlan& self) {
  py::list result;
  for (const auto& group : self.coded().candidates.groups()) {
    result.append(py::tuple(py::cast(group)));
  }
  return result;
}

// -- what became of the space
// ------------------------------------------------------------------------

py::dict explain(PyPlan& self) {
  const Plan& plan = self.plan();
  py::list factors;
  for (const Factor& factor : plan.factors) {
    factors.append(py::make_tuple(py::tuple(py::cast(factor.variables)), factor.entries));
  }
  py::list tables;
  for (const CostTable& table : self.sweeper().tables().tables()) {
    tables.append(py::make_tuple(py::tuple(py::cast(table.variables)), table.entries));
  }
  py::dict bounds;
  for (std::size_t metric = 0; metric < plan.metrics.size(); ++metric) {
    bounds[py::str(plan.metrics[metric])] =
        py::make_tuple(plan.bounds[metric].first, plan.bounds[metric].second);
  }
  py::dict result;
  result["implementation"] = "core";
  result["variables"] = plan.variables.size();
  result["layers"] = self.layers;
  result["expressions"] = self.expressions;
  result["metrics"] = self.names();
  result["factors"] = factors;
  result["tables"] = tables;
  result["table_bytes"] = self.sweeper().tables().bytes();
  result["words_per_entry"] = self.sweeper().tables().words_per_entry();
  result["bounds"] = bounds;
  result["lane_instructions"] = plan.lanes == nullptr ? 0 : plan.lanes->program.instruction_count();
  result["lane_variables"] =
      plan.lanes == nullptr ? py::tuple() : py::tuple(py::cast(plan.lanes->program.variables()));
  result["lanes_proven"] = plan.lanes == nullptr || plan.lanes->program.proven();
  return result;
}

template <class... Extra>
void def_reduction(py::class_<PyPlan>& plan, const char* name, auto function, const char* text,
                   const Extra&... extra) {
  plan.def(name, function, py::arg("source"), extra..., py::arg("threads") = 1,
           py::arg("progress") = py::none(), text);
}

}  // namespace

py::object make_plan(Space& space, const std::vector<std::string>& metrics) {
  Plan plan = space.compile(metrics);
  return py::cast(std::make_unique<PyPlan>(std::move(plan), space.graph().node_count(),
                                           space.program().expressions().size()));
}

void register_plan(py::module_& module) {
  py::class_<PySource>(module, "Source", "Configurations, one after the other.")
      .def("__len__", [](const PySource& self) { return self.source->rows(); });
  py::class_<PyPlan> plan(module, "Plan", "A space made ready to count some metrics.");
  plan.def_property_readonly("metrics", [](const PyPlan& self) { return self.plan().metrics; })
      .def_property_readonly("real_metrics",
                             [](const PyPlan& self) { return self.plan().real_metrics; })
      .def_property_readonly(
          "code_dtype",
          [](const PyPlan& self) {
            return self.width() == CodeWidth::byte ? py::dtype::of<std::uint8_t>()
                                                   : py::dtype::of<std::uint16_t>();
          },
          "The smallest type that holds every code.")
      .def("sweep", &sweep, py::arg("codes"), py::arg("threads") = 1,
           py::arg("progress") = py::none(),
           "Costs of many configurations: a column for every metric, and the refusals.")
      .def("sweep_packed", &sweep_packed, py::arg("packed"), py::arg("threads") = 1,
           py::arg("progress") = py::none(), "The same of packed codes.")
      .def("sweep_values", &sweep_values, py::arg("columns"), py::arg("threads") = 1,
           py::arg("progress") = py::none(),
           "The same of columns: codes of choices, values of free sizes, by name.")
      .def("cost", &PyPlan::cost, py::arg("codes"),
           "Costs of one configuration, None if it is refused.")
      .def_property_readonly("digits", &digits, "Variables and size of every digit.")
      .def_property_readonly(
          "exact_digits",
          [](PyPlan& self) {
            const Digits& made = self.coded().digits;
            return made.whole() && !made.may_refuse();
          },
          "Whether the digits spell every accepted network exactly once, and nothing else.")
      .def_property_readonly("groups", &groups, "The variables that `mutate` draws together.")
      .def("pack", &pack, py::arg("codes"), "Codes as one number for each digit.")
      .def("unpack", &unpack, py::arg("packed"), "Packed codes as codes.")
      .def("enumerate", &enumerate, py::arg("start"), py::arg("count"),
           "Codes of `count` positions from one on, which is given by its digits.")
      .def("random", &random, py::arg("n"), py::arg("seed"), py::arg("law"), py::arg("start") = 0,
           "Candidates `start` to `start + n` of a random sequence.")
      .def("mutate", &mutate, py::arg("codes"), py::arg("seed"), py::arg("tables"),
           "Codes of which some are drawn anew; `tables` pick which, for every group.")
      .def("crossover", &crossover, py::arg("a"), py::arg("b"), py::arg("seed"),
           "Codes that take every variable from one of two parents.")
      .def("canonical", &canonical, py::arg("codes"), "Codes with inactive variables at code 0.")
      .def("hash", &hash, py::arg("codes"), "A number for every network.")
      .def("unique", &unique, py::arg("codes"), "Where each network stands for the first time.")
      .def(
          "codes_source",
          [](const py::object& self, const py::array& codes) {
            return PySource{codes_source(plan_of(self).sweeper(), code_view(codes)), self, codes};
          },
          py::arg("codes"), "The configurations of a matrix of codes.")
      .def(
          "packed_source",
          [](const py::object& self, const py::array& packed) {
            const CodeView view = packed_view(packed);
            return PySource{packed_source(plan_of(self).coded().packed, view), self, packed};
          },
          py::arg("packed"), "The configurations of packed codes.")
      .def(
          "range_source",
          [](const py::object& self, const py::sequence& start, std::uint64_t count) {
            return PySource{range_source(plan_of(self).coded().packed, start_of(start), count),
                            self, py::none()};
          },
          py::arg("start"), py::arg("count"),
          "The configurations of positions one after the other.")
      .def(
          "random_source",
          [](const py::object& self, std::uint64_t n, const py::int_& seed, std::string_view law,
             std::uint64_t start) {
            PyPlan& of = plan_of(self);
            return PySource{random_source(of.coded().candidates, of.sweeper(), n, seed_of(seed),
                                          law_of(law), start),
                            self, py::none()};
          },
          py::arg("n"), py::arg("seed"), py::arg("law"), py::arg("start") = 0,
          "Random configurations, as `random` makes them.")
      .def(
          "columns",
          [](PyPlan& self, const PySource& source, unsigned threads, const py::object& progress) {
            return columns(self, *source.source, threads, progress);
          },
          py::arg("source"), py::arg("threads") = 1, py::arg("progress") = py::none(),
          "Costs of every configuration of a source.")
      .def(
          "expected",
          [](PyPlan& self, const std::string& metric, py::handle probabilities, bool gradient,
             unsigned threads, bool check) {
            const Expectation& of = self.expectation(metric_of(self.plan(), metric));
            return expected(of, probabilities, gradient, threads, check);
          },
          py::arg("metric"), py::arg("probabilities"), py::arg("gradient") = false,
          py::arg("threads") = 1, py::arg("check") = true,
          "Expected costs under independent choices, and their gradients.")
      .def(
          "query",
          [](const py::object& self, const std::vector<std::string>& metrics, std::string_view law,
             const py::sequence& restrictions, const py::sequence& constraints,
             std::size_t memory) {
            const PyPlan& of = plan_of(self);
            return make_query(of.plan(), self, metrics, law_of(law), restrictions, constraints,
                              memory, of.width());
          },
          py::arg("metrics"), py::arg("law"), py::arg("restrictions") = py::tuple(),
          py::arg("constraints") = py::tuple(), py::arg("memory") = std::size_t{1} << 31U,
          "A question about all configurations.")
      .def("explain", &explain, "What became of the space.");
  const auto budgets = py::arg("budgets") = py::tuple();
  def_reduction(plan, "histogram", &histogram,
                "How many configurations lie in each bin; below; at or above; refused.",
                py::arg("metric"), py::arg("edges"), budgets);
  def_reduction(plan, "top_k", &top_k, "Positions and values of the least (or greatest) k.",
                py::arg("metric"), py::arg("k"), py::arg("largest") = false, budgets);
  def_reduction(plan, "pareto", &pareto, "Positions and values of what nothing is better than.",
                py::arg("metrics"), py::arg("maximise"), budgets);
  def_reduction(plan, "filter", &filter,
                "Positions of the first `limit` configurations within the budgets.",
                py::arg("budgets"), py::arg("limit") = py::none());
  def_reduction(plan, "extremes", &extremes,
                "Of every metric least value, its position, greatest value, its position.",
                py::arg("metrics"), budgets);
}

}  // namespace netledger::bindings
