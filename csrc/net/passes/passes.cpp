#include "net/passes/passes.h"

#include <algorithm>

#include "base/status.h"

namespace pyconv {

#define PYCONV_PASSES(X)                                                                         \
  X(drop_identities, true, "identity nodes, and reshapes that change nothing, go")               \
  X(fold_constants, true, "nodes whose inputs are all known are computed once; dead nodes go")   \
  X(fold_padding, true, "zeros around an image become the padding of the convolution behind")    \
  X(fold_batch_norm, false, "a batch norm behind a convolution or linear layer moves into its weights") \
  X(fuse_residual, true, "an addition behind a convolution becomes its residual input")          \
  X(fuse_activation, true, "an activation moves into the node before it")                      \
  X(fuse_scale, true, "a pointwise convolution behind a squeeze-and-excitation scales its own input") \
  X(fuse_norm, true, "a pointwise convolution behind a batch norm normalises its own input") \
  X(fuse_inverted_residual, true, "pointwise, depthwise, pointwise convolutions become one block")

#define X(name, keeps_bits, summary) void pass_##name(Graph&, RewriteLog&);
PYCONV_PASSES(X)
#undef X

int sole_producer(const Graph& graph, ValueId value) {
  const int producer = graph.value(value).producer;
  if (producer < 0 || graph.nodes()[static_cast<std::size_t>(producer)].dead) return -1;
  return graph.is_output(value) || graph.readers(value).size() != 1 ? -1 : producer;
}

const std::vector<Pass>& graph_passes() {
  static const std::vector<Pass> list = {
#define X(name, keeps_bits, summary) {#name, summary, keeps_bits, pass_##name},
      PYCONV_PASSES(X)
#undef X
  };
  return list;
}

std::vector<Rewrite> run_passes(Graph* graph, const std::vector<std::string>& without) {
  std::string names;
  for (const Pass& pass : graph_passes()) names += (names.empty() ? "" : ", ") + std::string(pass.name);
  for (const std::string& name : without)
    if (std::none_of(graph_passes().begin(), graph_passes().end(),
                     [&](const Pass& pass) { return name == pass.name; }))
      throw InvalidArgument("without: expected names among " + names + ", got '" + name + "'");
  std::vector<Rewrite> rewrites;
  RewriteLog log(&rewrites);
  for (const Pass& pass : graph_passes()) {
    if (std::find(without.begin(), without.end(), pass.name) != without.end()) continue;
    log.begin(pass.name);
    pass.run(*graph, log);
    graph->compact();
  }
  return rewrites;
}

}  // namespace pyconv
