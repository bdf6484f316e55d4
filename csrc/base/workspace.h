// Scratch memory that outlives a call, so that the second call neither allocates nor page-faults.
#pragma once
#include <mutex>
#include <vector>

#include "base/aligned_buffer.h"

namespace pyconv {

// A few buffers of one owner. Concurrent callers each get their own; at most `kept` are retained.
class WorkspacePool {
 public:
  explicit WorkspacePool(std::size_t kept = 4, std::size_t largest_kept = ~std::size_t{0})
      : kept_(kept), largest_kept_(largest_kept) {}

  class Lease {
   public:
    Lease(WorkspacePool& pool, AlignedBuffer buffer) : pool_(pool), buffer_(std::move(buffer)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(buffer_)); }
    void* data() const { return buffer_.data(); }

   private:
    WorkspacePool& pool_;
    AlignedBuffer buffer_;
  };

  // A buffer of at least `bytes`; throws std::bad_alloc.
  Lease take(std::size_t bytes) { return Lease(*this, bytes == 0 ? AlignedBuffer() : find(bytes)); }

 private:
  AlignedBuffer find(std::size_t bytes) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (std::size_t i = 0; i < buffers_.size(); ++i) {
        if (buffers_[i].bytes() < bytes) continue;
        AlignedBuffer found = std::move(buffers_[i]);
        buffers_.erase(buffers_.begin() + static_cast<std::ptrdiff_t>(i));
        return found;
      }
    }
    return AlignedBuffer(bytes);
  }

  void give_back(AlignedBuffer buffer) {
    if (buffer.bytes() == 0 || buffer.bytes() > largest_kept_) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (buffers_.size() < kept_) {
      buffers_.push_back(std::move(buffer));
      return;
    }
    for (AlignedBuffer& other : buffers_) {
      if (other.bytes() >= buffer.bytes()) continue;
      other = std::move(buffer);
      return;
    }
  }

  std::mutex mutex_;
  std::vector<AlignedBuffer> buffers_;
  std::size_t kept_, largest_kept_;
};

}  // namespace pyconv
