// Query: exact answers about whole spaces.
#include "bindings/space_query.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/code_arrays.h"
#include "bindings/register.h"
#include "query/query.h"
#include "space/error.h"

namespace netledger::bindings {

namespace {

// Costs stay within 2^60: limits beyond mean nothing else.
constexpr std::int64_t open_limit = std::int64_t{1} << 61U;
// Additions to tables that one thread makes in a second, roughly; for predictions.
constexpr double operations_per_second = 1e9;

class PyQuery {
 public:
  PyQuery(const Plan& plan, py::object owner, Question question, std::size_t memory,
          CodeWidth width)
      : owner_(std::move(owner)), query_(plan, std::move(question), memory), width_(width) {}

  [[nodiscard]] const Query& query() const noexcept { return query_; }
  [[nodiscard]] Query& query() noexcept { return query_; }
  [[nodiscard]] CodeWidth width() const noexcept { return width_; }

  // Without the interpreter's lock, one question at a time; asks now and then whether the user
  // wants it to end.
  template <class Work>
  auto run(unsigned threads, const py::object& progress, const Work& work) {
    const Effort effort{.threads = threads, .wait = [&progress](std::uint64_t done) {
                          const py::gil_scoped_acquire acquire;
                          if (PyErr_CheckSignals() != 0) throw py::error_already_set();
                          if (!progress.is_none()) progress(done);
                        }};
    auto result = [&] {
      const py::gil_scoped_release release;
      const std::scoped_lock lock(mutex_);
      return work(query_, effort);
    }();
    if (!progress.is_none()) progress(1000);
    return result;
  }

 private:
  py::object owner_;
  Query query_;
  CodeWidth width_;
  std::mutex mutex_;
};

// -- numbers
// -------------------------------------------------------------------------------------

py::object python_natural(const Natural& number) {
  const std::vector<std::uint64_t>& limbs = number.limbs();
  if (limbs.size() <= 1) return py::int_(limbs.empty() ? 0 : limbs.front());
  py::object result = py::int_(0);
  for (std::size_t place = limbs.size(); place-- > 0;) {
    result = (result << py::int_(64)) | py::int_(limbs[place]);
  }
  return result;
}

py::list python_naturals(const std::vector<Natural>& numbers) {
  py::list result;
  for (const Natural& number : numbers) result.append(python_natural(number));
  return result;
}

// A limit of a cost; None, or one beyond all costs, is open.
std::int64_t limit_of(py::handle value, std::int64_t open) {
  if (value.is_none()) return open;
  int overflow = 0;
  const long long limit = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0) return overflow > 0 ? open_limit : -open_limit;
  if (limit == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return std::clamp<std::int64_t>(limit, -open_limit, open_limit);
}

std::pair<std::int64_t, std::int64_t> limits_of(py::handle low, py::handle high) {
  return {limit_of(low, -open_limit), limit_of(high, open_limit)};
}

py::object python_optional(const std::optional<std::int64_t>& value) {
  return value ? py::object(py::int_(*value)) : py::object(py::none());
}

NewCodes codes_of(const PyQuery& self, std::size_t rows) {
  return new_codes(rows, self.query().problem().sizes().size(), self.width());
}

void set_row(const CodeOutput& output, std::size_t row, const std::vector<std::uint16_t>& codes) {
  for (std::size_t column = 0; column < codes.size(); ++column) {
    std::byte* const target = output.row(row);
    if (output.width == CodeWidth::byte) {
      target[column] = static_cast<std::byte>(codes[column]);
    } else {
      reinterpret_cast<std::uint16_t*>(target)[column] = codes[column];
    }
  }
}

py::object python_row(const PyQuery& self, const std::vector<std::uint16_t>& codes) {
  const NewCodes made = codes_of(self, 1);
  set_row(made.output, 0, codes);
  return made.array[py::int_(0)];
}

template <class Value>
py::array_t<Value> python_array(std::span<const Value> values, py::handle owner = {}) {
  const auto count = static_cast<py::ssize_t>(values.size());
  if (!owner) return py::array_t<Value>(count, values.data());
  return py::array_t<Value>(count, values.data(), owner);
}

py::capsule capsule_of(std::shared_ptr<const void> owner) {
  auto kept = std::make_unique<std::shared_ptr<const void>>(std::move(owner));
  py::capsule capsule(
      kept.get(), [](void* pointer) { delete static_cast<std::shared_ptr<const void>*>(pointer); });
  static_cast<void>(kept.release());
  return capsule;
}

// What is known of the counter, when no other thread is at work on it.
template <class Use>
auto counted(PyQuery& self, const Use& use) {
  return self.run(1, py::none(),
                  [&](Query& query, const Effort& /*effort*/) { return use(query.counter()); });
}

// -- questions
// -----------------------------------------------------------------------------------

py::object extreme(PyQuery& self, bool largest) {
  const auto found = self.run(1, py::none(), [&](const Query& query, const Effort& /*effort*/) {
    return query.extreme(largest);
  });
  if (!found) return py::none();
  return py::make_tuple(found->cost, python_row(self, found->codes));
}

py::object best(PyQuery& self, bool largest, py::handle low, py::handle high, unsigned threads,
                const py::object& progress) {
  const auto limits = limits_of(low, high);
  const auto found = self.run(threads, progress, [&](const Query& query, const Effort& effort) {
    return query.best(largest, limits.first, limits.second, effort);
  });
  if (!found) return py::none();
  return py::make_tuple(found->other, found->cost, python_row(self, found->codes));
}

py::list cumulative(PyQuery& self, const py::sequence& limits, unsigned threads,
                    const py::object& progress) {
  self.query().require_metrics(1);
  std::vector<std::int64_t> asked;
  for (const py::handle limit : limits) asked.push_back(limit_of(limit, open_limit));
  return python_naturals(self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter(
        [&](CostCounter& counts) { return counts.cumulative(asked, effort); });
  }));
}

