// reorder: the same tensor in another placement. Only the planner makes such nodes.
#include <cstring>

#include "net/ops/common.h"
#include "ops/layout.h"

namespace pyconv {

namespace {

class ConvertStep final : public Step {
 public:
  explicit ConvertStep(const StepArgs& args)
      : sizes_(image_sizes(args.shape(0))), to_(args.out[0].layout),
        pixel_(to_ == Layout::nhwc ? args.out[0].pixel : args.in[0].pixel),
        cap_(args.options.max_isa), threads_(args.options.threads) {}
  void run(void* const* tensors, void*) const override {
    convert_layout(static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]), to_,
                   sizes_.images, sizes_.channels, sizes_.pixels, pixel_, cap_, threads_);
  }
  StepReport report() const override { return {"transpose", "", threads_}; }

 private:
  ImageSizes sizes_;
  Layout to_;
  std::int64_t pixel_;
  Isa cap_;
  int threads_;
};

// Rows of `run` bytes at distances that may differ.
class CopyStep final : public Step {
 public:
  explicit CopyStep(const StepArgs& args) {
    const std::size_t size = dtype_size(args.input(0).dtype);
    const Placement &in = args.in[0], &out = args.out[0];
    if (in.pixel == 0 && out.pixel == 0) {
      run_ = args.input(0).bytes();
      return;
    }
    const ImageSizes sizes = image_sizes(args.shape(0));
    rows_ = sizes.images * sizes.pixels;
    run_ = static_cast<std::size_t>(sizes.channels) * size;
    src_ = in.pixel ? static_cast<std::size_t>(in.pixel) * size : run_;
    dst_ = out.pixel ? static_cast<std::size_t>(out.pixel) * size : run_;
  }
  void run(void* const* tensors, void*) const override {
    const char* src = static_cast<const char*>(tensors[0]);
    char* dst = static_cast<char*>(tensors[1]);
    for (std::int64_t i = 0; i < rows_; ++i, src += src_, dst += dst_)
      if (run_) std::memcpy(dst, src, run_);
  }
  StepReport report() const override { return {"copy", "", 1}; }

 private:
  std::int64_t rows_ = 1;
  std::size_t run_ = 0, src_ = 0, dst_ = 0;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  if (args.in[0].layout == args.out[0].layout) return std::make_unique<CopyStep>(args);
  args.need_f32(0, "x");
  return std::make_unique<ConvertStep>(args);
}

OpDef define() {
  OpDef op{};
  op.name = "reorder";
  op.least_inputs = op.most_inputs = 1;
  op.infer = infer_same;
  op.plan = plan;
  op.any_source = true;
  op.strided = true;
  return op;
}

}  // namespace

const OpDef op_reorder = define();

}  // namespace pyconv
