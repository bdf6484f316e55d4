#include "net/model_file.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/mapped_file.h"
#include "base/status.h"
#include "net/json.h"
#include "net/op_def.h"

namespace pyconv {

namespace {

constexpr std::size_t kMaxHeader = 100'000'000;  // the bound of the safetensors library

struct StoredTensor {
  TensorType type;
  std::size_t begin, end;  // bytes from the start of the data
};
using StoredTensors = std::unordered_map<std::string, StoredTensor>;

DType stored_dtype(const std::string& code, const std::string& what) {
  static const std::pair<const char*, DType> codes[] = {
      {"F32", DType::f32}, {"I64", DType::i64}, {"I32", DType::i32},
      {"U8", DType::u8},   {"I8", DType::i8},   {"BOOL", DType::boolean}};
  for (const auto& [name, dtype] : codes)
    if (code == name) return dtype;
  throw InvalidArgument(what + ": dtype: expected F32, I64, I32, U8, I8 or BOOL, got '" + code + "'");
}

Shape read_shape(const Json& json, const std::string& what) {
  const std::vector<Json>& sizes = json.array(what);
  if (sizes.size() > kMaxRank)
    throw InvalidArgument(what + ": expected at most " + std::to_string(kMaxRank) + " sizes, got " +
                          std::to_string(sizes.size()));
  Shape shape;
  shape.rank = static_cast<int>(sizes.size());
  for (int i = 0; i < shape.rank; ++i)
    shape[i] = sizes[static_cast<std::size_t>(i)].integer(what);
  need_shape(what.c_str(), shape);
  return shape;
}

StoredTensor read_tensor(const std::string& name, const Json& json, std::size_t data_bytes) {
  const std::string what = "tensor '" + name + "'";
  StoredTensor tensor;
  tensor.type.dtype = stored_dtype(json.at("dtype", what).text(what + " dtype"), what);
  tensor.type.shape = read_shape(json.at("shape", what), what + " shape");
  const std::vector<Json>& offsets = json.at("data_offsets", what).array(what + " data_offsets");
  if (offsets.size() != 2) throw InvalidArgument(what + ": data_offsets: expected two");
  const std::int64_t begin = offsets[0].integer(what), end = offsets[1].integer(what);
  if (begin < 0 || end < begin || static_cast<std::size_t>(end) > data_bytes)
    throw InvalidArgument(what + ": data_offsets: expected 0 <= begin <= end <= " +
                          std::to_string(data_bytes) + ", got " + std::to_string(begin) + ", " +
                          std::to_string(end));
  tensor.begin = static_cast<std::size_t>(begin);
  tensor.end = static_cast<std::size_t>(end);
  if (tensor.end - tensor.begin != tensor.type.bytes())
    throw InvalidArgument(what + ": " + tensor.type.text() + " takes " +
                          std::to_string(tensor.type.bytes()) + " bytes, the file has " +
                          std::to_string(tensor.end - tensor.begin));
  return tensor;
}

void check_disjoint(const StoredTensors& tensors) {
  std::vector<std::pair<std::size_t, const StoredTensors::value_type*>> order;
  for (const auto& entry : tensors)
    if (entry.second.end > entry.second.begin) order.push_back({entry.second.begin, &entry});
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i].first < order[i - 1].second->second.end)
      throw InvalidArgument("tensor '" + order[i].second->first + "' overlaps '" +
                            order[i - 1].second->first + "'");
}

class GraphReader {
 public:
  GraphReader(const StoredTensors& tensors, const unsigned char* data,
              std::shared_ptr<const void> keeper, bool mapped)
      : tensors_(tensors), data_(data), keeper_(std::move(keeper)), mapped_(mapped) {}

  Graph read(const Json& json) {
    for (const Json& input : json.at("inputs", "graph").array("graph inputs")) add_input(input);
    for (const Json& constant : json.at("constants", "graph").array("graph constants"))
      add_constant(constant);
    for (const Json& node : json.at("nodes", "graph").array("graph nodes")) add_node(node);
    std::vector<ValueId> values;
    std::vector<std::string> names;
    for (const Json& output : json.at("outputs", "graph").array("graph outputs")) {
      names.push_back(output.at("name", "output").text("output name"));
      values.push_back(find(output.at("value", "output").text("output value"),
                            "output '" + names.back() + "'"));
    }
    graph_.set_outputs(std::move(values), std::move(names));
    return std::move(graph_);
  }