py::tuple nearest(PyQuery& self, py::handle target, unsigned threads, const py::object& progress) {
  self.query().require_metrics(1);
  const std::int64_t wanted = limit_of(target, 0);
  const auto [below, above] = self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter([&](CostCounter& counts) { return counts.nearest(wanted, effort); });
  });
  return py::make_tuple(python_optional(below), python_optional(above));
}

py::object find(PyQuery& self, py::handle value, unsigned threads, const py::object& progress) {
  self.query().require_metrics(1);
  const std::int64_t wanted = limit_of(value, 0);
  std::vector<std::uint16_t> codes;
  const bool found = self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter(
        [&](CostCounter& counts) { return counts.find(wanted, codes, effort); });
  });
  return found ? python_row(self, codes) : py::object(py::none());
}

py::tuple distribution(PyQuery& self, unsigned threads, const py::object& progress) {
  self.query().require_metrics(1);
  const CostCounts found = self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter([&](CostCounter& counts) { return counts.distribution(effort); });
  });
  py::object counts;
  if (found.large_counts.empty()) {
    counts = python_array(found.counts, capsule_of(found.owner));
  } else {
    counts = py::module_::import("numpy").attr("array")(python_naturals(found.large_counts),
                                                        py::arg("dtype") = "object");
  }
  if (found.dense) return py::make_tuple(found.start, found.step, counts);
  return py::make_tuple(python_array(std::span<const std::int64_t>(found.values)), counts);
}

py::list bins(PyQuery& self, std::int64_t start, std::uint64_t width, std::size_t count,
              unsigned threads, const py::object& progress) {
  self.query().require_metrics(1);
  if (width == 0) throw SpaceError("bins are at least 1 wide");
  return python_naturals(self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter(
        [&](CostCounter& counts) { return counts.bins(start, width, count, effort); });
  }));
}

py::tuple moments(PyQuery& self) {
  const auto all = self.run(
      1, py::none(), [](const Query& query, const Effort& /*effort*/) { return query.moments(); });
  py::object count = py::int_(0);
  py::object sum = py::int_(0);
  py::object squares = py::int_(0);
  for (const Query::Sums& of : all) {
    const py::object base = py::int_(of.base);
    const py::object of_count = python_natural(of.count);
    const py::object of_sum = python_natural(of.sum);
    count = count + of_count;
    sum = sum + of_sum + base * of_count;
    squares =
        squares + python_natural(of.squares) + py::int_(2) * base * of_sum + base * base * of_count;
  }
  return py::make_tuple(count, sum, squares);
}

py::array sample(PyQuery& self, std::size_t n, const py::int_& seed, py::handle low,
                 py::handle high, unsigned threads, const py::object& progress) {
  const unsigned long long key = PyLong_AsUnsignedLongLongMask(seed.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  const auto limits = limits_of(low, high);
  NewCodes made = codes_of(self, n);
  const bool found = self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter([&](CostCounter& counts) {
      return counts.sample(key, limits.first, limits.second, made.output, effort);
    });
  });
  if (!found && n > 0) {
    throw SpaceError("no configuration lies within these limits");
  }
  return made.array;
}

