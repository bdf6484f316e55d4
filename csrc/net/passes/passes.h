// Passes rewrite the Graph before it is planned. Each has a name, can be left out, and says what it did.
#pragma once
#include <string>
#include <vector>

#include "net/graph.h"

namespace pyconv {

struct Rewrite {
  std::string pass, text;  // "fuse_activation", "conv1 takes over relu1 (relu)"
};

class RewriteLog {
 public:
  explicit RewriteLog(std::vector<Rewrite>* log) : log_(log) {}
  void begin(const char* pass) { pass_ = pass; }
  void add(std::string text) { log_->push_back({pass_, std::move(text)}); }

 private:
  std::vector<Rewrite>* log_;
  const char* pass_ = "";
};

struct Pass {
  const char* name;
  const char* summary;
  bool keeps_bits;  // in exact mode the network's results are the same with it and without it
  void (*run)(Graph&, RewriteLog&);
};

// Nodes that nobody reads go.
void drop_unread(Graph& graph, RewriteLog& log);

// The node that makes `value` for one reader alone, which is no output of the graph; else -1.
int sole_producer(const Graph& graph, ValueId value);

// In the order in which they run.
const std::vector<Pass>& graph_passes();

// Runs all but those named in `without`; throws InvalidArgument for a name that is no pass's.
std::vector<Rewrite> run_passes(Graph* graph, const std::vector<std::string>& without);

}  // namespace pyconv
