// Graph and Model to Python.
#include <pybind11/stl.h>

#include <cstring>

#include "bindings/arguments.h"
#include "bindings/net_runner.h"
#include "net/evaluate.h"
#include "net/model.h"
#include "net/model_file.h"

namespace pyconv {

namespace {

DType dtype_of(const py::array& array, const char* name) {
  DType dtype;
  const std::string text = py::str(array.dtype()).cast<std::string>();
  if (!parse_dtype(text, &dtype))
    throw py::type_error(std::string(name) + ": expected float32, int64, int32, uint8, int8 or bool, got " +
                         text);
  return dtype;
}

DType dtype_named(const std::string& name) {
  DType dtype;
  if (!parse_dtype(name, &dtype))
    throw InvalidArgument("dtype: expected float32, int64, int32, uint8, int8 or bool, got '" + name + "'");
  return dtype;
}

Shape shape_from(const std::vector<std::int64_t>& sizes, const char* name) {
  if (sizes.size() > kMaxRank)
    throw InvalidArgument(std::string(name) + ": expected at most " + std::to_string(kMaxRank) +
                          " dimensions, got " + std::to_string(sizes.size()));
  Shape shape;
  shape.rank = static_cast<int>(sizes.size());
  for (int i = 0; i < shape.rank; ++i) shape[i] = sizes[static_cast<std::size_t>(i)];
  return shape;
}

py::tuple shape_tuple(const Shape& shape) {
  py::tuple sizes(static_cast<std::size_t>(shape.rank));
  for (int i = 0; i < shape.rank; ++i) sizes[static_cast<std::size_t>(i)] = py::int_(shape[i]);
  return sizes;
}

Shape shape_of_array(const py::array& array, const char* name) {
  return shape_from({array.shape(), array.shape() + array.ndim()}, name);
}

py::array need_array(py::handle object, const char* name) {
  if (!py::isinstance<py::array>(object))
    throw py::type_error(std::string(name) + ": expected a numpy array, got " +
                         Py_TYPE(object.ptr())->tp_name);
  return py::reinterpret_borrow<py::array>(object);
}

py::array dense(const py::array& array) {
  if (array.flags() & py::array::c_style) return array;
  return py::array::ensure(array, py::array::c_style);
}

// Keeps the array alive for as long as anything of the engine's reads it; lets go under the GIL.
std::shared_ptr<const void> keep(const py::array& array) {
  return std::shared_ptr<const void>(array.data(), [object = py::object(array)](const void*) mutable {
    const py::gil_scoped_acquire gil;
    object = py::object();
  });
}

ValueId add_constant(Graph& graph, const std::string& name, py::handle object, bool copy) {
  const py::array array = dense(need_array(object, name.c_str()));
  const TensorType type{dtype_of(array, name.c_str()), shape_of_array(array, name.c_str())};
  need_shape(name.c_str(), type.shape);
  if (copy) {
    const std::shared_ptr<Constant> constant = make_constant(type);
    std::memcpy(const_cast<void*>(constant->data), array.data(), type.bytes());
    return graph.add_constant(name, constant);
  }
  auto constant = std::make_shared<Constant>();
  constant->type = type;
  constant->data = array.data();
  constant->keeper = keep(array);
  return graph.add_constant(name, constant);
}

Attribute attribute_from(py::handle value, const std::string& name) {
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::float_>(value)) return value.cast<double>();
  if (py::isinstance<py::bool_>(value) || PyIndex_Check(value.ptr()))
    return parse_int(value, name.c_str());
  if (!py::isinstance<py::sequence>(value))
    throw py::type_error("attribute '" + name + "': expected a number, a str or a sequence of numbers, got " +
                         Py_TYPE(value.ptr())->tp_name);
  Integers integers;
  Numbers numbers;
  bool floats = false;
  for (const py::handle& item : py::reinterpret_borrow<py::sequence>(value)) {
    floats = floats || py::isinstance<py::float_>(item);
    numbers.push_back(parse_number(item, name.c_str()));
    if (!floats) integers.push_back(parse_int(item, name.c_str()));
  }
  if (floats) return numbers;
  return integers;
}

Attributes attributes_from(const py::dict& dict) {
  Attributes attributes;
  for (const auto& item : dict) {
    if (item.second.is_none()) continue;
    const std::string name = item.first.cast<std::string>();
    attributes.set(name, attribute_from(item.second, name));
  }
  return attributes;
}

py::dict attributes_dict(const Attributes& attributes) {
  py::dict dict;
  for (const auto& [name, value] : attributes)
    std::visit([&, key = name](const auto& v) { dict[py::str(key)] = py::cast(v); }, value);
  return dict;
}

std::vector<ValueId> add_node(Graph& graph, const std::string& op, std::vector<ValueId> inputs,
                              const py::dict& attributes, const std::string& name, std::size_t fold) {
  const std::vector<ValueId> outputs =
      graph.add_node(op, std::move(inputs), attributes_from(attributes), name);
  const NodeArgs args(graph, graph.nodes().back());
  if (!fold || !all_inputs_known(args)) return outputs;
  std::vector<ValueId> known;
  const std::vector<ConstantPtr> values = evaluate(args, fold);
  for (std::size_t i = 0; i < values.size(); ++i)
    known.push_back(graph.add_constant(graph.value(outputs[i]).name, values[i]));
  graph.drop_last_node();
  return known;
}

const Value& checked_value(const Graph& graph, ValueId id) {
  if (id < 0 || id >= static_cast<ValueId>(graph.values().size()))
    throw InvalidArgument("value: expected one of the graph's, got " + std::to_string(id));
  return graph.value(id);
}

py::tuple value_info(const Graph& graph, ValueId id) {
  const Value& value = checked_value(graph, id);
  return py::make_tuple(value.name, dtype_name(value.type.dtype), shape_tuple(value.type.shape),
                        value.constant != nullptr);
}

// A read-only view of a constant's memory.
py::array constant_array(const py::object& self, ValueId id) {
  const Value& value = checked_value(self.cast<const Graph&>(), id);
  if (!value.constant)
    throw InvalidArgument("value '" + value.name + "': expected a constant, it is none");
  if (value.constant->released())
    throw InvalidArgument("value '" + value.name + "': its data was let go (release_weights=True)");
  auto* kept = new ConstantPtr(value.constant);
  const py::capsule owner(kept, [](void* p) { delete static_cast<ConstantPtr*>(p); });
  const Shape& shape = value.type.shape;
  py::array array(py::dtype(dtype_name(value.type.dtype)),
                  std::vector<py::ssize_t>(shape.dims, shape.dims + shape.rank),
                  value.constant->data, owner);
  array.attr("flags").attr("writeable") = false;
  return array;
}

std::int64_t node_macs(const Graph& graph, const Node& node) {
  return node.op->macs ? node.op->macs(NodeArgs(graph, node)) : 0;
}

py::dict node_dict(const Graph& graph, const Node& node) {
  py::dict dict;
  dict["name"] = node.name;
  dict["op"] = node.op->name;
  dict["inputs"] = node.inputs;
  dict["outputs"] = node.outputs;
  dict["attributes"] = attributes_dict(node.attributes);
  dict["macs"] = node_macs(graph, node);
  dict["absorbed"] = node.absorbed;
  return dict;
}

py::list node_list(const Graph& graph) {
  py::list nodes;
  for (const Node& node : graph.nodes())
    if (!node.dead) nodes.append(node_dict(graph, node));
  return nodes;
}

py::list op_list() {
  static const char* const rules[] = {"row_major", "channels_last", "follow", "alias"};
  py::list ops;
  for (const OpDef* op : op_table()) {
    py::dict attributes;
    for (const AttributeSpec& spec : op->attributes)
      attributes[spec.name] = attribute_kind_name(spec.kind);
    ops.append(py::dict(py::arg("name") = op->name, py::arg("least_inputs") = op->least_inputs,
                        py::arg("most_inputs") = op->most_inputs, py::arg("attributes") = attributes,
                        py::arg("layout") = rules[static_cast<int>(op->layout)]));
  }
  return ops;
}

py::list pass_list() {
  py::list passes;
  for (const Pass& pass : graph_passes())
    passes.append(py::make_tuple(pass.name, pass.summary, pass.keeps_bits));
  return passes;
}

std::shared_ptr<Model> make_model(const Graph& graph, py::handle accuracy, py::handle threads,
                                  py::handle max_isa_name, const py::dict& algorithms,
                                  const std::vector<std::string>& without, py::handle memory_limit,
                                  bool release_weights) {
  CompileOptions options;
  options.plan.accuracy = parse_accuracy(accuracy);
  options.plan.threads = parse_threads(threads);
  options.plan.max_isa = parse_max_isa(max_isa_name);
  for (const auto& item : algorithms)
    options.algorithms.emplace_back(item.first.cast<std::string>(), item.second.cast<std::string>());
  options.without = without;
  options.release_weights = release_weights;
  if (!memory_limit.is_none()) {
    const std::int64_t limit = parse_int(memory_limit, "memory_limit");
    if (limit < 0) throw InvalidArgument("memory_limit: expected 0 or more, got " + std::to_string(limit));
    options.memory_limit = static_cast<std::size_t>(limit);
  }
  for (const Value& value : graph.values())
    if (value.constant && value.constant->released())
      throw InvalidArgument("net: the weights of this model were let go (release_weights=True)");
  Graph copy = graph;
  const py::gil_scoped_release release;
  return std::make_shared<Model>(std::move(copy), options);
}

bool overlap(const py::array& a, const py::array& b) {
  const char *x = static_cast<const char*>(a.data()), *y = static_cast<const char*>(b.data());
  return x < y + b.nbytes() && y < x + a.nbytes();
}

// An input as the model takes it: of the dtype and shape, dense (copied where it is not).
py::array model_input(const Value& value, py::handle object) {
  py::array array = need_array(object, value.name.c_str());
  const std::string dtype = py::str(array.dtype()).cast<std::string>();
  if (dtype != dtype_name(value.type.dtype))
    throw py::type_error(value.name + ": expected " + dtype_name(value.type.dtype) + ", got " + dtype);
  if (shape_of_array(array, value.name.c_str()) != value.type.shape)
    throw InvalidArgument(value.name + ": expected shape " + value.type.shape.text() + ", got " +
                          shape_text(array));
  return dense(array);
}

py::array model_output(const TensorType& type, const std::string& name, py::handle out) {
  if (out.is_none())
    return py::array(py::dtype(dtype_name(type.dtype)),
                     std::vector<py::ssize_t>(type.shape.dims, type.shape.dims + type.shape.rank));
  py::array array = need_array(out, "out");
  const std::string dtype = py::str(array.dtype()).cast<std::string>();
  if (dtype != dtype_name(type.dtype))
    throw py::type_error("out: expected " + std::string(dtype_name(type.dtype)) + " for output '" + name +
                         "', got " + dtype);
  if (shape_of_array(array, "out") != type.shape)
    throw InvalidArgument("out: expected shape " + type.shape.text() + " for output '" + name +
                          "', got " + shape_text(array));
  if (!(array.flags() & py::array::c_style) || !array.writeable())
    throw InvalidArgument("out: expected a C-contiguous, writeable array for output '" + name + "'");
  return array;
}

// The arrays of one call, checked, and their addresses.
struct Call {
  std::vector<py::array> inputs, outputs;
  std::vector<const void*> from;
  std::vector<void*> to;

