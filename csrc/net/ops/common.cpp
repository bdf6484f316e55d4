#include "net/ops/common.h"

namespace pyconv {

std::vector<TensorType> infer_same(const NodeArgs& args) { return {args.input(0)}; }

namespace {

void need_values(const NodeArgs& args, const char* name, const Integers& values,
                 std::size_t count, std::int64_t least) {
  bool good = values.size() == count;
  for (const std::int64_t value : values) good = good && value >= least;
  if (good) return;
  std::string got;
  for (const std::int64_t value : values) got += (got.empty() ? "" : ", ") + std::to_string(value);
  args.refuse(std::string(name) + ": expected " + std::to_string(count) + " integers of " +
              std::to_string(least) + " or more, got (" + got + ")");
}

}  // namespace

Pair pair_attribute(const NodeArgs& args, const char* name, std::int64_t otherwise,
                    std::int64_t least) {
  const Integers values = args.attributes().integers(name, {otherwise, otherwise});
  need_values(args, name, values, 2, least);
  return {values[0], values[1]};
}

Sides sides_attribute(const NodeArgs& args, const char* name, std::int64_t least) {
  const Integers values = args.attributes().integers(name, {0, 0, 0, 0});
  need_values(args, name, values, 4, least);
  return {values[0], values[1], values[2], values[3]};
}

Activation activation_attribute(const NodeArgs& args) {
  Activation activation;
  const std::string name = args.attributes().text("activation", "none");
  if (!parse_activation(name, &activation))
    args.refuse("activation: expected the name of one, got '" + name + "'");
  activation.alpha =
      static_cast<float>(args.attributes().number("alpha", activation.alpha));
  return activation;
}

Activation activation_attribute(const StepArgs& args) {
  Activation activation = activation_attribute(static_cast<const NodeArgs&>(args));
  activation.approximate = args.options.accuracy == Accuracy::fast;
  return activation;
}

}  // namespace pyconv
