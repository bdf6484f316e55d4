#include "base/status.h"
#include "net/op_def.h"

namespace pyconv {

const std::vector<const OpDef*>& op_table() {
  static const std::vector<const OpDef*> table = {
#define PYCONV_OP(name) &op_##name,
#include "net/op_table.inc"
#undef PYCONV_OP
  };
  return table;
}

const OpDef* find_op(const std::string& name) {
  for (const OpDef* op : op_table())
    if (name == op->name) return op;
  return nullptr;
}

const Constant* NodeArgs::need_constant(std::size_t i, const char* what) const {
  if (!has(i)) return nullptr;
  const Constant* found = constant(i);
  if (!found) refuse(std::string(what) + ": expected a constant, got the value '" +
                     graph_.value(node_.inputs[i]).name + "', known only when the network runs");
  return found;
}

void NodeArgs::need_f32(std::size_t i, const char* what) const {
  if (has(i) && input(i).dtype != DType::f32)
    refuse(std::string(what) + ": expected float32, got " + dtype_name(input(i).dtype));
}

void NodeArgs::need_rank(std::size_t i, const char* what, int rank) const {
  if (has(i) && shape(i).rank != rank)
    refuse(std::string(what) + ": expected " + std::to_string(rank) + " dimensions, got shape " +
           shape(i).text());
}

void NodeArgs::refuse(const std::string& why) const {
  throw InvalidArgument("node '" + node_.name + "' (" + node_.op->name + "): " + why);
}

}  // namespace pyconv