  Call(const Model& model, const py::sequence& given, py::handle out) {
    const Graph& graph = model.graph();
    if (py::len(given) != graph.inputs().size())
      throw InvalidArgument("inputs: expected " + std::to_string(graph.inputs().size()) + " arrays, got " +
                            std::to_string(py::len(given)));
    for (std::size_t i = 0; i < graph.inputs().size(); ++i)
      inputs.push_back(model_input(graph.value(graph.inputs()[i]), py::object(given[i])));
    const std::size_t count = graph.outputs().size();
    if (!out.is_none() && py::len(out) != count)
      throw InvalidArgument("out: expected " + std::to_string(count) + " arrays, got " +
                            std::to_string(py::len(out)));
    for (std::size_t i = 0; i < count; ++i) {
      const py::object own = out.is_none() ? py::object(py::none())
                                           : py::object(py::reinterpret_borrow<py::sequence>(out)[i]);
      outputs.push_back(
          model_output(graph.type(graph.outputs()[i]), graph.output_names()[i], own));
    }
    if (!out.is_none()) check_overlap(graph);
    for (const py::array& array : inputs) from.push_back(array.data());
    for (py::array& array : outputs) to.push_back(const_cast<void*>(array.data()));
  }

  void check_overlap(const Graph& graph) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      for (const py::array& array : inputs)
        if (overlap(outputs[i], array))
          throw InvalidArgument("out: output '" + graph.output_names()[i] + "' overlaps an input");
      for (std::size_t k = 0; k < i; ++k)
        if (overlap(outputs[i], outputs[k]))
          throw InvalidArgument("out: output '" + graph.output_names()[i] + "' overlaps '" +
                                graph.output_names()[k] + "'");
    }
  }
};