 private:
  void define(const std::string& name, ValueId id) {
    if (!values_.emplace(name, id).second)
      throw InvalidArgument("value '" + name + "' is defined twice");
  }

  ValueId find(const std::string& name, const std::string& what) const {
    const auto found = values_.find(name);
    if (found == values_.end())
      throw InvalidArgument(what + ": there is no value '" + name + "' before it");
    return found->second;
  }

  void add_input(const Json& json) {
    const std::string& name = json.at("name", "input").text("input name");
    const std::string what = "input '" + name + "'";
    TensorType type;
    if (!parse_dtype(json.at("dtype", what).text(what + " dtype"), &type.dtype))
      throw InvalidArgument(what + ": dtype: expected the name of one");
    type.shape = read_shape(json.at("shape", what), what + " shape");
    define(name, graph_.add_input(name, type));
  }

  void add_constant(const Json& json) {
    const std::string& name = json.at("name", "constant").text("constant name");
    const std::string& stored = json.at("tensor", "constant").text("constant tensor");
    const auto found = tensors_.find(stored);
    if (found == tensors_.end())
      throw InvalidArgument("constant '" + name + "': there is no tensor '" + stored + "'");
    ConstantPtr& constant = constants_[stored];
    if (!constant) constant = constant_of(found->second);
    define(name, graph_.add_constant(name, constant));
  }

  // Where it is mapped, or a copy where it lies out of line.
  ConstantPtr constant_of(const StoredTensor& tensor) const {
    const unsigned char* at = data_ + tensor.begin;
    if (reinterpret_cast<std::uintptr_t>(at) % dtype_size(tensor.type.dtype) != 0) {
      const std::shared_ptr<Constant> copy = make_constant(tensor.type);
      std::memcpy(const_cast<void*>(copy->data), at, tensor.type.bytes());
      return copy;
    }
    auto constant = std::make_shared<Constant>();
    constant->type = tensor.type;
    constant->data = at;
    constant->keeper = keeper_;
    constant->mapped = mapped_;
    return constant;
  }

  static Attribute attribute(const Json& json, const std::string& what) {
    switch (json.kind()) {
      case Json::Kind::integer: return json.integer(what);
      case Json::Kind::number: return json.number(what);
      case Json::Kind::text: return json.text(what);
      case Json::Kind::array: break;
      default: throw InvalidArgument(what + ": expected a number, a string or an array of numbers");
    }
    const std::vector<Json>& items = json.array(what);
    if (std::all_of(items.begin(), items.end(),
                    [](const Json& item) { return item.is(Json::Kind::integer); })) {
      Integers integers;
      for (const Json& item : items) integers.push_back(item.integer(what));
      return integers;
    }
    Numbers numbers;
    for (const Json& item : items) numbers.push_back(item.number(what));
    return numbers;
  }

  static Attributes read_attributes(const Json& json, const std::string& name, const std::string& what) {
    const OpDef* op = find_op(name);
    if (!op) throw InvalidArgument(what + " op: expected an operator of pyconv, got '" + name + "'");
    Attributes attributes;
    for (const auto& [key, value] : json.object(what + " attributes")) {
      const bool known = std::any_of(op->attributes.begin(), op->attributes.end(),
                                     [&, &key = key](const AttributeSpec& spec) { return key == spec.name; });
      if (!known) throw InvalidArgument(what + " (" + name + "): there is no attribute '" + key + "'");
      attributes.set(key, attribute(value, what + " attribute '" + key + "'"));
    }
    return attributes;
  }

