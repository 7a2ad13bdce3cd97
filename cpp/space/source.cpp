#include "space/source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "space/position_words.h"
#include "space/refused_rows.h"
#include "space/sum_words.h"

namespace netledger {

namespace {

constexpr std::uint64_t table_chunk = std::uint64_t{1} << 16U;
// Lanes take much longer than tables.
constexpr std::uint64_t lane_chunk = std::uint64_t{1} << 12U;

std::uint64_t chunk_of(const Plan& plan) {
  return plan.lanes == nullptr ? table_chunk : lane_chunk;
}

// Reads by writing into columns of its own.
class BufferedReader : public CostReader {
 public:
  BufferedReader(const Plan& plan, bool may_refuse)
      : totals_(plan.metrics.size() * buffer_rows),
        reals_(plan.real_metrics.size() * buffer_rows),
        refusals_(buffer_rows) {
    for (std::size_t metric = 0; metric < plan.metrics.size(); ++metric) {
      columns_.metrics.push_back(totals_.data() + metric * buffer_rows);
    }
    for (std::size_t metric = 0; metric < plan.real_metrics.size(); ++metric) {
      columns_.reals.push_back(reals_.data() + metric * buffer_rows);
    }
    if (may_refuse) columns_.refusals = refusals_.data();
    costs_.metrics.assign(columns_.metrics.begin(), columns_.metrics.end());
    costs_.reals.assign(columns_.reals.begin(), columns_.reals.end());
  }

  void read(std::uint64_t first, std::size_t rows,
            const std::function<void(const CostBlock&)>& use) override {
    for (std::size_t done = 0; done < rows; done += buffer_rows) {
      const std::size_t count = std::min(buffer_rows, rows - done);
      write(first + done, count, columns_);
      costs_.first = first + done;
      costs_.rows = count;
      const bool refused = columns_.refusals != nullptr &&
                           std::any_of(refusals_.data(), refusals_.data() + count,
                                       [](Refusal refusal) { return refusal != accepted; });
      costs_.refusals = refused ? refusals_.data() : nullptr;
      use(costs_);
    }
  }

 private:
  // What is written is read again from the cache.
  static constexpr std::size_t buffer_rows = 1024;

  std::vector<std::int64_t> totals_;
  std::vector<double> reals_;
  std::vector<Refusal> refusals_;
  CostColumns columns_;
  CostBlock costs_;
};

template <class Rows>
class MatrixReader final : public BufferedReader {
 public:
  MatrixReader(const Sweeper& sweeper, const Rows& rows)
      : BufferedReader(sweeper.plan(), sweeper.may_refuse()),
        sweeper_(sweeper),
        rows_(rows),
        workspace_(sweeper.workspace()) {}

  void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) override {
    sweeper_.sweep(rows_, first, rows, costs, *workspace_);
  }

 private:
  const Sweeper& sweeper_;
  const Rows& rows_;
  Sweeper::WorkspacePointer workspace_;
};

// A matrix of codes, or columns of values.
template <class Rows>
class MatrixSource final : public Source {
 public:
  MatrixSource(const Sweeper& sweeper, Rows rows) : sweeper_(sweeper), rows_(std::move(rows)) {
    sweeper.check(rows_);
  }

  [[nodiscard]] const Plan& plan() const noexcept override { return sweeper_.plan(); }
  [[nodiscard]] std::uint64_t rows() const noexcept override { return rows_.rows; }
  [[nodiscard]] std::uint64_t chunk_rows() const noexcept override { return chunk_of(plan()); }
  [[nodiscard]] std::unique_ptr<CostReader> reader() const override {
    return std::make_unique<MatrixReader<Rows>>(sweeper_, rows_);
  }

 private:
  const Sweeper& sweeper_;
  Rows rows_;
};

class PackedReader final : public BufferedReader {
 public:
  PackedReader(const PackedSweeper& sweeper, const CodeView& packed)
      : BufferedReader(sweeper.sweeper().plan(), sweeper.sweeper().may_refuse()),
        sweeper_(sweeper),
        packed_(packed),
        workspace_(sweeper.workspace()) {}

