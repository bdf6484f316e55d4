// Elements moved and not computed: transpose (attribute axes, reversed where absent), slice (starts, ends,
// steps, axes), expand (shape), tile (repeats), pad (pads: all befores, then all
// afters; mode; value), gather (x, indices; axis).
#include <algorithm>
#include <string>

#include "net/ops/tensor_common.h"
#include "ops/tensor/index_map.h"
#include "ops/tensor/move.h"

namespace pyconv {

namespace {

OpDef define(const char* name, std::vector<AttributeSpec> attributes,
             std::vector<TensorType> (*infer)(const NodeArgs&),
             std::unique_ptr<Step> (*plan)(const StepArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = std::move(attributes);
  op.infer = infer;
  op.plan = plan;
  return op;
}

// A copy of a view of input 0, `skip` elements from its start, along the output's memory.
std::unique_ptr<Step> copy_step(const StepArgs& args, const TensorView& view, std::int64_t skip = 0) {
  const std::vector<int> order = memory_order(args.output().shape.rank, args.out[0]);
  const TensorView src = permuted_view(view, order.data());
  const TensorView dst = permuted_view(placed_view(args.output(), args.out[0]), order.data());
  const auto bytes = skip * static_cast<std::int64_t>(dtype_size(src.dtype));
  const Isa cap = args.options.max_isa;
  const int threads = args.options.threads;
  return function_step([src, dst, bytes, cap, threads](void* const* tensors, void*) {
    copy(at(src, static_cast<char*>(tensors[0]) + bytes), at(dst, tensors[1]), cap, threads);
  });
}

std::vector<int> transposed_axes(const NodeArgs& args) {
  std::vector<int> axes = axes_attribute(args, "axes");
  if (!args.attributes().find("axes")) std::reverse(axes.begin(), axes.end());
  if (static_cast<int>(axes.size()) != args.shape(0).rank)
    args.refuse("axes: expected all " + std::to_string(args.shape(0).rank) + " axes of x, got " +
                std::to_string(axes.size()));
  return axes;
}

std::vector<TensorType> infer_transpose(const NodeArgs& args) {
  const TensorView view = dense_view(nullptr, args.input(0).dtype, args.shape(0));
  return {{view.dtype, permuted_view(view, transposed_axes(args).data()).shape}};
}

std::unique_ptr<Step> plan_transpose(const StepArgs& args) {
  const TensorView view = dense_view(nullptr, args.input(0).dtype, args.shape(0));
  return copy_step(args, permuted_view(view, transposed_axes(args).data()));
}

struct Range {
  std::int64_t start = 0, step = 1, count = 0;
};

// start:end:step of an axis: negative positions count from the end. As ONNX has it, a start before the
// front is the first element whatever the step (numpy: nothing, where the step is negative).
Range range_of(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  const auto clipped = [&](std::int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return step > 0 ? std::min(std::max<std::int64_t>(at, 0), size)
                    : std::min(std::max<std::int64_t>(at, -1), size - 1);
  };
  const std::int64_t first = size == 0 ? 0 : std::max<std::int64_t>(0, clipped(start));
  const std::int64_t last = size == 0 ? 0 : clipped(end);
  const std::int64_t room = step > 0 ? last - first : first - last;
  const std::uint64_t stride =
      step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  Range range{first, step, 0};
  if (room > 0) range.count = static_cast<std::int64_t>((static_cast<std::uint64_t>(room) - 1) / stride) + 1;
  if (range.count <= 1) range.step = 1;
  return range;
}

std::vector<Range> slice_ranges(const NodeArgs& args) {
  const Shape& x = args.shape(0);
  const Integers starts = args.attributes().integers("starts", {});
  const Integers ends = args.attributes().integers("ends", {});
  const Integers steps = args.attributes().integers("steps", Integers(starts.size(), 1));
  std::vector<int> axes = axes_attribute(args, "axes");
  if (!args.attributes().find("axes")) axes.resize(std::min(axes.size(), starts.size()));
  if (ends.size() != starts.size() || steps.size() != starts.size() || axes.size() != starts.size())
    args.refuse("starts, ends, steps, axes: expected as many of each, got " +
                std::to_string(starts.size()) + ", " + std::to_string(ends.size()) + ", " +
                std::to_string(steps.size()) + " and " + std::to_string(axes.size()));
  std::vector<Range> ranges;
  for (int i = 0; i < x.rank; ++i) ranges.push_back({0, 1, x[i]});
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] == 0) args.refuse("steps: expected steps other than 0");
    const auto axis = static_cast<std::size_t>(axes[i]);
    ranges[axis] = range_of(x[axes[i]], starts[i], ends[i], steps[i]);
  }
  return ranges;
}

