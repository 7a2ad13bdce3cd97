#include "space/run.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace netledger {

namespace {

constexpr std::uint64_t nowhere = std::numeric_limits<std::uint64_t>::max();
constexpr auto wait_time = std::chrono::milliseconds(50);

class Run {
 public:
  Run(std::uint64_t total, std::uint64_t chunk, const RunOptions& options,
      const std::function<ChunkWorker(unsigned)>& make_worker)
      : total_(total), chunk_(chunk), options_(options), make_worker_(make_worker) {}

  // One thread's part.
  void work(unsigned thread) {
    std::uint64_t first = 0;
    try {
      const ChunkWorker worker = make_worker_(thread);
      while (claim(first)) {
        const std::uint64_t rows = std::min(chunk_, total_ - first);
        if (!worker(first, rows)) enough_ = true;
        done_ += rows;
      }
    } catch (...) {
      fail(first, std::current_exception());
    }
  }

  bool on_this_thread() {
    work(0);
    return finish();
  }

  bool on_threads(unsigned count) {
    // std::thread cannot be created without limit: those that were made do all the work.
    std::vector<std::thread> threads;
    running_ = count;
    try {
      for (unsigned thread = 0; thread < count; ++thread) {
        threads.emplace_back([this, thread] {
          work(thread);
          const std::scoped_lock lock(mutex_);
          --running_;
          ended_.notify_one();
        });
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      running_ -= count - static_cast<unsigned>(threads.size());
      if (threads.empty()) throw;
    }
    wait();
    for (std::thread& thread : threads) thread.join();
    return finish();
  }

 private:
  bool claim(std::uint64_t& first) {
    if (halted_ || enough_ || (options_.stop != nullptr && *options_.stop)) return false;
    first = next_.fetch_add(chunk_);
    return first < total_;
  }

  // Chunks before the failed one were handed out earlier, and are finished.
  void fail(std::uint64_t first, std::exception_ptr exception) {
    halted_ = true;
    const std::scoped_lock lock(mutex_);
    if (exception_ && first >= failed_at_) return;
    failed_at_ = first;
    exception_ = std::move(exception);
  }

  void wait() {
    std::unique_lock lock(mutex_);
    while (running_ > 0) {
      ended_.wait_for(lock, wait_time, [this] { return running_ == 0; });
      if (!options_.wait || halted_) continue;
      lock.unlock();
      try {
        options_.wait(done_);
      } catch (...) {
        fail(nowhere, std::current_exception());
      }
      lock.lock();
    }
  }

  bool finish() {
    if (exception_) std::rethrow_exception(exception_);
    return enough_ || done_ == total_;
  }

  std::uint64_t total_;
  std::uint64_t chunk_;
  const RunOptions& options_;
  const std::function<ChunkWorker(unsigned)>& make_worker_;
  std::atomic<std::uint64_t> next_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<bool> halted_ = false;
  std::atomic<bool> enough_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  unsigned running_ = 0;
  std::exception_ptr exception_;
  std::uint64_t failed_at_ = nowhere;
};

}  // namespace

bool run_chunks(std::uint64_t total, std::uint64_t chunk, const RunOptions& options,
                const std::function<ChunkWorker(unsigned)>& make_worker) {
  Run run(total, chunk, options, make_worker);
  // A thread costs more than a chunk.
  if (total <= chunk) return run.on_this_thread();
  const std::uint64_t chunks = (total - 1) / chunk + 1;
  const std::uint64_t threads = std::clamp<std::uint64_t>(options.threads, 1, chunks);
  return run.on_threads(static_cast<unsigned>(threads));
}

}  // namespace netledger