  void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) override {
    sweeper_.sweep(packed_, first, rows, costs, *workspace_);
  }

 private:
  const PackedSweeper& sweeper_;
  const CodeView& packed_;
  PackedSweeper::WorkspacePointer workspace_;
};

class PackedSource final : public Source {
 public:
  PackedSource(const PackedSweeper& sweeper, const CodeView& packed)
      : sweeper_(sweeper), packed_(packed) {
    sweeper.check(packed);
  }

  [[nodiscard]] const Plan& plan() const noexcept override { return sweeper_.sweeper().plan(); }
  [[nodiscard]] std::uint64_t rows() const noexcept override { return packed_.rows; }
  [[nodiscard]] std::uint64_t chunk_rows() const noexcept override { return chunk_of(plan()); }
  [[nodiscard]] std::unique_ptr<CostReader> reader() const override {
    return std::make_unique<PackedReader>(sweeper_, packed_);
  }

 private:
  const PackedSweeper& sweeper_;
  CodeView packed_;
};

class RangeReader final : public BufferedReader {
 public:
  RangeReader(const PackedSweeper& sweeper, const std::vector<std::uint16_t>& start)
      : BufferedReader(sweeper.sweeper().plan(),
                       sweeper.sweeper().may_refuse() || !sweeper.digits().whole()),
        sweeper_(sweeper),
        start_(start),
        workspace_(sweeper.workspace()) {}

  void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) override {
    sweeper_.sweep_positions(start_, first, rows, costs, *workspace_);
  }

 private:
  const PackedSweeper& sweeper_;
  const std::vector<std::uint16_t>& start_;
  PackedSweeper::WorkspacePointer workspace_;
};

// The same, faster.
class RangeWordReader final : public BufferedReader {
 public:
  RangeWordReader(const PackedSweeper& sweeper, const std::vector<std::uint16_t>& start)
      : BufferedReader(sweeper.sweeper().plan(), sweeper.tables()->layout().may_refuse()),
        sweeper_(sweeper),
        start_(start),
        positions_(sweeper, start),
        position_(sweeper.digits().digits().size()) {}

  void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) override {
    const CostTables& layout = sweeper_.tables()->layout();
    for (std::size_t done = 0; done < rows; done += words_.size()) {
      const std::size_t count = std::min(words_.size(), rows - done);
      const CostColumns part = costs.from(done);
      positions_.read(first + done, count, words_.data());
      for (std::size_t metric = 0; metric < layout.fields().size(); ++metric) {
        read_totals(words_.data(), 1, layout.fields()[metric], count, part.metrics[metric]);
      }
      if (part.refusals != nullptr) std::fill_n(part.refusals, count, accepted);
      if (layout.may_refuse()) refuse(first + done, count, part);
    }
  }

 private:
  void refuse(std::uint64_t first, std::size_t rows, const CostColumns& costs) {
    const MetricField& count = sweeper_.tables()->layout().refusal_count();
    refuse_rows(costs, rows, [&](std::size_t row) {
      if (count.total(words_.data() + row) == 0) return accepted;
      sweeper_.digits().count_up(start_, first + row, 1, position_);
      return sweeper_.refusal(position_.view(1), 0);
    });
  }

  const PackedSweeper& sweeper_;
  const std::vector<std::uint16_t>& start_;
  PositionWords positions_;
  CodeColumns position_;
  std::array<std::uint64_t, PositionWords::most_rows> words_{};
};

class RangeSource final : public Source {
 public:
  RangeSource(const PackedSweeper& sweeper, std::vector<std::uint16_t> start, std::uint64_t count)
      : sweeper_(sweeper), start_(std::move(start)), count_(count) {
    sweeper.digits().check_start(start_, count);
  }

  [[nodiscard]] const Plan& plan() const noexcept override { return sweeper_.sweeper().plan(); }
  [[nodiscard]] std::uint64_t rows() const noexcept override { return count_; }
  [[nodiscard]] std::uint64_t chunk_rows() const noexcept override { return chunk_of(plan()); }
  [[nodiscard]] std::unique_ptr<CostReader> reader() const override {
    if (PositionWords::possible(sweeper_)) {
      return std::make_unique<RangeWordReader>(sweeper_, start_);
    }
    return std::make_unique<RangeReader>(sweeper_, start_);
  }

