// A block of memory aligned to a cache line, owned, movable, uninitialised. Blocks of some megabytes
// ask for huge pages, so that streams through them are not cut at every 4 KiB.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace pyconv {

// Tells the system that [data, data + bytes) would like huge pages; nothing happens where it has none.
void advise_huge_pages(void* data, std::size_t bytes);

class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    if (bytes > static_cast<std::size_t>(-1) / 2) throw std::bad_alloc();
    const std::size_t alignment = bytes < kHugePage ? kAlignment : kHugePage;
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (posix_memalign(&data_, alignment, rounded) != 0) {
      data_ = nullptr;
      throw std::bad_alloc();
    }
    if (bytes >= kHugePage) advise_huge_pages(data_, rounded);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { std::free(data_); }

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace pyconv