py::list marginals(PyQuery& self, py::handle low, py::handle high, unsigned threads,
                   const py::object& progress) {
  const auto limits = limits_of(low, high);
  const auto all = self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.marginals(limits.first, limits.second, effort);
  });
  py::list result;
  for (const auto& counts : all) result.append(python_naturals(counts));
  return result;
}

py::object joint(PyQuery& self, py::handle low, py::handle high, py::handle other_low,
                 py::handle other_high, unsigned threads, const py::object& progress) {
  const auto limits = limits_of(low, high);
  const auto other = limits_of(other_low, other_high);
  return python_natural(self.run(
      threads, progress,
      [&](const Query& query, const Effort& /*effort*/) { return query.joint(limits, other); }));
}

py::tuple pareto(PyQuery& self, bool maximise, bool maximise_other, unsigned threads,
                 const py::object& progress) {
  const auto front = self.run(threads, progress, [&](const Query& query, const Effort& effort) {
    return query.pareto(maximise, maximise_other, effort);
  });
  const NewCodes made = codes_of(self, front.size());
  py::array_t<std::int64_t> costs(static_cast<py::ssize_t>(front.size()));
  py::array_t<std::int64_t> others(static_cast<py::ssize_t>(front.size()));
  for (std::size_t row = 0; row < front.size(); ++row) {
    costs.mutable_data()[row] = front[row].cost;
    others.mutable_data()[row] = front[row].other;
    set_row(made.output, row, front[row].codes);
  }
  return py::make_tuple(costs, others, made.array);
}

void prepare(PyQuery& self, unsigned threads, const py::object& progress) {
  self.query().require_metrics(1);
  self.run(threads, progress, [&](Query& query, const Effort& effort) {
    return query.with_counter([&](CostCounter& counts) {
      counts.prepare(effort);
      return true;
    });
  });
}

// -- tables
// --------------------------------------------------------------------------------------

std::string table_name(std::size_t slice, std::size_t table) {
  return "slice" + std::to_string(slice) + "_table" + std::to_string(table);
}

std::string order_name(std::size_t slice) { return "slice" + std::to_string(slice) + "_order"; }

py::dict tables(const py::object& self) {
  auto& query = self.cast<PyQuery&>().query();
  if (!query.counter().prepared()) throw SpaceError("the query is not prepared");
  py::dict result;
  const std::uint64_t limbs = query.counter().limbs();
  result["limbs"] = python_array(std::span<const std::uint64_t>(&limbs, 1));
  const auto all = query.counter().tables();
  for (std::size_t slice = 0; slice < all.size(); ++slice) {
    const std::vector<std::uint64_t> order(all[slice].order.begin(), all[slice].order.end());
    result[py::str(order_name(slice))] = python_array(std::span<const std::uint64_t>(order));
    for (std::size_t table = 0; table < all[slice].tables.size(); ++table) {
      const StoredTable& stored = all[slice].tables[table];
      const std::string name = table_name(slice, table);
      const bool sparse = stored.owner != nullptr;
      const py::object owner = sparse ? py::object(capsule_of(stored.owner)) : self;
      result[py::str(name + "_counts")] = python_array(stored.words, owner);
      if (sparse) {
        result[py::str(name + "_costs")] = python_array(stored.costs, owner);
      } else {
        const std::array<std::int64_t, 2> lattice{stored.first,
                                                  static_cast<std::int64_t>(stored.step)};
        result[py::str(name + "_lattice")] = python_array(std::span<const std::int64_t>(lattice));
      }
    }
  }
  return result;
}