py::list run_model(const Model& model, const py::sequence& inputs, py::handle out) {
  Call call(model, inputs, out);
  {
    const py::gil_scoped_release release;
    model.run(call.from.data(), call.to.data());
  }
  py::list results;
  for (const py::array& array : call.outputs) results.append(array);
  return results;
}

// Seconds of each step in each round: rounds x steps.
py::array_t<double> profile_model(const Model& model, const py::sequence& inputs, int rounds) {
  Call call(model, inputs, py::none());
  const std::size_t steps = model.lowered().steps.size();
  py::array_t<double> seconds({static_cast<py::ssize_t>(std::max(1, rounds)),
                               static_cast<py::ssize_t>(steps)});
  double* to = seconds.mutable_data();
  std::memset(to, 0, static_cast<std::size_t>(seconds.nbytes()));
  const py::gil_scoped_release release;
  for (int i = 0; i < rounds; ++i)
    model.profile(call.from.data(), call.to.data(), to + static_cast<std::size_t>(i) * steps);
  return seconds;
}

py::object tensor_dict(const Model& model, int id) {
  if (id < 0) return py::none();
  static const char* const spaces[] = {"arena", "constant", "input", "output"};
  const Tensor& tensor = model.lowered().tensors[static_cast<std::size_t>(id)];
  const Buffer& buffer = model.lowered().buffers[static_cast<std::size_t>(tensor.buffer)];
  py::dict dict;
  dict["name"] = model.planned_graph().value(tensor.value).name;
  dict["dtype"] = dtype_name(tensor.type.dtype);
  dict["shape"] = shape_tuple(tensor.type.shape);
  dict["layout"] = tensor.placement.layout == Layout::nhwc ? "nhwc" : "row_major";
  dict["pixel_stride"] = tensor.placement.pixel;
  dict["space"] = spaces[static_cast<int>(buffer.space)];
  dict["offset"] = buffer.offset + tensor.offset;
  dict["bytes"] = tensor.type.bytes();
  dict["buffer"] = tensor.buffer;
  dict["lifetime"] = py::make_tuple(buffer.first, buffer.last);
  return py::object(std::move(dict));
}

