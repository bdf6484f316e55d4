// Model: a Graph compiled for one set of shapes. Immutable; any number of threads may run it at once.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/workspace.h"
#include "net/lowering.h"
#include "net/passes/passes.h"

namespace pyconv {

struct CompileOptions {
  PlanOptions plan;
  // Algorithms forced, by the name of a convolution.
  std::vector<std::pair<std::string, std::string>> algorithms;
  std::vector<std::string> without;  // passes to leave out
  // Let go of the constants that runs do not read: the graph cannot be saved or compiled again then.
  bool release_weights = false;
  // Bytes of the arena; algorithms with less workspace are taken until it fits.
  std::size_t memory_limit = static_cast<std::size_t>(-1);
};

class Model {
 public:
  // Throws InvalidArgument when a node can't be run so.
  Model(Graph graph, const CompileOptions& options);

  // inputs and outputs: dense, row-major, of the graph's types, in the graph's order; no output
  // overlaps an input or another output. Allocates nothing once as many calls have run at one time
  // before.
  void run(const void* const* inputs, void* const* outputs) const;

  // As run, with the seconds of every step added to seconds[step]: those of one image, on average, where a
  // batch is run image by image.
  void profile(const void* const* inputs, void* const* outputs, double* seconds) const;

  const Graph& graph() const { return graph_; }
  // What the steps are of: the graph, or that of one image where a batch is run image by image.
  const Graph& planned_graph() const { return images_ > 1 ? one_ : graph_; }
  std::int64_t images() const { return images_; }  // runs of the steps in one run of the model
  int image_threads() const { return workers_; }   // images that run at once
  const LoweredGraph& lowered() const { return lowered_; }
  const std::vector<Rewrite>& rewrites() const { return rewrites_; }
  const CompileOptions& options() const { return options_; }
  // Of all images that run at once.
  std::size_t arena_bytes() const { return arena_bytes_ * static_cast<std::size_t>(workers_); }
  std::size_t weight_bytes() const;  // packed weights, and constants that the steps read

 private:
  struct State;  // what one call at a time needs: an arena, and the addresses of all operands

  class Lease {
   public:
    explicit Lease(const Model& model);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    State& state() { return *state_; }

   private:
    const Model& model_;
    std::unique_ptr<State> state_;
  };
  void plan_within_limit();
  std::unique_ptr<State> make_state() const;
  struct Worker;  // of a State: an arena, and the addresses of all operands in it
  Worker make_worker() const;
  void bind(Worker* worker, const void* const* inputs, void* const* outputs, std::int64_t image) const;
  void run_image(const Worker& worker) const;
  void choose_images();

  Graph graph_, one_;
  std::int64_t images_ = 1;
  int workers_ = 1;
  CompileOptions options_;
  std::vector<Rewrite> rewrites_;
  LoweredGraph lowered_;
  std::size_t arena_bytes_ = 0;
  // Operands of all steps one after the other; those of inputs and outputs are bound in each call.
  struct Binding {
    std::size_t operand, offset;
    Space space;
    int index;
    std::size_t image_bytes;  // from one image of the batch to the next
  };
  std::vector<std::size_t> first_operand_;
  std::size_t operands_ = 0;
  std::vector<Binding> bindings_;

  static constexpr std::size_t kKeptStates = 8;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<State>> states_;

 public:
  ~Model();
};

}  // namespace pyconv
