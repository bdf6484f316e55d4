// Changes model files where it counts. In a model file the graph is JSON within a string within JSON behind a
// length; a random byte almost always breaks the outermost of these. So most mutations take the file apart,
// change one part of it, as text or as JSON, and put it together again.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "net/op_def.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t count) { return count ? random() % count : 0; }

struct Span {
  std::size_t begin, end;
};

struct Parts {
  std::string before, graph, after, data;  // header: before, the graph escaped, after

  std::string file() const {
    const std::string header = before + escaped() + after;
    std::string whole(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) whole[i] = static_cast<char>(header.size() >> 8 * i & 0xff);
    return whole + header + data;
  }

 private:
  std::string escaped() const {
    std::string text;
    for (const char c : graph) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    return text;
  }
};

// False where there is no header with a graph.
bool take_apart(const std::string& file, Parts* parts) {
  std::uint64_t length = 0;
  if (file.size() < 8) return false;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(file[i]);
  if (length > file.size() - 8) return false;
  const std::string header = file.substr(8, static_cast<std::size_t>(length));
  static const std::string key = "\"pyconv.graph\"";
  std::size_t at = header.find(key);
  if (at == std::string::npos || (at = header.find('"', at + key.size())) == std::string::npos) return false;
  parts->before = header.substr(0, ++at);
  for (; at < header.size() && header[at] != '"'; ++at) {
    if (header[at] == '\\' && at + 1 < header.size()) ++at;
    parts->graph += header[at];
  }
  parts->after = header.substr(std::min(at, header.size()));
  parts->data = file.substr(8 + static_cast<std::size_t>(length));
  return true;
}

// The values of a JSON text, whole arrays and objects among them; of a broken one, what looks like values.
std::vector<Span> values_of(const std::string& text) {
  std::vector<Span> found;
  std::vector<std::size_t> open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t begin = at;
    const char c = text[at];
    if (c == '[' || c == '{') {
      open.push_back(at);
    } else if (c == ']' || c == '}') {
      if (!open.empty()) found.push_back({open.back(), at + 1}), open.pop_back();
    } else if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
      found.push_back({begin, std::min(at + 1, text.size())});
    } else if (!std::strchr(" ,:\t\r\n", c)) {
      while (at + 1 < text.size() && !std::strchr(" ,:]}\"", text[at + 1])) ++at;
      found.push_back({begin, at + 1});
    }
  }
  return found;
}

const char* const kNumbers[] = {
    "0", "-1", "1", "2", "3", "7", "8", "9", "16", "64", "255", "4095", "65536", "2147483647", "2147483648",
    "-2147483648", "1099511627776", "1099511627777", "288230376151711744", "4611686018427387904",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
    "0.5", "-0.0", "1e-45", "1e38", "1e39", "1e308", "1e309", "\"inf\"", "\"-inf\"", "null", "true"};
const char* const kWords[] = {
    "F32", "I64", "I32", "U8", "I8", "BOOL", "F64", "float32", "int64", "int32", "uint8", "int8", "bool",
    "none", "relu", "leaky_relu", "constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic",
    "half_pixel", "asymmetric", "align_corners", "tf_crop_and_resize", "floor", "ceil", "stride", "padding",
    "dilation", "groups", "activation", "alpha", "axis", "axes", "keepdims", "kernel", "shape", "eps"};

std::string drawn(Random& random) {
  if (below(random, 3) != 0) return kNumbers[below(random, std::size(kNumbers))];
  if (below(random, 2) != 0) return '"' + std::string(kWords[below(random, std::size(kWords))]) + '"';
  const auto& table = pyconv::op_table();
  return '"' + std::string(table[below(random, table.size())]->name) + '"';
}

void change_json(std::string* text, Random& random) {
  const std::vector<Span> values = values_of(*text);
  if (values.empty()) return;
  const auto of = [&](const Span& span) { return text->substr(span.begin, span.end - span.begin); };
  const Span at = values[below(random, values.size())], other = values[below(random, values.size())];
  const std::size_t bytes = at.end - at.begin;
  switch (below(random, 8)) {
    case 0:
    case 1: text->replace(at.begin, bytes, drawn(random)); break;
    case 2:
    case 3: text->replace(at.begin, bytes, of(other)); break;
    case 4: text->insert(at.end, "," + of(at)); break;
    case 5: text->insert(at.end, "," + of(other)); break;
    case 6: {
      const bool comma = at.end < text->size() && (*text)[at.end] == ',';
      text->erase(at.begin, bytes + comma);
      break;
    }
    default: {
      const std::size_t depth = 1 + below(random, 40);
      text->replace(at.begin, bytes, std::string(depth, '[') + of(at) + std::string(depth, ']'));
    }
  }
}

void change_bytes(std::string* text, std::size_t most) {
  std::string room = *text;
  room.resize(std::max<std::size_t>(text->size() + 64, 1));
  const std::size_t limit = std::min(room.size(), std::max<std::size_t>(most, 1));
  const std::size_t size = LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(&room[0]),
                                            std::min(text->size(), limit), limit);
  *text = room.substr(0, size);
}

void change(Parts* parts, Random& random, std::size_t most) {
  switch (below(random, 10)) {
    case 0:
    case 1: change_json(&parts->after, random); break;
    case 2: change_bytes(&parts->graph, most); break;
    case 3: change_bytes(&parts->data, most); break;
    case 4: change_bytes(&parts->after, most); break;
    default: change_json(&parts->graph, random);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
  Random random(seed);
  Parts parts;
  const std::string file(reinterpret_cast<const char*>(data), size);
  if (below(random, 16) == 0 || !take_apart(file, &parts)) return LLVMFuzzerMutate(data, size, most);
  for (std::size_t changes = 1 + below(random, 3); changes-- > 0;) change(&parts, random, most);
  const std::string changed = parts.file();
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
