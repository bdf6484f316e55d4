#include "net/memory_plan.h"

#include <algorithm>

namespace pyconv {

namespace {

constexpr std::size_t kAlign = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

void find_lifetimes(LoweredGraph* graph) {
  for (Buffer& buffer : graph->buffers) buffer.first = buffer.last = -1;
  for (std::size_t s = 0; s < graph->steps.size(); ++s) {
    const auto touch = [&](const std::vector<int>& tensors) {
      for (const int id : tensors) {
        if (id < 0) continue;
        Buffer& buffer = graph->buffers[static_cast<std::size_t>(
            graph->tensors[static_cast<std::size_t>(id)].buffer)];
        if (buffer.first < 0) buffer.first = static_cast<int>(s);
        buffer.last = static_cast<int>(s);
      }
    };
    touch(graph->steps[s].inputs);
    touch(graph->steps[s].outputs);
  }
}

// A step whose input dies with it may write its output there: the first, or the one that it names.
void share_in_place(LoweredGraph* graph) {
  std::vector<std::vector<int>> held(graph->buffers.size());  // tensors of each buffer
  for (std::size_t t = 0; t < graph->tensors.size(); ++t)
    if (graph->tensors[t].buffer >= 0)
      held[static_cast<std::size_t>(graph->tensors[t].buffer)].push_back(static_cast<int>(t));
  for (std::size_t s = 0; s < graph->steps.size(); ++s) {
    const LoweredStep& step = graph->steps[s];
    const int at = step.node.op->in_place ? 0 : step.step->in_place_input();
    if (at < 0 || step.inputs[static_cast<std::size_t>(at)] < 0) continue;
    const Tensor& in = graph->tensors[static_cast<std::size_t>(step.inputs[static_cast<std::size_t>(at)])];
    const Tensor& out = graph->tensors[static_cast<std::size_t>(step.outputs[0])];
    const Buffer& source = graph->buffers[static_cast<std::size_t>(in.buffer)];
    const Buffer& target = graph->buffers[static_cast<std::size_t>(out.buffer)];
    const bool alone = source.space == Space::arena && target.space == Space::arena &&
                       in.buffer != out.buffer && source.last == static_cast<int>(s) &&
                       target.first == static_cast<int>(s) && source.bytes == target.bytes &&
                       in.type.bytes() == source.bytes && out.type.bytes() == target.bytes;
    int uses = 0;
    for (const int id : step.inputs)
      uses += id >= 0 && graph->tensors[static_cast<std::size_t>(id)].buffer == in.buffer;
    if (!alone || uses > 1) continue;
    const int from = out.buffer, to = in.buffer;
    graph->buffers[static_cast<std::size_t>(to)].last = target.last;
    graph->buffers[static_cast<std::size_t>(from)].first = -1;
    std::vector<int>& moved = held[static_cast<std::size_t>(from)];
    for (const int tensor : moved) {
      graph->tensors[static_cast<std::size_t>(tensor)].buffer = to;
      held[static_cast<std::size_t>(to)].push_back(tensor);
    }
    moved.clear();
  }
}

struct Claim {
  std::size_t bytes;
  int first, last;
  std::size_t* offset;
};

// Claims that have their place, found by the steps in which they hold it.
class Placed {
 public:
  explicit Placed(std::size_t steps) : by_step_(steps) {}

  void add(const Claim* claim) {
    if (claim->last - claim->first >= kLong) {
      long_.insert(std::upper_bound(long_.begin(), long_.end(), claim, lower), claim);
      return;
    }
    for (int s = claim->first; s <= claim->last; ++s) by_step_[static_cast<std::size_t>(s)].push_back(claim);
  }

  // Those that hold theirs while `claim` does, by offset.
  const std::vector<const Claim*>& beside(const Claim& claim) {
    short_.clear();
    found_.clear();
    for (int s = claim.first; s <= claim.last; ++s)
      for (const Claim* other : by_step_[static_cast<std::size_t>(s)])
        if (s == std::max(claim.first, other->first)) short_.push_back(other);  // once
    std::sort(short_.begin(), short_.end(), lower);
    auto next = short_.begin();
    for (const Claim* other : long_) {
      if (claim.last < other->first || other->last < claim.first) continue;
      for (; next != short_.end() && lower(*next, other); ++next) found_.push_back(*next);
      found_.push_back(other);
    }
    found_.insert(found_.end(), next, short_.end());
    return found_;
  }

 private:
  static constexpr int kLong = 64;  // steps
  static bool lower(const Claim* a, const Claim* b) { return *a->offset < *b->offset; }

  std::vector<std::vector<const Claim*>> by_step_;
  std::vector<const Claim*> long_;  // by offset
  std::vector<const Claim*> short_, found_;
};

std::size_t place(std::vector<Claim>* claims, std::size_t steps) {
  std::stable_sort(claims->begin(), claims->end(),
                   [](const Claim& a, const Claim& b) { return a.bytes > b.bytes; });
  Placed placed(steps);
  std::size_t total = 0;
  for (const Claim& claim : *claims) {
    std::size_t at = 0;
    for (const Claim* other : placed.beside(claim)) {
      if (at + claim.bytes <= *other->offset) break;
      at = std::max(at, *other->offset + other->bytes);
    }
    *claim.offset = at;
    total = std::max(total, at + claim.bytes);
    placed.add(&claim);
  }
  return total;
}

}  // namespace

std::size_t plan_memory(LoweredGraph* graph) {
  find_lifetimes(graph);
  share_in_place(graph);
  std::vector<Claim> claims;
  for (Buffer& buffer : graph->buffers)
    if (buffer.space == Space::arena && buffer.first >= 0 && buffer.bytes > 0)
      claims.push_back({aligned(buffer.bytes), buffer.first, buffer.last, &buffer.offset});
  for (std::size_t s = 0; s < graph->steps.size(); ++s) {
    const std::size_t bytes = graph->steps[s].step->workspace_bytes();
    const int step = static_cast<int>(s);
    if (bytes > 0)
      claims.push_back({aligned(bytes), step, step, &graph->steps[s].workspace_offset});
  }
  return place(&claims, graph->steps.size());
}

}  // namespace pyconv