std::vector<TensorType> infer_slice(const NodeArgs& args) {
  TensorType out = args.input(0);
  const std::vector<Range> ranges = slice_ranges(args);
  for (int i = 0; i < out.shape.rank; ++i) out.shape[i] = ranges[static_cast<std::size_t>(i)].count;
  return {out};
}

std::unique_ptr<Step> plan_slice(const StepArgs& args) {
  TensorView view = placed_view(args.input(0), args.in[0]);
  const std::vector<Range> ranges = slice_ranges(args);
  std::int64_t skip = 0;
  for (int i = 0; i < view.shape.rank; ++i) {
    const Range& range = ranges[static_cast<std::size_t>(i)];
    if (range.count > 0) skip += range.start * view.strides[i];
    view.shape[i] = range.count;
    view.strides[i] *= range.step;
  }
  return copy_step(args, view, args.output().shape.elements() == 0 ? 0 : skip);
}

std::vector<TensorType> infer_expand(const NodeArgs& args) {
  const Integers sizes = args.attributes().integers("shape", {});
  if (sizes.size() > kMaxRank) args.refuse("shape: expected at most 8 dimensions");
  Shape wanted;
  wanted.rank = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), wanted.dims);
  return {{args.input(0).dtype, refusing(args, [&] {
             need_shape("shape", wanted);
             return broadcast_shape(args.shape(0), wanted);
           })}};
}

std::unique_ptr<Step> plan_expand(const StepArgs& args) {
  const TensorView view = dense_view(nullptr, args.input(0).dtype, args.shape(0));
  return copy_step(args, broadcast_view(view, args.output().shape));
}

// A copy by tables, one per axis of x.
std::unique_ptr<Step> mapped_step(const StepArgs& args,
                                  const std::vector<std::vector<std::int64_t>>& tables, double outside) {
  const DType dtype = args.input(0).dtype;
  Shape shape = args.shape(0);
  std::vector<std::vector<std::int64_t>> ordered;
  for (const int axis : memory_order(shape.rank, args.in[0])) {
    shape[static_cast<int>(ordered.size())] = args.shape(0)[axis];
    ordered.push_back(tables[static_cast<std::size_t>(axis)]);
  }
  auto map = std::make_shared<MappedCopy>(shape, std::move(ordered), dtype);
  std::vector<char> value(8);
  const TensorView to = dense_view(value.data(), dtype, Shape());
  const float given = static_cast<float>(outside);
  if (dtype == DType::i64)
    *to.as<std::int64_t>() = static_cast<std::int64_t>(outside);
  else
    cast(dense_view(&given, DType::f32, Shape()), to, 1);
  const int threads = args.options.threads;
  return function_step([map, value, threads](void* const* tensors, void*) {
    map->run(tensors[0], tensors[1], value.data(), threads);
  });
}

Integers counts_attribute(const NodeArgs& args, const char* name, std::size_t count) {
  const Integers values = args.attributes().integers(name, {});
  if (values.size() != count)
    args.refuse(std::string(name) + ": expected " + std::to_string(count) + " integers for x of shape " +
                args.shape(0).text() + ", got " + std::to_string(values.size()));
  return values;
}

std::vector<TensorType> infer_tile(const NodeArgs& args) {
  TensorType out = args.input(0);
  const Integers repeats =
      counts_attribute(args, "repeats", static_cast<std::size_t>(out.shape.rank));
  for (int i = 0; i < out.shape.rank; ++i) {
    const std::int64_t times = repeats[static_cast<std::size_t>(i)];
    if (times < 0 || __builtin_mul_overflow(out.shape[i], times, &out.shape[i]))
      args.refuse("repeats: expected numbers of 0 or more, got " + std::to_string(times));
    if (out.shape[i] > kMostIndices)
      args.refuse("repeats: expected at most 2^28 elements along an axis, got " +
                  std::to_string(out.shape[i]));
  }
  return {out};
}

std::unique_ptr<Step> plan_tile(const StepArgs& args) {
  const Shape &x = args.shape(0), &y = args.output().shape;
  std::vector<std::vector<std::int64_t>> tables(static_cast<std::size_t>(x.rank));
  for (int i = 0; i < x.rank; ++i)
    for (std::int64_t j = 0; j < y[i]; ++j) tables[static_cast<std::size_t>(i)].push_back(j % x[i]);
  return mapped_step(args, tables, 0.0);
}

