#include "ops/softmax.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "base/workspace.h"
#include "kernels/softmax/softmax.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kChunk = 1 << 13;        // floats of one chunk, where rows are shorter
constexpr std::int64_t kMostScratch = 1 << 16;  // floats: 256 KiB stay in L2 beside other arrays
constexpr std::int64_t kWorthThread = 1 << 15;  // floats for which waking a thread pays

WorkspacePool& one_workspace() {
  static WorkspacePool* pool = new WorkspacePool(2, std::size_t{16} << 20);
  return *pool;
}

void run_rows(const SoftmaxProblem& p, const SoftmaxFns& fns, const float* src, float* dst,
              int threads) {
  const std::int64_t group = std::max<std::int64_t>(1, kChunk / p.length);
  parallel_for((p.outer + group - 1) / group, threads, [&](std::int64_t chunk, int) {
    SoftmaxArgs args;
    args.src = src + chunk * group * p.length;
    args.dst = dst + chunk * group * p.length;
    args.length = p.length;
    args.log = p.log;
    args.rows = std::min(group, p.outer - chunk * group);
    fns.rows(args);
  });
}

// Wide blocks read whole pages of each row, as long as their scratch stays in L2.
std::int64_t block_columns(const SoftmaxProblem& p) {
  const std::int64_t most = std::min<std::int64_t>(kSoftmaxColumns, p.inner);
  const std::int64_t fitting = kMostScratch / p.length / 64 * 64;
  return fitting < 64 ? std::min<std::int64_t>(64, most) : std::min(fitting, most);
}

void run_columns(const SoftmaxProblem& p, const SoftmaxFns& fns, const float* src, float* dst,
                 int threads) {
  const std::int64_t width = block_columns(p), blocks = (p.inner + width - 1) / width;
  const std::int64_t wanted = p.length * width;
  const std::int64_t each = wanted <= kMostScratch ? (wanted + 15) / 16 * 16 : 0;
  const WorkspacePool::Lease scratch =
      one_workspace().take(static_cast<std::size_t>(threads * each) * sizeof(float));
  parallel_for(p.outer * blocks, threads, [&](std::int64_t chunk, int worker) {
    const std::int64_t column = chunk % blocks * width;
    const std::int64_t at = chunk / blocks * p.length * p.inner + column;
    SoftmaxArgs args;
    args.src = src + at;
    args.dst = dst + at;
    args.length = p.length;
    args.log = p.log;
    args.stride = p.inner;
    args.columns = static_cast<int>(std::min(width, p.inner - column));
    if (each > 0) args.scratch = static_cast<float*>(scratch.data()) + worker * each;
    fns.columns(args);
  });
}

}  // namespace

void softmax(const SoftmaxProblem& problem, const float* src, float* dst) {
  const std::int64_t n = problem.outer * problem.length * problem.inner;
  if (n == 0) return;
  const FpEnvScope fp_env;
  const SoftmaxFns& fns = *softmax_kernel(problem.cap).fns;
  const int threads =
      worthwhile_threads(static_cast<double>(n), kWorthThread, problem.threads);
  (problem.inner == 1 ? run_rows : run_columns)(problem, fns, src, dst, threads);
}

}  // namespace pyconv