 private:
  const PackedSweeper& sweeper_;
  std::vector<std::uint16_t> start_;
  std::uint64_t count_;
};

class RandomReader final : public BufferedReader {
 public:
  RandomReader(const Candidates& candidates, const Sweeper& sweeper, std::uint64_t seed, Law law,
               std::uint64_t start)
      : BufferedReader(sweeper.plan(), sweeper.may_refuse()),
        candidates_(candidates),
        sweeper_(sweeper),
        seed_(seed),
        law_(law),
        start_(start),
        width_(sweeper.ranges().largest_code() < 256 ? CodeWidth::byte : CodeWidth::word),
        columns_(sweeper.plan().variables.size()),
        codes_(drawn_rows * columns_ * static_cast<std::size_t>(width_)),
        workspace_(sweeper.workspace()) {}

  void write(std::uint64_t first, std::size_t rows, const CostColumns& costs) override {
    for (std::size_t done = 0; done < rows; done += drawn_rows) {
      const std::size_t count = std::min(drawn_rows, rows - done);
      const CodeOutput drawn{codes_.data(), count, columns_, width_};
      candidates_.random(law_, seed_, start_ + first + done, drawn);
      sweeper_.sweep(drawn.view(), 0, count, costs.from(done), *workspace_);
    }
  }

 private:
  static constexpr std::size_t drawn_rows = 1024;

  const Candidates& candidates_;
  const Sweeper& sweeper_;
  std::uint64_t seed_;
  Law law_;
  std::uint64_t start_;
  CodeWidth width_;
  std::size_t columns_;
  std::vector<std::byte> codes_;
  Sweeper::WorkspacePointer workspace_;
};

class RandomSource final : public Source {
 public:
  RandomSource(const Candidates& candidates, const Sweeper& sweeper, std::uint64_t count,
               std::uint64_t seed, Law law, std::uint64_t start)
      : candidates_(candidates),
        sweeper_(sweeper),
        count_(count),
        seed_(seed),
        law_(law),
        start_(start) {}

  [[nodiscard]] const Plan& plan() const noexcept override { return sweeper_.plan(); }
  [[nodiscard]] std::uint64_t rows() const noexcept override { return count_; }
  [[nodiscard]] std::uint64_t chunk_rows() const noexcept override { return chunk_of(plan()); }
  [[nodiscard]] std::unique_ptr<CostReader> reader() const override {
    return std::make_unique<RandomReader>(candidates_, sweeper_, seed_, law_, start_);
  }

 private:
  const Candidates& candidates_;
  const Sweeper& sweeper_;
  std::uint64_t count_;
  std::uint64_t seed_;
  Law law_;
  std::uint64_t start_;
};

}  // namespace

std::unique_ptr<Source> codes_source(const Sweeper& sweeper, const CodeView& codes) {
  return std::make_unique<MatrixSource<CodeView>>(sweeper, codes);
}

std::unique_ptr<Source> values_source(const Sweeper& sweeper, ValueColumns values) {
  return std::make_unique<MatrixSource<ValueColumns>>(sweeper, std::move(values));
}

std::unique_ptr<Source> packed_source(const PackedSweeper& sweeper, const CodeView& packed) {
  return std::make_unique<PackedSource>(sweeper, packed);
}

std::unique_ptr<Source> range_source(const PackedSweeper& sweeper, std::vector<std::uint16_t> start,
                                     std::uint64_t count) {
  return std::make_unique<RangeSource>(sweeper, std::move(start), count);
}

std::unique_ptr<Source> random_source(const Candidates& candidates, const Sweeper& sweeper,
                                      std::uint64_t count, std::uint64_t seed, Law law,
                                      std::uint64_t start) {
  return std::make_unique<RandomSource>(candidates, sweeper, count, seed, law, start);
}

}  // namespace netledger