void restore(PyQuery& self, const py::dict& given) {
  self.query().require_metrics(1);
  using Words = py::array_t<std::uint64_t, py::array::c_style>;
  using Costs = py::array_t<std::int64_t, py::array::c_style>;
  std::vector<py::object> kept;
  const auto words_of = [&kept](const py::object& array) {
    const auto words = Words::ensure(array);
    if (!words || words.ndim() != 1) throw SpaceError("a table is a column of 64-bit words");
    kept.push_back(words);
    return std::span<const std::uint64_t>(words.data(), static_cast<std::size_t>(words.size()));
  };
  const auto costs_of = [&kept](const py::object& array) {
    const auto costs = Costs::ensure(array);
    if (!costs || costs.ndim() != 1) throw SpaceError("costs are a column of 64-bit integers");
    kept.push_back(costs);
    return std::span<const std::int64_t>(costs.data(), static_cast<std::size_t>(costs.size()));
  };
  if (self.query().counter().prepared()) throw SpaceError("the query has its tables already");
  if (!given.contains("limbs")) throw SpaceError("the tables do not say how wide they are");
  const auto limbs = words_of(given["limbs"]);
  if (limbs.size() != 1) throw SpaceError("the tables do not say how wide they are");
  std::vector<StoredSlice> all(self.query().slices().slices.size());
  for (std::size_t slice = 0; slice < all.size(); ++slice) {
    const py::str order(order_name(slice));
    if (!given.contains(order)) throw SpaceError("the tables of a slice are missing");
    const auto numbers = words_of(given[order]);
    all[slice].order.assign(numbers.begin(), numbers.end());
    for (std::size_t table = 0;; ++table) {
      const std::string name = table_name(slice, table);
      const py::str counts(name + "_counts");
      if (!given.contains(counts)) break;
      StoredTable& stored = all[slice].tables.emplace_back();
      stored.words = words_of(given[counts]);
      const py::str lattice(name + "_lattice");
      if (given.contains(lattice)) {
        const auto numbers = costs_of(given[lattice]);
        if (numbers.size() != 2 || numbers[1] <= 0) throw SpaceError("a table has no such step");
        stored.first = numbers[0];
        stored.step = static_cast<std::uint64_t>(numbers[1]);
      } else if (given.contains(py::str(name + "_costs"))) {
        stored.costs = costs_of(given[py::str(name + "_costs")]);
      }
    }
  }
  self.run(1, py::none(), [&](Query& query, const Effort& /*effort*/) {
    query.restore(static_cast<std::size_t>(limbs[0]), all);
    return true;
  });
}

// -- what becomes of the question
// ----------------------------------------------------------------

void add_prediction(py::dict& result, const std::string& name, const Predicted& predicted) {
  result[py::str(name + "_bytes")] = py::int_(static_cast<std::uint64_t>(predicted.bytes));
  result[py::str(name + "_operations")] =
      py::int_(static_cast<std::uint64_t>(predicted.operations));
  result[py::str(name + "_seconds")] = predicted.operations / operations_per_second;
}

// The variables of every component, and how many values its cost takes, where that is known.
py::list python_components(const Slices& slices, const std::vector<std::uint64_t>& values) {
  py::list components;
  for (std::size_t part = 0; part < slices.tree.roots.size(); ++part) {
    std::vector<VariableIndex> variables;
    for (const std::size_t bucket : buckets_below(slices.tree, slices.tree.roots[part])) {
      variables.push_back(slices.tree.buckets[bucket].variable);
    }
    std::ranges::sort(variables);
    const py::object known =
        part < values.size() ? py::object(py::int_(values[part])) : py::object(py::none());
    components.append(py::make_tuple(py::tuple(py::cast(variables)), known));
  }
  return components;
}

py::dict explain(PyQuery& self) {
  Query& query = self.query();
  const Slices& slices = query.slices();
  py::list order;
  for (const Bucket& bucket : slices.tree.buckets) order.append(bucket.variable);
  py::dict result;
  result["implementation"] = "core";
  result["order"] = order;
  result["given"] = py::tuple(py::cast(slices.given));
  result["slices"] = slices.slices.size();
  result["largest_message"] = slices.tree.largest_entries();
  if (query.problem().names().empty()) {
    result["components"] = python_components(slices, {});
    return result;
  }
  CostCounter& counts = query.counter();
  const Reach reach = counts.reach();
  result["components"] = python_components(slices, reach.part_values);
  result["step"] = reach.step;
  result["bins"] = reach.places;
  add_prediction(result, "count", counts.predict_count());
  add_prediction(result, "distribution", counts.predict_distribution());
  add_prediction(result, "prepare", counts.predict_prepare());
  return result;
}

