// What a parallel_for costs and from what size it pays; docs/decisions/003-thread-pool.md has the
// figures and the commands. Prints min and median in microseconds.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using pyconv::parallel_for;

double us(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

struct Summary {
  double min, median;
};
Summary summarise(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples.front(), samples[samples.size() / 2]};
}

// What lies between two jobs: the caller computes on for a while, or sleeps.
void gap(int microseconds) {
  if (microseconds >= 500) {
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
    return;
  }
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(microseconds);
  while (Clock::now() < end) {
  }
}

// A dependent chain: `steps` multiplications take the same time on every core.
volatile float sink = 1.0f;
void work(std::int64_t steps) {
  float x = sink;
  for (std::int64_t i = 0; i < steps; ++i) x = x * 0.999f + 0.001f;
  sink = x;
}

std::int64_t steps_per_us() {
  double best = 1e30;
  for (int i = 0; i < 50; ++i) {
    const Clock::time_point start = Clock::now();
    work(100000);
    best = std::min(best, us(Clock::now() - start));
  }
  return static_cast<std::int64_t>(100000 / best);
}

// From the call until the other thread's first chunk runs.
double wake_up() {
  std::atomic<int> arrived{0};
  Clock::time_point start = Clock::now(), met;
  parallel_for(2, 2, [&](std::int64_t, int worker) {
    const Clock::time_point now = Clock::now();
    if (worker != 0) met = now;
    ++arrived;
    const Clock::time_point give_up = now + std::chrono::milliseconds(20);
    while (arrived.load() < 2 && Clock::now() < give_up) {
    }
  });
  return us(met - start);
}

double timed_job(int threads, int chunks, std::int64_t steps) {
  const Clock::time_point start = Clock::now();
  parallel_for(chunks, threads, [&](std::int64_t, int) { work(steps / chunks); });
  return us(Clock::now() - start);
}

}  // namespace

int main() {
  const int gaps[] = {0, 2, 10, 50, 1000};
  const std::int64_t rate = steps_per_us();
  std::printf("usable CPUs %d\n\n", pyconv::usable_cpus());
  std::printf(
      "2-thread job, us        gap before it  wake-up of the other   empty job of 2 chunks\n");
  for (int pause : gaps) {
    std::vector<double> latency, empty;
    for (int i = 0; i < 1000; ++i) {
      gap(pause);
      const double value = wake_up();
      if (value > 0) latency.push_back(value);
      gap(pause);
      empty.push_back(timed_job(2, 2, 0));
    }
    const Summary a = summarise(latency), b = summarise(empty);
    std::printf("%37d  %8.2f %8.2f    %8.2f %8.2f\n", pause, a.min, a.median, b.min, b.median);
  }
  std::printf("\nwork, us   gap   1 thread          2 threads         speed-up (min, median)\n");
  for (int pause : {0, 10, 1000})
    for (int size : {5, 10, 20, 50, 100, 200, 1000}) {
      std::vector<double> one, two;
      for (int i = 0; i < 500; ++i) {
        gap(pause);
        one.push_back(timed_job(1, 8, size * rate));
        gap(pause);
        two.push_back(timed_job(2, 8, size * rate));
      }
      const Summary a = summarise(one), b = summarise(two);
      std::printf("%8d %5d  %7.1f %7.1f  %7.1f %7.1f    %.2f %.2f\n", size, pause, a.min, a.median,
                  b.min, b.median, a.min / b.min, a.median / b.median);
    }
  return 0;
}
