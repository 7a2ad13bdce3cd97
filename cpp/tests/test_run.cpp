// Runs: every row is worked on once; stopping, failing and progress.
#include "space/run.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Lets CHECK_THROWS take functions whose result must not be ignored.
#define DOCTEST_CONFIG_VOID_CAST_EXPRESSIONS
#include <doctest/doctest.h>

namespace netledger {

namespace {

RunOptions threads(unsigned count) {
  RunOptions options;
  options.threads = count;
  return options;
}

}  // namespace

TEST_CASE("every row is worked on once") {
  for (const unsigned count : {0U, 1U, 2U, 7U}) {
    for (const std::uint64_t total : {0U, 1U, 99U, 100U, 101U, 12345U}) {
      std::vector<std::atomic<int>> visits(total);
      CHECK(run_chunks(total, 100, threads(count), [&](unsigned) -> ChunkWorker {
        return [&](std::uint64_t first, std::uint64_t rows) {
          CHECK(first % 100 == 0);
          for (std::uint64_t row = first; row < first + rows; ++row) ++visits[row];
          return true;
        };
      }));
      for (const auto& visit : visits) REQUIRE(visit == 1);
    }
  }
}

TEST_CASE("the exception of the first rows is thrown") {
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_WITH_AS(run_chunks(10000, 10, threads(3),
                                    [&](unsigned) -> ChunkWorker {
                                      return [&](std::uint64_t first, std::uint64_t) -> bool {
                                        if (first >= 3000)
                                          throw std::runtime_error(std::to_string(first));
                                        return true;
                                      };
                                    }),
                         "3000", std::runtime_error);
  }
  CHECK_THROWS_AS(run_chunks(10, 3, threads(2),
                             [](unsigned) -> ChunkWorker { throw std::logic_error("no worker"); }),
                  std::logic_error);
}

TEST_CASE("enough ends a run early, without an error") {
  std::atomic<std::uint64_t> worked = 0;
  CHECK(run_chunks(1'000'000, 10, threads(2), [&](unsigned) -> ChunkWorker {
    return [&](std::uint64_t first, std::uint64_t rows) {
      worked += rows;
      return first < 1000;
    };
  }));
  CHECK(worked < 10000);
}

TEST_CASE("a run stops when it is told to, and says so") {
  std::atomic<bool> stop = false;
  RunOptions options = threads(2);
  options.stop = &stop;
  const bool finished = run_chunks(1'000'000, 1, options, [&](unsigned) -> ChunkWorker {
    return [&](std::uint64_t first, std::uint64_t) {
      if (first == 50) stop = true;
      return true;
    };
  });
  CHECK_FALSE(finished);
}

TEST_CASE("the caller hears of progress, and may end the run") {
  std::uint64_t heard = 0;
  RunOptions options = threads(1);
  options.wait = [&](std::uint64_t done) {
    CHECK(done >= heard);
    heard = done;
    if (done >= 100) throw std::runtime_error("enough of this");
  };
  CHECK_THROWS_WITH_AS(run_chunks(1'000'000, 10, options,
                                  [](unsigned) -> ChunkWorker {
                                    return [](std::uint64_t, std::uint64_t) {
                                      std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                      return true;
                                    };
                                  }),
                       "enough of this", std::runtime_error);
  CHECK(heard >= 100);
  CHECK(heard < 1'000'000);
}

}  // namespace netledger
