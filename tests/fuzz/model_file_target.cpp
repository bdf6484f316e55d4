// What libFuzzer calls with each input: the bytes are read as a model file, and where they are one and the
// network is small, it is compiled and run. tests/fuzz/run.py builds it; README.md says what is promised.
//
// Refusing is InvalidArgument with a text that begins with the file's name. Anything else that leaves the
// reader, memory beyond kBytesPerByte for each byte of the file, and whatever the sanitizers and libFuzzer
// find (crash, leak, undefined behaviour, an input that takes seconds), ends the program.
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/model.h"
#include "net/model_file.h"

namespace {

using namespace pyconv;

constexpr std::size_t kBytesPerByte = 64, kBesides = 32 << 10;  // as net/model_file.h promises
// Networks within these are compiled and run.
constexpr std::size_t kMostNodes = 64, kMostTensorBytes = 1 << 20, kMostArena = 64 << 20;
constexpr double kMostMacs = 1e7;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "promise broken: %s\n", why.c_str());
  std::abort();
}

// Bytes that the heap holds, and the most that it held since reset().
struct Heap {
  static inline std::size_t now = 0, peak = 0;
  static void taken(const volatile void*, std::size_t bytes) {
    now += bytes;
    peak = std::max(peak, now);
  }
  static void given(const volatile void* block) {
    const std::size_t bytes = block ? __sanitizer_get_allocated_size(block) : 0;
    now -= std::min(now, bytes);
  }
  static void reset() { now = peak = 0; }
};

// Where the caller says so, nothing is compiled: the reader alone is far faster.
bool reader_only() {
  static const bool only = std::getenv("PYCONV_FUZZ_READER_ONLY") != nullptr;
  return only;
}

bool is_small(const Graph& graph) {
  if (graph.nodes().size() > kMostNodes) return false;
  std::size_t bytes = 0;
  for (const Value& value : graph.values()) {
    bytes += value.type.bytes();
    if (bytes > kMostTensorBytes) return false;
  }
  double macs = 0;
  for (const Node& node : graph.nodes())
    if (node.op->macs) macs += static_cast<double>(node.op->macs(NodeArgs(graph, node)));
  return macs <= kMostMacs;
}

// Exactly as many bytes as the tensor has, so that the address sanitizer sees one more.
struct Array {
  explicit Array(const TensorType& type) : bytes(type.bytes()), data(std::malloc(bytes)) {
    std::memset(data, type.dtype == DType::boolean ? 1 : 0, bytes);
    if (type.dtype == DType::f32)
      for (std::size_t i = 0; i < bytes / sizeof(float); ++i)
        static_cast<float*>(data)[i] = static_cast<float>(i % 7) - 2.5f;
    else if (type.dtype != DType::boolean)
      for (std::size_t i = 0; i < bytes; i += 3) static_cast<unsigned char*>(data)[i] = static_cast<unsigned char>(i);
  }
  Array(const Array&) = delete;
  Array(Array&& other) noexcept : bytes(other.bytes), data(std::exchange(other.data, nullptr)) {}
  ~Array() { std::free(data); }
  std::size_t bytes;
  void* data;
};

void run(const Model& model) {
  std::vector<Array> inputs, outputs;
  std::vector<const void*> from;
  std::vector<void*> to;
  const Graph& graph = model.graph();
  for (const ValueId id : graph.inputs()) inputs.emplace_back(graph.type(id));
  for (const ValueId id : graph.outputs()) outputs.emplace_back(graph.type(id));
  for (const Array& array : inputs) from.push_back(array.data);
  for (const Array& array : outputs) to.push_back(array.data);
  model.run(from.data(), to.data());
}

void compile(Graph graph, bool exact) {
  CompileOptions options;
  options.plan.accuracy = exact ? Accuracy::exact : Accuracy::fast;
  options.memory_limit = kMostArena;
  try {
    const Model model(std::move(graph), options);
    run(model);
  } catch (const InvalidArgument& error) {
    if (!*error.what()) fail("a refusal without a word");
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (!__sanitizer_install_malloc_and_free_hooks(Heap::taken, Heap::given)) fail("no hooks on malloc");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ModelFile file;
  // A copy as aligned as a mapped file, which ends where the data does.
  const std::shared_ptr<void> copy(std::aligned_alloc(64, (size + 64) / 64 * 64), std::free);
  auto* bytes = static_cast<unsigned char*>(copy.get()) + (size + 64) / 64 * 64 - size;
  bytes -= reinterpret_cast<std::uintptr_t>(bytes) % 8;
  std::memcpy(bytes, data, size);
  Heap::reset();
  try {
    file = parse_model_file("fuzzed", bytes, size, copy);
  } catch (const InvalidArgument& error) {
    if (std::strncmp(error.what(), "fuzzed: ", 8) != 0 || std::strlen(error.what()) < 12)
      fail(std::string("a refusal that says nothing: ") + error.what());
  }
  if (Heap::peak > kBytesPerByte * size + kBesides)
    fail(std::to_string(Heap::peak) + " bytes of memory for a file of " + std::to_string(size));
  if (!reader_only() && !file.graph.outputs().empty() && is_small(file.graph))
    compile(std::move(file.graph), size % 2 != 0);
  return 0;
}
