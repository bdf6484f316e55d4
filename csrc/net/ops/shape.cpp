// reshape: attribute shape, one size of which may be -1. identity: the input under another name.
// Neither moves a byte.
#include "net/ops/common.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer_reshape(const NodeArgs& args) {
  const Integers wanted = args.attributes().integers("shape", {});
  Shape shape;
  if (wanted.size() > kMaxRank)
    args.refuse("shape: expected at most " + std::to_string(kMaxRank) + " dimensions, got " +
                std::to_string(wanted.size()));
  shape.rank = static_cast<int>(wanted.size());
  const std::int64_t elements = args.shape(0).elements();
  std::int64_t known = 1;
  int open = -1;
  std::string text;
  for (int i = 0; i < shape.rank; ++i) {
    shape[i] = wanted[static_cast<std::size_t>(i)];
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  const std::string problem = "shape: expected " + std::to_string(elements) +
                              " elements as in " + args.shape(0).text() + ", got (" + text + ")";
  for (int i = 0; i < shape.rank; ++i) {
    if (shape[i] == -1) {
      if (open >= 0) args.refuse("shape: expected at most one -1, got (" + text + ")");
      open = i;
    } else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) {
      args.refuse(problem);
    }
  }
  if (open >= 0) {
    if (known == 0 || elements % known != 0) args.refuse(problem);
    shape[open] = elements / known;
  } else if (known != elements) {
    args.refuse(problem);
  }
  return {{args.input(0).dtype, shape}};
}

OpDef alias(const char* name, std::vector<TensorType> (*infer)(const NodeArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.infer = infer;
  op.layout = LayoutRule::alias;
  return op;
}

OpDef define_reshape() {
  OpDef op = alias("reshape", infer_reshape);
  op.attributes = {{"shape", AttributeKind::integers}};
  return op;
}

}  // namespace

const OpDef op_reshape = define_reshape();
const OpDef op_identity = alias("identity", infer_same);

}  // namespace pyconv
