// A compiled network run by several threads at once, each of which brings the pool's workers along:
// tests/sanitize/threads.py builds it with the thread sanitizer. Results are compared bit for bit.
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/thread_pool.h"
#include "check.h"
#include "net/model.h"

namespace {

using namespace pyconv;

class Builder {
 public:
  ValueId input(const Shape& shape) { return graph_.add_input("x", {DType::f32, shape}); }

  ValueId weights(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& value : values) value = static_cast<float>(static_cast<int>(next_ = next_ * 75 % 65537) % 15 - 7) / 8;
    return graph_.add_constant("w", constant_of_floats(shape, values));
  }

  ValueId node(const char* op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return graph_.add_node(op, std::move(inputs), std::move(attributes))[0];
  }

  ValueId conv(ValueId x, std::int64_t channels, std::int64_t kernel, std::int64_t groups = 1) {
    Attributes attributes;
    attributes.set("padding", Integers(4, kernel / 2));
    attributes.set("groups", groups);
    const std::int64_t depth = graph_.type(x).shape[1] / groups;
    const ValueId weight = weights({channels, depth, kernel, kernel});
    return node("conv", {x, weight, weights({channels})}, attributes);
  }

  Graph finish(ValueId y) {
    graph_.set_outputs({y}, {"y"});
    return std::move(graph_);
  }

 private:
  Graph graph_;
  int next_ = 1;
};

// Convolutions of several kinds, a residual, two branches that meet, a classifier.
Graph network(std::int64_t images) {
  Builder b;
  ValueId x = b.node("relu", {b.conv(b.input({images, 3, 20, 20}), 16, 3)});
  const ValueId wide = b.node("relu6", {b.conv(x, 32, 1)});
  const ValueId deep = b.node("relu6", {b.conv(wide, 32, 3, 32)});
  x = b.node("add", {x, b.conv(deep, 16, 1)});
  Attributes window;
  window.set("kernel", Integers{2, 2});
  x = b.node("concat", {b.node("max_pool", {x}, window), b.node("avg_pool", {x}, window)});
  x = b.node("silu", {b.conv(x, 32, 3)});
  Attributes flat;
  flat.set("shape", Integers{images, 32});
  x = b.node("reshape", {b.node("global_avg_pool", {x})}, flat);
  x = b.node("linear", {x, b.weights({10, 32}), b.weights({10})});
  return b.finish(b.node("softmax", {x}));
}

struct Case {
  Case(std::int64_t images, Accuracy accuracy, int threads) {
    CompileOptions options;
    options.plan.accuracy = accuracy;
    options.plan.threads = threads;
    options.plan.max_isa = max_isa();
    model = std::make_unique<Model>(network(images), options);
    input.resize(static_cast<std::size_t>(images) * 3 * 20 * 20);
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 29) / 8 - 1;
    expected = run();
  }

  std::vector<float> run() const {
    const Graph& graph = model->graph();
    std::vector<float> y(static_cast<std::size_t>(graph.type(graph.outputs()[0]).shape.elements()));
    const void* from[] = {input.data()};
    void* to[] = {y.data()};
    model->run(from, to);
    return y;
  }

  std::unique_ptr<Model> model;
  std::vector<float> input, expected;
};

void from_threads(int callers, int runs, const std::vector<const Case*>& cases) {
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t)
    threads.emplace_back([&cases, runs, t] {
      for (int i = 0; i < runs; ++i) {
        const Case& one = *cases[static_cast<std::size_t>(t + i) % cases.size()];
        const std::vector<float> y = one.run();
        CHECK(std::memcmp(y.data(), one.expected.data(), y.size() * sizeof(float)) == 0);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main() {
  std::vector<std::unique_ptr<Case>> owned;
  std::vector<const Case*> cases;
  for (const int threads : {1, 2, 4})
    for (const std::int64_t images : {1, 4})
      for (const Accuracy accuracy : {Accuracy::exact, Accuracy::fast}) {
        owned.push_back(std::make_unique<Case>(images, accuracy, threads));
        cases.push_back(owned.back().get());
      }
  for (const Case* one : cases) from_threads(1, 3, {one});
  for (const Case* one : cases) from_threads(4, 5, {one});
  from_threads(8, 3 * static_cast<int>(cases.size()), cases);
  // Models made and dropped while others run.
  std::thread maker([] {
    for (int i = 0; i < 10; ++i) CHECK(Case(1, Accuracy::fast, 2).run().size() == 10);
  });
  from_threads(3, 20, cases);
  maker.join();
  return check::finish("executor");
}