py::list tensor_dicts(const Model& model, const std::vector<int>& ids) {
  py::list list;
  for (const int id : ids) list.append(tensor_dict(model, id));
  return list;
}

py::dict step_dict(const Model& model, const LoweredStep& step) {
  py::dict dict = node_dict(model.planned_graph(), step.node);
  dict["inputs"] = tensor_dicts(model, step.inputs);
  dict["outputs"] = tensor_dicts(model, step.outputs);
  std::int64_t parameters = 0;
  for (const ValueId id : step.node.inputs)
    if (id != kNoValue && model.planned_graph().value(id).constant)
      parameters += model.planned_graph().type(id).shape.elements();
  dict["parameters"] = parameters;
  const StepReport report = step.step->report();
  dict["algorithm"] = report.algorithm;
  dict["kernels"] = report.kernels;
  dict["threads"] = report.threads;
  dict["problem"] = report.problem;
  py::list candidates;
  for (const Candidate& c : report.candidates)
    candidates.append(py::make_tuple(c.name, c.accepted, c.reason, c.cost, c.workspace_bytes));
  dict["candidates"] = candidates;
  dict["workspace_bytes"] = step.step->workspace_bytes();
  dict["workspace_offset"] = step.workspace_offset;
  dict["packed_bytes"] = step.step->packed_bytes();
  return dict;
}

