// An epoch that threads sleep on: what the thread pool waits with.
//
// A waiter reads epoch(), then looks at what it waits for, then calls wait(that epoch): a change
// announced by advance() in between makes wait() return at once, so no wake-up gets lost.
#pragma once
#include <atomic>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <condition_variable>
#include <mutex>
#endif

namespace pyconv {

class Event {
 public:
  std::uint32_t epoch() const { return epoch_.load(std::memory_order_seq_cst); }
  // Threads inside wait(). One that isn't counted yet will see any epoch that advanced before.
  int sleepers() const { return sleepers_.load(std::memory_order_seq_cst); }

#if defined(__linux__)
  // Returns when the epoch isn't `seen` any more; may return early.
  void wait(std::uint32_t seen) {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    futex(FUTEX_WAIT_PRIVATE, seen);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
  void advance() { epoch_.fetch_add(1, std::memory_order_seq_cst); }
  void wake(int threads) {
    if (threads > 0) futex(FUTEX_WAKE_PRIVATE, static_cast<std::uint32_t>(threads));
  }

 private:
  void futex(int operation, std::uint32_t value) {
    static_assert(sizeof(epoch_) == sizeof(std::uint32_t), "the kernel reads the epoch as a word");
    syscall(SYS_futex, &epoch_, operation, value, nullptr, nullptr, 0);
  }
#else
  void wait(std::uint32_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (epoch() == seen) changed_.wait(lock);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
  void advance() {
    std::lock_guard<std::mutex> lock(mutex_);
    epoch_.fetch_add(1, std::memory_order_seq_cst);
  }
  void wake(int threads) {
    for (int i = 0; i < threads; ++i) changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
#endif

  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace pyconv
