// Stress test of csrc/base/thread_pool.cpp; tests/base/test_thread_pool.py builds and runs it.
//   thread_pool_test            all checks but those of the next two
//   thread_pool_test fork       the child of a process whose pool has been used, or is in use
//   thread_pool_test starved    thread creation fails
//   thread_pool_test quota DIR  prints the cgroup quota seen under DIR/proc and DIR/sys
//   thread_pool_test usable     prints usable_cpus()
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu_quota.h"
#include "base/thread_pool.h"
#include "check.h"

namespace {

using pyconv::parallel_for;

double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Plain counters on purpose: a chunk that ran twice, or whose writes weren't published to the
// caller, is a data race that the thread sanitizer sees.
void run_and_count(int chunks, int threads) {
  std::vector<int> runs(static_cast<std::size_t>(chunks));
  std::vector<int> per_worker(static_cast<std::size_t>(threads < 1 ? 1 : threads));
  parallel_for(chunks, threads, [&](std::int64_t chunk, int worker) {
    ++runs[static_cast<std::size_t>(chunk)];
    ++per_worker[static_cast<std::size_t>(worker)];
  });
  int total = 0;
  for (int count : per_worker) total += count;
  CHECK(total == chunks);
  for (int count : runs) CHECK(count == 1);
}

void every_chunk_runs_once() {
  for (int threads : {-1, 0, 1, 2, 3, 8})
    for (int chunks : {0, 1, 2, 3, 7, 64, 1000}) run_and_count(chunks, threads);
  parallel_for(-5, 4, [](std::int64_t, int) { CHECK(false); });
}

void ten_thousand_jobs() {
  std::int64_t sum = 0;
  for (int job = 0; job < 10000; ++job) {
    int parts[4] = {};
    parallel_for(4, 1 + job % 4, [&](std::int64_t chunk, int) { parts[chunk] = job; });
    for (int part : parts) sum += part;
  }
  CHECK(sum == std::int64_t{4} * 9999 * 10000 / 2);
}

void threads_do_take_part() {
  std::atomic<int> arrived{0};
  // Each body waits for the other: only two threads can finish this.
  parallel_for(2, 2, [&](std::int64_t, int) {
    ++arrived;
    while (arrived.load() < 2) std::this_thread::yield();
  });
  CHECK(arrived == 2);
}

void nested_runs_on_its_worker() {
  int inner_runs[8][16] = {};
  parallel_for(8, 3, [&](std::int64_t outer, int) {
    const std::thread::id self = std::this_thread::get_id();
    parallel_for(16, 3, [&](std::int64_t inner, int worker) {
      CHECK(worker == 0);
      CHECK(std::this_thread::get_id() == self);
      ++inner_runs[outer][inner];
    });
  });
  for (auto& row : inner_runs)
    for (int runs : row) CHECK(runs == 1);
}

void sessions() {
  for (const int threads : {1, 2, 4}) {
    const pyconv::ParallelSession session(threads);
    const pyconv::ParallelSession inner(threads);
    every_chunk_runs_once();
    nested_runs_on_its_worker();
    for (int i = 0; i < 200; ++i) run_and_count(1 + i % 7, 3);
  }
  threads_do_take_part();
  {
    const pyconv::ParallelPlanning planning;
    CHECK(pyconv::cycles_worth_a_thread() < 50000.0);
  }
  CHECK(pyconv::cycles_worth_a_thread() > 50000.0);
}

void sessions_of_many_callers() {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        const pyconv::ParallelSession session(2 + i % 3);
        for (int k = 0; k < 5; ++k) run_and_count(30, 3);
      }
    });
  for (std::thread& caller : callers) caller.join();
}

void many_callers_at_once() {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 16; ++caller)
    callers.emplace_back([caller] {
      for (int job = 0; job < 200; ++job) run_and_count(1 + (caller * 7 + job) % 50, 1 + job % 5);
    });
  for (std::thread& caller : callers) caller.join();
}

void workers_round_as_the_caller_does() {
  std::fesetround(FE_DOWNWARD);
  std::atomic<int> arrived{0}, other{0};
  parallel_for(3, 3, [&](std::int64_t, int) {
    ++arrived;
    while (arrived.load() < 3) std::this_thread::yield();
    if (std::fegetround() != FE_DOWNWARD) ++other;
  });
  std::fesetround(FE_TONEAREST);
  CHECK(other == 0);
}

#if defined(__linux__)
void workers_keep_to_the_callers_cpus() {
  cpu_set_t all, one;
  CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the workers fall asleep
    std::atomic<int> arrived{0}, elsewhere{0};
    parallel_for(2, 2, [&](std::int64_t, int) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
      if (sched_getcpu() != cpu) ++elsewhere;
    });
    CHECK(elsewhere == 0);
  }
  CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
}
#else
void workers_keep_to_the_callers_cpus() {}
#endif

template <class Child>
void in_child(Child child) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    check::failures = 0;
    child();
    std::exit(check::failures == 0 ? 0 : 1);  // runs the static destructors, as Python's exit does
  }
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void forks() {
  in_child([] {
    threads_do_take_part();
    in_child(threads_do_take_part);
  });
  threads_do_take_part();
}

void forks_while_others_work() {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) run_and_count(50, 3);
  });
  for (int i = 0; i < 10; ++i) in_child(threads_do_take_part);
  stop = true;
  busy.join();
}

void idle_pool_uses_no_cpu() {
  run_and_count(1000, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const double used = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  CHECK(used < 0.01 * (seconds(CLOCK_MONOTONIC) - wall));
}

int starved() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long pages = 0;
  CHECK(file && std::fscanf(file, "%ld", &pages) == 1);
  if (file) std::fclose(file);
  const rlim_t used = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlimit limit{used + (40u << 20), used + (40u << 20)};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  for (int i = 0; i < 100; ++i) run_and_count(1000, 500);
  return check::finish("starved");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "usable") return std::printf("%d\n", pyconv::usable_cpus()) > 0 ? 0 : 1;
  if (mode == "quota" && argc > 2)
    return std::printf("%d\n", pyconv::cgroup_cpu_quota(argv[2])) > 0 ? 0 : 1;
  if (mode == "starved") return starved();
  if (mode == "fork") {
    threads_do_take_part();
    forks();
    forks_while_others_work();
    return check::finish("fork");
  }
  in_child(threads_do_take_part);
  every_chunk_runs_once();
  threads_do_take_part();
  ten_thousand_jobs();
  nested_runs_on_its_worker();
  many_callers_at_once();
  sessions();
  sessions_of_many_callers();
  workers_round_as_the_caller_does();
  workers_keep_to_the_callers_cpus();
  idle_pool_uses_no_cpu();
  return check::finish("thread_pool_test");
}
