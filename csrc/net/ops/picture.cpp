// picture: bytes (N, H, W, C) to an image (N, C, H, W) through a table (C, 256): image channel c of a pixel is
// table[c][byte order[c] of it]. Scaling, mean, std and the order of channels in one pass.
#include <algorithm>

#include "base/thread_pool.h"
#include "net/ops/common.h"
#include "ops/extents.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  args.need_rank(0, "x", 4);
  args.need_f32(1, "table");
  args.need_constant(1, "table");
  const Shape& x = args.shape(0);
  if (args.input(0).dtype != DType::u8)
    args.refuse(std::string("x: expected uint8, got ") + dtype_name(args.input(0).dtype));
  if (args.shape(1) != Shape{x[3], 256})
    args.refuse("table: expected shape " + Shape{x[3], 256}.text() + ", got " + args.shape(1).text());
  const Integers order = args.attributes().integers("order", {});
  bool good = static_cast<std::int64_t>(order.size()) == x[3];
  for (const std::int64_t channel : order) good = good && channel >= 0 && channel < x[3];
  if (!good) args.refuse("order: expected a channel of " + x.text() + " for each channel");
  return {{DType::f32, {x[0], x[3], x[1], x[2]}}};
}

class PictureStep final : public Step {
 public:
  explicit PictureStep(const StepArgs& args)
      : images_(args.shape(0)[0]),
        pixels_(args.shape(0)[1] * args.shape(0)[2]),
        channels_(args.shape(0)[3]),
        channels_last_(args.out[0].layout == Layout::nhwc),
        order_(args.attributes().integers("order", {})),
        threads_(threads_for(2.0 * static_cast<double>(args.input(0).bytes()), args.options.threads)) {}

  void run(void* const* tensors, void*) const override {
    const std::uint8_t* src = static_cast<const std::uint8_t*>(tensors[0]);
    const float* table = static_cast<const float*>(tensors[1]);
    float* dst = static_cast<float*>(tensors[2]);
    const std::int64_t blocks = (pixels_ + kBlock - 1) / kBlock;
    const std::int64_t next_pixel = channels_last_ ? channels_ : 1;
    const std::int64_t next_channel = channels_last_ ? 1 : pixels_;
    parallel_for(images_ * blocks, threads_, [&](std::int64_t chunk, int) {
      const std::int64_t base = chunk / blocks * pixels_ * channels_;
      const std::int64_t first = chunk % blocks * kBlock, last = std::min(pixels_, first + kBlock);
      for (std::int64_t c = 0; c < channels_; ++c) {
        const float* own = table + c * 256;
        const std::uint8_t* from = src + base + order_[static_cast<std::size_t>(c)];
        float* to = dst + base + c * next_channel;
        for (std::int64_t i = first; i < last; ++i) to[i * next_pixel] = own[from[i * channels_]];
      }
    });
  }
  StepReport report() const override { return {"table", "", threads_}; }

 private:
  static constexpr std::int64_t kBlock = 1024;  // pixels
  std::int64_t images_, pixels_, channels_;
  bool channels_last_;
  Integers order_;
  int threads_;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  return std::make_unique<PictureStep>(args);
}

OpDef define() {
  OpDef op{};
  op.name = "picture";
  op.least_inputs = op.most_inputs = 2;
  op.attributes = {{"order", AttributeKind::integers}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::channels_last;
  op.images = 0;
  return op;
}

}  // namespace

const OpDef op_picture = define();

}  // namespace pyconv
