// The model file: a safetensors file whose metadata holds a graph.
//
//     [8 bytes: header length, little endian][header: JSON][tensors, one after the other]
//     header:  {"__metadata__": {"pyconv.version": "1", "pyconv.graph": GRAPH, ...},
//               NAME: {"dtype": "F32", "shape": [8, 3, 3, 3], "data_offsets": [0, 864]}, ...}
//     GRAPH, as JSON in a string:
//       {"inputs":    [{"name", "dtype", "shape"}],
//        "constants": [{"name", "tensor"}],                names of values, and of the file's tensors
//        "nodes":     [{"op", "name", "inputs", "outputs", "attributes", "absorbed"}],
//        "outputs":   [{"name", "value"}]}                 null stands for an input that is absent
//
// Constants are read where they are mapped. Nothing in the file is trusted: every size is checked against
// the file's, every node is added as a program would add it, shapes are inferred and not read.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "net/graph.h"

namespace pyconv {

struct ModelFile {
  Graph graph;
  std::vector<std::pair<std::string, std::string>> metadata;  // beside the graph
};

constexpr int kModelFileVersion = 1;

// Throws InvalidArgument "PATH: where: why".
ModelFile read_model_file(const std::string& path);

// The same of bytes in memory, which `keeper` owns; messages begin with `name`.
ModelFile parse_model_file(const std::string& name, const unsigned char* data, std::size_t bytes,
                           std::shared_ptr<const void> keeper, bool mapped = false);

}  // namespace pyconv
