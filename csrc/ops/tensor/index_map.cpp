#include "ops/tensor/index_map.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/status.h"
#include "base/thread_pool.h"
#include "ops/extents.h"
#include "ops/tensor/loops.h"

namespace pyconv {

namespace {

std::int64_t modulo(std::int64_t i, std::int64_t period) {
  const std::int64_t rest = i % period;
  return rest < 0 ? rest + period : rest;
}

std::int64_t source_of(std::int64_t i, std::int64_t size, EdgeMode mode) {
  if (i >= 0 && i < size) return i;
  if (mode == EdgeMode::constant) return kOutside;
  if (mode == EdgeMode::edge) return i < 0 ? 0 : size - 1;
  if (mode == EdgeMode::wrap) return modulo(i, size);
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1), at = modulo(i, period);
  return at < size ? at : period - at;
}

}  // namespace

std::int64_t padded_size(std::int64_t size, std::int64_t before, std::int64_t after, EdgeMode mode) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (before > kMost || after > kMost || before < -kMost || after < -kMost)
    throw InvalidArgument("pads: expected sizes of at most 2^40, got " +
                          std::to_string(std::max(before, after)));
  const std::int64_t crop = std::max<std::int64_t>(0, -before);
  const std::int64_t left = size - crop - std::max<std::int64_t>(0, -after);
  if (left < 0)
    throw InvalidArgument("pads: expected to take away at most " + std::to_string(size) +
                          " elements, got " + std::to_string(before) + " and " +
                          std::to_string(after));
  const std::int64_t out =
      left + std::max<std::int64_t>(0, before) + std::max<std::int64_t>(0, after);
  if (out > kMostIndices)
    throw InvalidArgument("pads: expected at most 2^28 elements along an axis, got " +
                          std::to_string(out));
  if (left == 0 && out > 0 && mode != EdgeMode::constant)
    throw InvalidArgument("pads: expected none for an empty axis in this mode");
  return out;
}

std::vector<std::int64_t> pad_table(std::int64_t size, std::int64_t before, std::int64_t after,
                                    EdgeMode mode) {
  const std::int64_t out = padded_size(size, before, after, mode);
  const std::int64_t crop = std::max<std::int64_t>(0, -before);
  const std::int64_t left = size - crop - std::max<std::int64_t>(0, -after);
  const std::int64_t lead = std::max<std::int64_t>(0, before);
  std::vector<std::int64_t> table(static_cast<std::size_t>(out));
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t from = source_of(i - lead, left, mode);
    table[static_cast<std::size_t>(i)] = from < 0 ? kOutside : from + crop;
  }
  return table;
}

MappedCopy::MappedCopy(const Shape& src, std::vector<std::vector<std::int64_t>> tables, DType dtype)
    : dtype_(dtype), offsets_(std::move(tables)) {
  shape_.rank = src.rank;
  for (int i = 0; i < src.rank; ++i)
    shape_[i] = static_cast<std::int64_t>(offsets_[static_cast<std::size_t>(i)].size());
  need_shape("output", shape_);
  std::int64_t stride = 1;
  bool whole = true;
  for (int i = src.rank - 1; i >= 0; --i) {
    std::vector<std::int64_t>& table = offsets_[static_cast<std::size_t>(i)];
    bool identity = whole && shape_[i] == src[i];
    for (std::int64_t j = 0; j < shape_[i]; ++j) {
      std::int64_t& at = table[static_cast<std::size_t>(j)];
      identity = identity && at == j;
      if (at != kOutside) at *= stride;
    }
    whole = identity;
    stride *= src[i];
    if (!identity) continue;
    block_ = stride;
    offsets_.pop_back();
  }
  if (offsets_.empty()) offsets_.push_back({0});
  for (const std::int64_t at : offsets_.back()) {
    const bool joins = !runs_.empty() && (at == kOutside ? runs_.back().from == kOutside
                                          : runs_.back().from != kOutside &&
                                                runs_.back().from + runs_.back().count == at);
    if (joins)
      runs_.back().count += block_;
    else
      runs_.push_back({at, block_});
  }
  row_ = static_cast<std::int64_t>(offsets_.back().size()) * block_;
}

template <class T>
void MappedCopy::run_rows(const T* src, T* dst, T outside, int threads) const {
  const std::size_t outer = offsets_.size() - 1;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < outer; ++i) rows *= static_cast<std::int64_t>(offsets_[i].size());
  if (rows * row_ == 0) return;
  const bool scattered = static_cast<std::int64_t>(runs_.size()) * 4 > row_;
  threads = threads_for(static_cast<double>(rows * row_), threads);
  const std::int64_t group = threads == 1 ? rows : std::max<std::int64_t>(1, 16384 / row_);
  parallel_for((rows + group - 1) / group, threads, [&](std::int64_t chunk, int) {
    const std::int64_t last = std::min(rows, (chunk + 1) * group);
    for (std::int64_t row = chunk * group; row < last; ++row) {
      T* to = dst + row * row_;
      std::int64_t rest = row, base = 0;
      for (std::size_t i = outer; i-- > 0 && base != kOutside;) {
        const auto size = static_cast<std::int64_t>(offsets_[i].size());
        const std::int64_t at = offsets_[i][static_cast<std::size_t>(rest % size)];
        base = at == kOutside ? kOutside : base + at;
        rest /= size;
      }
      if (base == kOutside) {
        std::fill_n(to, row_, outside);
      } else if (scattered && block_ == 1) {
        for (const std::int64_t at : offsets_.back()) *to++ = at < 0 ? outside : src[base + at];
      } else {
        for (const Run& run : runs_) {
          if (run.from == kOutside)
            std::fill_n(to, run.count, outside);
          else
            std::copy_n(src + base + run.from, run.count, to);
          to += run.count;
        }
      }
    }
  });
}

void MappedCopy::run(const void* src, void* dst, const void* outside, int threads) const {
  with_size(dtype_, [&](auto type) {
    using T = decltype(type);
    T value = 0;
    if (outside) std::memcpy(&value, outside, sizeof value);
    run_rows(static_cast<const T*>(src), static_cast<T*>(dst), value, threads);
  });
}

}  // namespace pyconv
