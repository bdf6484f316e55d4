#include "ops/eltwise.h"

#include <algorithm>
#include <vector>

#include "base/thread_pool.h"
#include "ops/activation.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kChunk = 1 << 14;    // floats: 64 KiB, so that two arrays of it stay in L2
// A row of a few floats more than a multiple of 16 wastes most of its last vector.
constexpr std::int64_t kShortPlane = 24;        // floats below which parameters are written out
constexpr std::int64_t kShortRow = 64, kLongRow = 256;  // likewise where channels are last, and to how many
constexpr std::int64_t kBlock = 1 << 12;         // floats that one row function leaves in L1 for the next
constexpr std::int64_t kWritten = 2048;         // most parameters that are written out, on the stack
constexpr std::int64_t kWorthThread = 1 << 17;  // floats for which waking a thread pays

int threads_of(std::int64_t n, int threads) {
  return worthwhile_threads(static_cast<double>(n), kWorthThread, threads);
}

// body(first, last) over [0, n) in chunks.
template <class Body>
void for_chunks(std::int64_t n, int threads, const Body& body) {
  const FpEnvScope fp_env;
  const int useful = threads_of(n, threads);
  if (useful <= 1) {
    if (n > 0) body(std::int64_t{0}, n);
    return;
  }
  parallel_for((n + kChunk - 1) / kChunk, useful, [&](std::int64_t chunk, int) {
    body(chunk * kChunk, std::min(n, (chunk + 1) * kChunk));
  });
}

// Axes of size 1 left out, neighbours of one kind joined: at most kMaxAxes are left.
struct AxisGroups {
  BroadcastAxis axes[kMaxBroadcastAxes];
  int count = 0;

  explicit AxisGroups(const std::vector<BroadcastAxis>& given) {
    for (const BroadcastAxis& axis : given) {
      if (axis.size == 1) continue;
      if (count > 0 && axes[count - 1].varies == axis.varies)
        axes[count - 1].size *= axis.size;
      else
        axes[count++] = axis;
    }
  }
  // The last group's size, 1 where there is none left.
  std::int64_t take() { return count > 0 ? axes[--count].size : 1; }
};

EltwiseArgs part(const EltwiseProblem& problem, std::int64_t first, std::int64_t last) {
  EltwiseArgs args;
  args.src = problem.src + first;
  args.dst = problem.dst + first;
  args.n = last - first;
  return args;
}

// Each of `count` values `times` times, all that `rounds` times; null stays null.
const float* repeat(const float* values, std::int64_t count, std::int64_t times, std::int64_t rounds,
                    float* to) {
  if (!values) return nullptr;
  float* at = to;
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t c = 0; c < count; ++c, at += times) std::fill(at, at + times, values[c]);
  return to;
}

// Rows of `period` elements: a call takes part of a row, or whole rows of a block of `block` rows.
// place(args, row, offset) sets p and q of the first element.
template <class Place>
void run_rows(const EltwiseProblem& problem, EltwiseFn fn, std::int64_t n, std::int64_t period,
              std::int64_t block, const Place& place) {
  for_chunks(n, problem.threads, [&](std::int64_t first, std::int64_t last) {
    while (first < last) {
      const std::int64_t row = first / period, offset = first % period;
      const std::int64_t whole = std::min((last - first) / period, block - row % block);
      const bool in_rows = offset == 0 && whole > 0;
      const std::int64_t end = in_rows ? first + whole * period : std::min(last, (row + 1) * period);
      EltwiseArgs args = part(problem, first, end);
      place(args, row, offset);
      if (in_rows) {
        args.rows = whole;
        args.n = period;
      }
      fn(args);
      first = end;
    }
  });
}

// The same p[i], q[i] for every row of `period` elements.
void run_repeated(const EltwiseProblem& problem, std::int64_t n, std::int64_t period,
                  const float* p, const float* q) {
  const EltwiseFn fn = eltwise_fns(problem.op, problem.cap).per_element;
  run_rows(problem, fn, n, period, n, [&](EltwiseArgs& args, std::int64_t, std::int64_t offset) {
    args.p = p + offset;
    args.q = q ? q + offset : nullptr;
  });
}

// One p, q for each plane of `inner` elements, those of `channels` planes over and over.
void run_planes(const EltwiseProblem& problem, std::int64_t n, std::int64_t channels,
                std::int64_t inner, const float* p, const float* q) {
  const EltwiseFn fn = eltwise_fns(problem.op, problem.cap).uniform;
  run_rows(problem, fn, n, inner, channels,
           [&](EltwiseArgs& args, std::int64_t plane, std::int64_t) {
             args.p = p + plane % channels;
             args.q = q ? q + plane % channels : nullptr;
           });
}

}  // namespace