  void add_node(const Json& json) {
    const std::string& name = json.at("name", "node").text("node name");
    const std::string what = "node '" + name + "'";
    std::vector<ValueId> inputs;
    for (const Json& input : json.at("inputs", what).array(what + " inputs"))
      inputs.push_back(input.is(Json::Kind::null) ? kNoValue
                                                  : find(input.text(what + " inputs"), what));
    const std::string& op = json.at("op", what).text(what + " op");
    Attributes attributes = read_attributes(json.at("attributes", what), op, what);
    const std::vector<ValueId> made =
        graph_.add_node(op, std::move(inputs), std::move(attributes), name);
    const std::vector<Json>& outputs = json.at("outputs", what).array(what + " outputs");
    if (outputs.size() != made.size())
      throw InvalidArgument(what + ": outputs: expected " + std::to_string(made.size()) + ", got " +
                            std::to_string(outputs.size()));
    for (std::size_t i = 0; i < made.size(); ++i) {
      define(outputs[i].text(what + " outputs"), made[i]);
      graph_.rename(made[i], outputs[i].text(what + " outputs"));
    }
    if (const Json* absorbed = json.find("absorbed"))
      for (const Json& item : absorbed->array(what + " absorbed"))
        graph_.node(static_cast<int>(graph_.nodes().size()) - 1)
            .absorbed.push_back(item.text(what + " absorbed"));
  }

  const StoredTensors& tensors_;
  const unsigned char* data_;
  std::shared_ptr<const void> keeper_;
  bool mapped_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::unordered_map<std::string, ConstantPtr> constants_;  // by the tensor's name
};

ModelFile parse(const unsigned char* data, std::size_t bytes, std::shared_ptr<const void> keeper,
                bool mapped) {
  std::uint64_t length = 0;
  if (bytes < 8) throw InvalidArgument("expected a safetensors file, got " + std::to_string(bytes) + " bytes");
  for (int i = 7; i >= 0; --i) length = length << 8 | data[i];
  if (length > kMaxHeader || length > bytes - 8)
    throw InvalidArgument("header: " + std::to_string(length) + " bytes do not fit the file's " +
                          std::to_string(bytes));
  const Json header = [&] {
    try {
      return Json::parse(reinterpret_cast<const char*>(data) + 8, static_cast<std::size_t>(length));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(std::string("header: ") + error.what());
    }
  }();
  const unsigned char* tensor_data = data + 8 + length;
  const std::size_t data_bytes = bytes - 8 - static_cast<std::size_t>(length);
  ModelFile file;
  StoredTensors tensors;
  for (const auto& [name, entry] : header.object("header")) {
    if (name == "__metadata__") {
      for (const auto& [key, value] : entry.object("metadata"))
        file.metadata.emplace_back(key, value.text("metadata '" + key + "'"));
      continue;
    }
    tensors.emplace(name, read_tensor(name, entry, data_bytes));
  }
  check_disjoint(tensors);
  std::string graph, version;
  for (auto& [key, value] : file.metadata) {
    if (key == "pyconv.graph") graph = std::move(value);
    if (key == "pyconv.version") version = value;
  }
  if (version != std::to_string(kModelFileVersion))
    throw InvalidArgument(version.empty()
                              ? "expected a model file of pyconv: metadata has no 'pyconv.version'"
                              : "version: expected " + std::to_string(kModelFileVersion) + ", got '" +
                                    version + "'");
  try {
    const Json json = Json::parse(graph.data(), graph.size());
    file.graph = GraphReader(tensors, tensor_data, std::move(keeper), mapped).read(json);
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(std::string("graph: ") + error.what());
  }
  file.metadata.erase(std::remove_if(file.metadata.begin(), file.metadata.end(),
                                     [](const auto& entry) { return entry.first == "pyconv.graph"; }),
                      file.metadata.end());
  return file;
}

}  // namespace

ModelFile parse_model_file(const std::string& name, const unsigned char* data, std::size_t bytes,
                           std::shared_ptr<const void> keeper, bool mapped) {
  try {
    return parse(data, bytes, std::move(keeper), mapped);
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(name + ": " + error.what());
  }
}

ModelFile read_model_file(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  return parse_model_file(path, file->data(), file->bytes(), file, true);
}

}  // namespace pyconv