EdgeMode edge_mode(const NodeArgs& args) {
  const std::string name = args.attributes().text("mode", "constant");
  if (name == "constant") return EdgeMode::constant;
  if (name == "reflect") return EdgeMode::reflect;
  if (name == "edge") return EdgeMode::edge;
  if (name == "wrap") return EdgeMode::wrap;
  args.refuse("mode: expected constant, reflect, edge or wrap, got '" + name + "'");
}

std::vector<TensorType> infer_pad(const NodeArgs& args) {
  TensorType out = args.input(0);
  const int rank = out.shape.rank;
  const Integers pads = counts_attribute(args, "pads", 2 * static_cast<std::size_t>(rank));
  const EdgeMode mode = edge_mode(args);
  for (int i = 0; i < rank; ++i) {
    const std::int64_t before = pads[static_cast<std::size_t>(i)];
    const std::int64_t after = pads[static_cast<std::size_t>(i + rank)];
    out.shape[i] = refusing(args, [&] { return padded_size(out.shape[i], before, after, mode); });
  }
  return {out};
}

std::unique_ptr<Step> plan_pad(const StepArgs& args) {
  const Shape& x = args.shape(0);
  const Integers pads = args.attributes().integers("pads", {});
  std::vector<std::vector<std::int64_t>> tables;
  for (int i = 0; i < x.rank; ++i)
    tables.push_back(pad_table(x[i], pads[static_cast<std::size_t>(i)],
                               pads[static_cast<std::size_t>(i + x.rank)], edge_mode(args)));
  return mapped_step(args, tables, args.attributes().number("value", 0.0));
}

int gather_axis(const NodeArgs& args) {
  return refusing(args, [&] {
    return need_axis("axis", args.attributes().integer("axis", 0), args.shape(0).rank);
  });
}

std::vector<TensorType> infer_gather(const NodeArgs& args) {
  const Shape &x = args.shape(0), &indices = args.shape(1);
  const DType type = args.input(1).dtype;
  if (type != DType::i64 && type != DType::i32)
    args.refuse(std::string("indices: expected int64 or int32, got ") + dtype_name(type));
  const int axis = gather_axis(args);
  if (const Constant* known = args.constant(1))
    for (const std::int64_t index : known->integers())
      if (index < -x[axis] || index >= x[axis])
        args.refuse("indices: expected indices of an axis of " + std::to_string(x[axis]) + ", got " +
                    std::to_string(index));
  Shape out;
  if (x.rank - 1 + indices.rank > kMaxRank) args.refuse("indices: expected at most 8 dimensions in all");
  for (int i = 0; i < axis; ++i) out[out.rank++] = x[i];
  for (int i = 0; i < indices.rank; ++i) out[out.rank++] = indices[i];
  for (int i = axis + 1; i < x.rank; ++i) out[out.rank++] = x[i];
  return {{args.input(0).dtype, out}};
}

std::unique_ptr<Step> plan_gather(const StepArgs& args) {
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const TensorView indices = placed_view(args.input(1), args.in[1]);
  const TensorView dst = placed_view(args.output(), args.out[0]);
  const int axis = gather_axis(args), threads = args.options.threads;
  return function_step([=](void* const* tensors, void*) {
    gather(at(src, tensors[0]), axis, at(indices, tensors[1]), at(dst, tensors[2]), threads);
  });
}

// Images may lie as they come: the axes are taken in the order of memory.
OpDef follow(OpDef op) {
  op.layout = LayoutRule::follow;
  return op;
}

OpDef define_gather() {
  OpDef op = define("gather", {{"axis", AttributeKind::integer}}, infer_gather, plan_gather);
  op.least_inputs = op.most_inputs = 2;
  return op;
}

}  // namespace

const OpDef op_transpose =
    define("transpose", {{"axes", AttributeKind::integers}}, infer_transpose, plan_transpose);
const OpDef op_slice = follow(define("slice",
                                     {{"starts", AttributeKind::integers},
                                      {"ends", AttributeKind::integers},
                                      {"steps", AttributeKind::integers},
                                      {"axes", AttributeKind::integers}},
                                     infer_slice, plan_slice));
const OpDef op_expand =
    define("expand", {{"shape", AttributeKind::integers}}, infer_expand, plan_expand);
const OpDef op_tile =
    follow(define("tile", {{"repeats", AttributeKind::integers}}, infer_tile, plan_tile));
const OpDef op_pad = follow(define("pad",
                                   {{"pads", AttributeKind::integers},
                                    {"mode", AttributeKind::text},
                                    {"value", AttributeKind::number}},
                                   infer_pad, plan_pad));
const OpDef op_gather = define_gather();

}  // namespace pyconv