py::list step_list(const Model& model) {
  py::list steps;
  for (const LoweredStep& step : model.lowered().steps) steps.append(step_dict(model, step));
  return steps;
}

py::list rewrite_list(const Model& model) {
  py::list rewrites;
  for (const Rewrite& rewrite : model.rewrites())
    rewrites.append(py::make_tuple(rewrite.pass, rewrite.text));
  return rewrites;
}

py::tuple model_file_tuple(ModelFile file) {
  py::dict metadata;
  for (const auto& [key, value] : file.metadata) metadata[py::str(key)] = value;
  return py::make_tuple(std::move(file.graph), metadata);
}

py::tuple load_model_file(const std::string& path) { return model_file_tuple(read_model_file(path)); }

// The bytes object stays alive for as long as the graph's constants.
py::tuple parse_model_bytes(const py::bytes& bytes) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw py::error_already_set();
  const auto keeper = std::shared_ptr<const void>(data, [object = py::object(bytes)](const void*) mutable {
    const py::gil_scoped_acquire gil;
    object = py::object();
  });
  return model_file_tuple(parse_model_file("model", reinterpret_cast<const unsigned char*>(data),
                                           static_cast<std::size_t>(size), keeper));
}

}  // namespace

void register_net(py::module_& m) {
  m.def("ops", &op_list);
  m.def("passes", &pass_list);
  m.def("load_model_file", &load_model_file);
  m.def("parse_model_bytes", &parse_model_bytes);
  py::class_<Graph>(m, "Graph")
      .def(py::init<>())
      .def("add_input",
           [](Graph& graph, const std::string& name, const std::string& dtype,
              const std::vector<std::int64_t>& shape) {
             return graph.add_input(name, {dtype_named(dtype), shape_from(shape, name.c_str())});
           })
      .def("add_constant", &add_constant, py::arg("name"), py::arg("array"), py::arg("copy") = true)
      .def("add_node", &add_node, py::arg("op"), py::arg("inputs"), py::arg("attributes"),
           py::arg("name") = "", py::arg("fold") = 0)
      .def("set_outputs", &Graph::set_outputs)
      .def("value", &value_info)
      .def("constant", &constant_array)
      .def("nodes", &node_list)
      .def_property_readonly("inputs", &Graph::inputs)
      .def_property_readonly("outputs", &Graph::outputs)
      .def_property_readonly("output_names", &Graph::output_names);
  py::class_<Model, std::shared_ptr<Model>>(m, "Model")
      .def(py::init(&make_model))
      .def("run", &run_model)
      .def("runner", [](const std::shared_ptr<Model>& model) { return make_runner(model); })
      .def("profile", &profile_model)
      .def("steps", &step_list)
      .def("rewrites", &rewrite_list)
      .def_property_readonly("arena_bytes", &Model::arena_bytes)
      .def_property_readonly("images", &Model::images)
      .def_property_readonly("image_threads", &Model::image_threads)
      .def_property_readonly("weight_bytes", &Model::weight_bytes)
      .def_property_readonly("graph", [](const Model& model) { return model.graph(); });
}

}  // namespace pyconv