Question question_of(const Plan& plan, const std::vector<std::string>& metrics, Law law,
                     const py::sequence& restrictions, const py::sequence& constraints) {
  Question question;
  question.law = law;
  for (const std::string& name : metrics) {
    const auto known = std::ranges::find(plan.metrics, name);
    if (known == plan.metrics.end()) {
      throw SpaceError("the plan has no integer metric '" + name + "'");
    }
    question.metrics.push_back(static_cast<std::uint32_t>(known - plan.metrics.begin()));
  }
  if (metrics.size() > 2) throw SpaceError("a question has at most two metrics");
  for (const py::handle item : restrictions) {
    const auto given = py::reinterpret_borrow<py::sequence>(item);
    Restriction& restriction = question.restrictions.emplace_back();
    restriction.variable = given[0].cast<VariableIndex>();
    restriction.codes = given[1].cast<std::vector<std::uint32_t>>();
    restriction.inactive = given[2].cast<bool>();
  }
  for (const py::handle item : constraints) {
    const auto given = py::reinterpret_borrow<py::sequence>(item);
    Constraint& constraint = question.constraints.emplace_back();
    constraint.variables = given[0].cast<std::vector<VariableIndex>>();
    for (const char flag : given[1].cast<std::string>()) {
      constraint.allowed.push_back(flag != 0 ? 1 : 0);
    }
  }
  return question;
}

}  // namespace

py::object make_query(const Plan& plan, py::object owner, const std::vector<std::string>& metrics,
                      Law law, const py::sequence& restrictions, const py::sequence& constraints,
                      std::size_t memory, CodeWidth width) {
  Question question = question_of(plan, metrics, law, restrictions, constraints);
  return py::cast(
      std::make_unique<PyQuery>(plan, std::move(owner), std::move(question), memory, width));
}

void register_query(py::module_& module) {
  const auto threads = py::arg("threads") = 1;
  const auto progress = py::arg("progress") = py::none();
  py::class_<PyQuery>(module, "Query", "Exact answers about all configurations of a space.")
      .def_property_readonly(
          "size", [](const PyQuery& self) { return python_natural(self.query().size()); },
          "How many configurations there are.")
      .def_property_readonly(
          "fingerprint", [](const PyQuery& self) { return self.query().fingerprint(); },
          "A number that is equal for equal questions.")
      .def_property_readonly(
          "prepared",
          [](PyQuery& self) {
            return counted(self, [](CostCounter& counts) { return counts.prepared(); });
          },
          "Whether the tables are made that answer at once.")
      .def_property_readonly(
          "answers_at_once",
          [](PyQuery& self) {
            return counted(self, [](CostCounter& counts) { return counts.answers_at_once(); });
          },
          "Whether counts are looked up: after `prepare`, `distribution`, or a second count.")
      .def_property_readonly(
          "bytes",
          [](PyQuery& self) {
            return counted(self, [](CostCounter& counts) { return counts.bytes(); });
          },
          "The memory of tables that are kept.")
      .def("extreme", &extreme, py::arg("largest"),
           "The least or greatest cost and codes that have it, or None.")
      .def("best", &best, py::arg("largest"), py::arg("low"), py::arg("high"), threads, progress,
           "The least or greatest other cost within limits of the first: it, the cost, codes; or "
           "None.")
      .def("cumulative", &cumulative, py::arg("limits"), threads, progress,
           "How many cost at most so much, for each limit.")
      .def("nearest", &nearest, py::arg("target"), threads, progress,
           "The greatest cost that is at most the target, and the least that is at least; or None.")
      .def("find", &find, py::arg("value"), threads, progress,
           "Codes of exactly this cost, or None.")
      .def("distribution", &distribution, threads, progress,
           "Costs and how many have each; or where costs start, their step, and how many.")
      .def("bins", &bins, py::arg("start"), py::arg("width"), py::arg("count"), threads, progress,
           "How many lie in each bin.")
      .def("moments", &moments, "Number, sum and sum of squares of all costs.")
      .def("sample", &sample, py::arg("n"), py::arg("seed"), py::arg("low"), py::arg("high"),
           threads, progress, "Codes drawn uniformly from those whose cost lies within limits.")
      .def("marginals", &marginals, py::arg("low"), py::arg("high"), threads, progress,
           "Of every variable how often each code is active within limits, and how often none is.")
      .def("joint", &joint, py::arg("low"), py::arg("high"), py::arg("other_low"),
           py::arg("other_high"), threads, progress, "How many lie within both limits.")
      .def("pareto", &pareto, py::arg("maximise"), py::arg("maximise_other"), threads, progress,
           "Both costs and the codes of the exact front.")
      .def("prepare", &prepare, threads, progress, "Makes the tables that answer at once.")
      .def("tables", &tables, "What `prepare` made.")
      .def("restore", &restore, py::arg("tables"), "Takes what `tables` gave.")
      .def("explain", &explain, "How the question is answered, and what that needs.");
}

}  // namespace netledger::bindings
