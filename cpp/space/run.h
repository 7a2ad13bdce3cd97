// Runs work over a range of rows in chunks, on several threads, with progress and a way to stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace netledger {

struct RunOptions {
  unsigned threads = 1;
  // Called by the thread that waits, every 50 ms, with the rows done so far. May throw: the run is
  // then stopped and the exception passed on. May be empty.
  std::function<void(std::uint64_t done)> wait;
  // Ends the run early when it becomes true; looked at before every chunk. May be nullptr.
  const std::atomic<bool>* stop = nullptr;
};

// Works on rows `first` to `first` + `rows`; false: no rows behind these need to be worked on.
using ChunkWorker = std::function<bool(std::uint64_t first, std::uint64_t rows)>;

// Splits `total` rows into chunks of `chunk` rows, which begin at its multiples and are handed out
// in ascending order. `make_worker` is called once per thread, on that thread. Of several
// exceptions the one of the first rows is thrown. Returns false when stopped early.
bool run_chunks(std::uint64_t total, std::uint64_t chunk, const RunOptions& options,
                const std::function<ChunkWorker(unsigned thread)>& make_worker);

}  // namespace netledger