void eltwise_uniform(const EltwiseProblem& problem, std::int64_t n, const float* p,
                     const float* q) {
  const EltwiseFn fn = eltwise_fns(problem.op, problem.cap).uniform;
  for_chunks(n, problem.threads, [&](std::int64_t first, std::int64_t last) {
    EltwiseArgs args = part(problem, first, last);
    args.p = p;
    args.q = q;
    fn(args);
  });
}

void eltwise_per_element(const EltwiseProblem& problem, std::int64_t n, const float* p,
                         const float* q) {
  if (n > 0) run_repeated(problem, n, n, p, q);
}

void eltwise_per_channel(const EltwiseProblem& problem, std::int64_t outer, std::int64_t channels,
                         std::int64_t inner, const float* p, const float* q) {
  const std::int64_t n = outer * channels * inner, period = channels * inner;
  if (n == 0) return;
  if (channels == 1) return eltwise_uniform(problem, n, p, q);
  if (inner >= kShortPlane) return run_planes(problem, n, channels, inner, p, q);
  if (inner == 1 && (period >= kShortRow || period % 16 == 0 || outer == 1))
    return run_repeated(problem, n, period, p, q);
  // Short rows: their parameters are written out until a row is long enough.
  const std::int64_t rounds = std::min(outer, (kLongRow + period - 1) / period);
  if (period * rounds > kWritten) return run_planes(problem, n, channels, inner, p, q);
  float all_p[kWritten], all_q[kWritten];
  run_repeated(problem, n, period * rounds, repeat(p, channels, inner, rounds, all_p),
               repeat(q, channels, inner, rounds, all_q));
}

// The last groups are (outer, channels, inner); those before them are walked like the digits of a
// number, of which only the varying ones move p.
void eltwise_broadcast(const EltwiseProblem& problem, const std::vector<BroadcastAxis>& axes,
                       const float* p) {
  AxisGroups groups(axes);
  const bool uniform_inside = groups.count > 0 && !groups.axes[groups.count - 1].varies;
  const std::int64_t inner = uniform_inside ? groups.take() : 1;
  const std::int64_t channels = groups.take(), outer = groups.take();
  const std::int64_t block = outer * channels * inner;
  std::int64_t blocks = 1;
  for (int g = 0; g < groups.count; ++g) blocks *= groups.axes[g].size;
  EltwiseProblem one = problem;
  for (std::int64_t index = 0; index < blocks; ++index) {
    std::int64_t rest = index, stride = channels, at = 0;
    for (int g = groups.count; g-- > 0;) {
      const BroadcastAxis& group = groups.axes[g];
      if (group.varies) {
        at += rest % group.size * stride;
        stride *= group.size;
      }
      rest /= group.size;
    }
    one.src = problem.src + index * block;
    one.dst = problem.dst + index * block;
    eltwise_per_channel(one, outer, channels, inner, p + at);
  }
}

void eltwise_rows(const EltwiseProblem& problem, const EltwiseRows& rows, const float* p,
                  const float* q, const Activation& after) {
  const bool rectified =
      problem.op == EltwiseOp::affine && p && after.kind == ActivationKind::relu;
  const EltwiseFns& first =
      eltwise_fns(rectified ? EltwiseOp::affine_relu : problem.op, problem.cap);
  const EltwiseFn fn = p ? first.per_element : first.uniform;
  const bool again = after.kind != ActivationKind::none && !rectified;
  const EltwiseFn then =
      again ? eltwise_fns(activation_op(after), problem.cap).uniform : nullptr;
  const bool dense = rows.src_stride == rows.cols && rows.dst_stride == rows.cols;
  const std::int64_t block = std::max<std::int64_t>(1, kBlock / std::max<std::int64_t>(1, rows.cols));
  const FpEnvScope fp_env;
  parallel_for((rows.rows + block - 1) / block, threads_of(rows.rows * rows.cols, problem.threads),
               [&](std::int64_t chunk, int) {
    const std::int64_t last = std::min(rows.rows, (chunk + 1) * block);
    const std::int64_t step = dense ? last - chunk * block : 1;
    for (std::int64_t row = chunk * block; row < last; row += step) {
      EltwiseArgs args;
      args.src = problem.src + row * rows.src_stride;
      args.dst = problem.dst + row * rows.dst_stride;
      args.n = rows.cols;
      args.rows = step;
      args.p = p;
      args.q = q;
      if (!p) {
        args.n *= step;
        args.rows = 1;
        args.p = rows.alpha;
      }
      fn(args);
      if (!again) continue;
      args.src = args.dst;
      args.n = step * rows.cols;
      args.rows = 1;
      args.p = &after.alpha;
      then(args);
    }
  });
}

}  // namespace pyconv
