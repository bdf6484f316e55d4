// concat: inputs of one type side by side along attribute axis. Mostly no step at all: the planner has
// the inputs written into their places (lowering.h).
#include "ops/concat.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "net/ops/common.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  TensorType out = args.input(0);
  int axis = 0;
  try {
    axis = need_axis("axis", args.attributes().integer("axis", 1), out.shape.rank);
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
  for (std::size_t i = 1; i < args.inputs(); ++i) {
    const TensorType& part = args.input(i);
    bool fits = part.dtype == out.dtype && part.shape.rank == out.shape.rank;
    for (int d = 0; fits && d < out.shape.rank; ++d)
      fits = d == axis || part.shape[d] == out.shape[d];
    if (!fits)
      args.refuse("input " + std::to_string(i) + ": expected " + args.input(0).text() +
                  " but for axis " + std::to_string(axis) + ", got " + part.text());
    out.shape[axis] += part.shape[axis];
  }
  return {out};
}

// Bytes rather than floats: a run of an input for each outer index.
class ConcatStep final : public Step {
 public:
  explicit ConcatStep(const StepArgs& args) {
    const Shape& out = args.output().shape;
    const int axis = need_axis("axis", args.attributes().integer("axis", 1), out.rank);
    const bool nhwc = args.out[0].layout == Layout::nhwc;
    static const int order[] = {0, 2, 3, 1};
    const auto run_of = [&](const Shape& shape) {
      bool before = true;
      std::int64_t run = 1;
      outer_ = 1;
      for (int i = 0; i < shape.rank; ++i) {
        const int at = nhwc ? order[i] : i;
        if (at == axis) before = false;
        (before ? outer_ : run) *= shape[at];
      }
      return static_cast<std::size_t>(run) * dtype_size(args.output().dtype);
    };
    for (std::size_t i = 0; i < args.inputs(); ++i) runs_.push_back(run_of(args.shape(i)));
    total_ = run_of(out);
    threads_ = args.options.threads;
  }

  void run(void* const* tensors, void*) const override {
    char* dst = static_cast<char*>(tensors[runs_.size()]);
    const std::int64_t block =
        std::max<std::int64_t>(1, (64 << 10) / static_cast<std::int64_t>(total_ + 1));
    parallel_for((outer_ + block - 1) / block, threads_, [&](std::int64_t chunk, int) {
      const std::int64_t first = chunk * block, last = std::min(outer_, first + block);
      std::size_t at = 0;
      for (std::size_t i = 0; i < runs_.size(); at += runs_[i++]) {
        const char* src = static_cast<const char*>(tensors[i]);
        for (std::int64_t o = first; o < last; ++o)
          std::memcpy(dst + static_cast<std::size_t>(o) * total_ + at,
                      src + static_cast<std::size_t>(o) * runs_[i], runs_[i]);
      }
    });
  }

 private:
  std::vector<std::size_t> runs_;
  std::size_t total_ = 0;
  std::int64_t outer_ = 1;
  int threads_ = 1;
};

std::unique_ptr<Step> plan(const StepArgs& args) { return std::make_unique<ConcatStep>(args); }

OpDef define() {
  OpDef op{};
  op.name = "concat";
  op.least_inputs = 1;
  op.most_inputs = -1;
  op.attributes = {{"axis", AttributeKind::integer}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::follow;
  op.images = ~0u;
  return op;
}

}  // namespace

const OpDef op_concat = define();

}  // namespace pyconv
