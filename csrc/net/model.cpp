#include "net/model.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/status.h"
#include "base/thread_pool.h"
#include "net/memory_plan.h"
#include "net/one_image.h"
#include "simd/fp_env.h"

namespace pyconv {

struct Model::Worker {
  AlignedBuffer arena;
  std::vector<void*> operands;
};

struct Model::State {
  std::vector<Worker> workers;
};

Model::~Model() = default;

namespace {

void pin_algorithms(Graph* graph, const std::vector<std::pair<std::string, std::string>>& pins) {
  for (const auto& [name, algorithm] : pins) {
    Node* found = nullptr;
    for (std::size_t i = 0; i < graph->nodes().size(); ++i) {
      Node& node = graph->node(static_cast<int>(i));
      const auto& parts = node.absorbed;
      const bool part = std::find(parts.begin(), parts.end(), name) != parts.end();
      if (node.name == name || part) found = &node;
      if (node.name == name) break;
    }
    if (!found) throw InvalidArgument("algorithms: there is no node '" + name + "' in the graph");
    if (found->op != &op_conv)
      throw InvalidArgument("algorithms: expected the name of a convolution, got '" + name + "', which is " +
                            (found->name == name ? "" : "part of ") + "a node of operator " +
                            found->op->name);
    if (algorithm != "auto") found->algorithm = algorithm;
  }
}

}  // namespace

Model::Model(Graph graph, const CompileOptions& options)
    : graph_(std::move(graph)), options_(options) {
  if (graph_.outputs().empty()) throw InvalidArgument("graph: expected outputs, there are none");
  const FpEnvScope fp_env;
  const ParallelPlanning planning;
  graph_.compact();
  pin_algorithms(&graph_, options.algorithms);
  rewrites_ = run_passes(&graph_, options.without);
  choose_images();
  plan_within_limit();
  for (const LoweredStep& step : lowered_.steps) {
    first_operand_.push_back(operands_);
    const auto count = [&](const std::vector<int>& tensors) {
      for (const int id : tensors) {
        const std::size_t operand = operands_++;
        if (id < 0) continue;
        const Tensor& tensor = lowered_.tensors[static_cast<std::size_t>(id)];
        const Buffer& buffer = lowered_.buffers[static_cast<std::size_t>(tensor.buffer)];
        if (buffer.space == Space::input || buffer.space == Space::output)
          bindings_.push_back({operand, tensor.offset, buffer.space, buffer.index, buffer.bytes});
      }
    };
    count(step.inputs);
    count(step.outputs);
  }
  if (options.release_weights) {
    graph_.release_constants();
    one_.release_constants();
  }
  states_.reserve(kKeptStates);
  states_.push_back(make_state());
}

// The largest limit on the workspace of one step under which the arena fits, found by bisection over the
// sizes that occur.
void Model::plan_within_limit() {
  const auto plan = [&](std::size_t workspace_limit) {
    options_.plan.workspace_limit = workspace_limit;
    lowered_ = lower(planned_graph(), options_.plan);
    arena_bytes_ = plan_memory(&lowered_);
    return arena_bytes() <= options_.memory_limit;
  };
  if (plan(options_.plan.workspace_limit)) return;
  std::vector<std::size_t> sizes = {0};
  for (const LoweredStep& step : lowered_.steps) sizes.push_back(step.step->workspace_bytes());
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  if (!plan(0))
    throw InvalidArgument("memory_limit: expected " + std::to_string(arena_bytes()) +
                          " bytes or more for this network, got " +
                          std::to_string(options_.memory_limit));
  std::size_t fits = 0, fails = sizes.size() - 1;
  while (fails - fits > 1) {
    const std::size_t middle = (fits + fails) / 2;
    (plan(sizes[middle]) ? fits : fails) = middle;
  }
  plan(sizes[fits]);
}

// Images that share nothing go to threads where they come out even; else the threads share each image.
void Model::choose_images() {
  Graph one;
  const std::int64_t images = split_batch(graph_, &one);
  if (images < 2 || !images_pay(one)) return;
  images_ = images;
  one_ = std::move(one);
  workers_ = threads_for_images(one_, images, options_.plan.threads);
  if (workers_ > 1) options_.plan.threads = 1;
}

std::unique_ptr<Model::State> Model::make_state() const {
  auto state = std::make_unique<State>();
  for (int i = 0; i < workers_; ++i) state->workers.push_back(make_worker());
  return state;
}

Model::Worker Model::make_worker() const {
  Worker made;
  Worker* const state = &made;
  state->arena = AlignedBuffer(arena_bytes_);
  if (arena_bytes_) std::memset(state->arena.data(), 0, arena_bytes_);  // page faults happen here
  state->operands.assign(operands_, nullptr);
  char* arena = static_cast<char*>(state->arena.data());
  for (std::size_t s = 0; s < lowered_.steps.size(); ++s) {
    std::size_t operand = first_operand_[s];
    const auto resolve = [&](const std::vector<int>& tensors) {
      for (const int id : tensors) {
        void*& to = state->operands[operand++];
        if (id < 0) continue;
        const Tensor& tensor = lowered_.tensors[static_cast<std::size_t>(id)];
        const Buffer& buffer = lowered_.buffers[static_cast<std::size_t>(tensor.buffer)];
        if (buffer.space == Space::arena)
          to = arena + buffer.offset + tensor.offset;
        else if (buffer.space == Space::constant)
          to = static_cast<char*>(const_cast<void*>(buffer.constant->data)) + tensor.offset;
      }
    };
    resolve(lowered_.steps[s].inputs);
    resolve(lowered_.steps[s].outputs);
  }
  return made;
}

Model::Lease::Lease(const Model& model) : model_(model) {
  {
    const std::lock_guard<std::mutex> lock(model.mutex_);
    if (!model.states_.empty()) {
      state_ = std::move(model.states_.back());
      model.states_.pop_back();
    }
  }
  if (!state_) state_ = model.make_state();
}

Model::Lease::~Lease() {
  const std::lock_guard<std::mutex> lock(model_.mutex_);
  if (model_.states_.size() < kKeptStates) model_.states_.push_back(std::move(state_));
}

void Model::bind(Worker* worker, const void* const* inputs, void* const* outputs,
                 std::int64_t image) const {
  for (const Binding& binding : bindings_) {
    char* base = static_cast<char*>(binding.space == Space::input
                                        ? const_cast<void*>(inputs[binding.index])
                                        : outputs[binding.index]);
    worker->operands[binding.operand] =
        base + static_cast<std::size_t>(image) * binding.image_bytes + binding.offset;
  }
}

void Model::run_image(const Worker& worker) const {
  char* arena = static_cast<char*>(worker.arena.data());
  for (std::size_t s = 0; s < lowered_.steps.size(); ++s) {
    const LoweredStep& step = lowered_.steps[s];
    step.step->run(worker.operands.data() + first_operand_[s], arena + step.workspace_offset);
  }
}

void Model::run(const void* const* inputs, void* const* outputs) const {
  const FpEnvScope fp_env;
  const ParallelSession session(std::max(workers_, options_.plan.threads));
  Lease lease(*this);
  std::vector<Worker>& workers = lease.state().workers;
  parallel_for(images_, workers_, [&](std::int64_t image, int index) {
    Worker& worker = workers[static_cast<std::size_t>(index)];
    bind(&worker, inputs, outputs, image);
    run_image(worker);
  });
}

void Model::profile(const void* const* inputs, void* const* outputs, double* seconds) const {
  using Clock = std::chrono::steady_clock;
  const FpEnvScope fp_env;
  const ParallelSession session(options_.plan.threads);
  Lease lease(*this);
  Worker& worker = lease.state().workers.front();
  char* arena = static_cast<char*>(worker.arena.data());
  for (std::int64_t image = 0; image < images_; ++image) {
    bind(&worker, inputs, outputs, image);
    Clock::time_point before = Clock::now();
    for (std::size_t s = 0; s < lowered_.steps.size(); ++s) {
      const LoweredStep& step = lowered_.steps[s];
      step.step->run(worker.operands.data() + first_operand_[s], arena + step.workspace_offset);
      const Clock::time_point after = Clock::now();
      seconds[s] += std::chrono::duration<double>(after - before).count() / static_cast<double>(images_);
      before = after;
    }
  }
}

std::size_t Model::weight_bytes() const {
  std::size_t bytes = 0;
  for (const LoweredStep& step : lowered_.steps) bytes += step.step->packed_bytes();
  for (const Buffer& buffer : lowered_.buffers)
    if (buffer.space == Space::constant) bytes += buffer.bytes;
  return bytes;
}

}  // namespace pyconv
