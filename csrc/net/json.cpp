#include "net/json.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <locale>
#include <sstream>
#include <unordered_set>

#include "base/status.h"

namespace pyconv {

namespace {

// Bytes of the UTF-8 sequence that begins here, 0 where it is none.
std::size_t utf8_sequence(const unsigned char* at, std::size_t room) {
  if (at[0] < 0x80) return 1;
  const std::size_t bytes = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
  if (bytes == 0 || bytes > room) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if ((at[i] & 0xc0) != 0x80) return 0;
  // Too long a form, a surrogate, beyond the last code point.
  if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
      (at[0] == 0xf4 && at[1] > 0x8f))
    return 0;
  return bytes;
}

}  // namespace

class JsonReader {
 public:
  JsonReader(const char* data, std::size_t bytes) : begin_(data), at_(data), end_(data + bytes) {}

  Json document() {
    Json value = read(0);
    skip_space();
    if (at_ != end_) fail("expected the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw InvalidArgument("byte " + std::to_string(at_ - begin_) + ": " + why);
  }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  bool take(char c) {
    skip_space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  Json read(int depth) {
    if (depth > Json::kMaxDepth) fail("nested more than " + std::to_string(Json::kMaxDepth) + " deep");
    skip_space();
    if (at_ == end_) fail("expected a value, the text ends");
    switch (*at_) {
      case '{': return read_object(depth);
      case '[': return read_array(depth);
      case '"': return holding(read_text());
      case 't': read_word("true"); return plain(true);
      case 'f': read_word("false"); return plain(false);
      case 'n': read_word("null"); return Json();
      default: return read_number();
    }
  }

  template <typename T>
  static Json plain(T held) {
    Json value;
    value.value_ = held;
    return value;
  }

  template <typename T>
  static Json holding(T held) {
    Json value;
    value.value_ = std::make_unique<const T>(std::move(held));
    return value;
  }

  void read_word(const char* word) {
    const std::size_t length = std::strlen(word);
    if (static_cast<std::size_t>(end_ - at_) < length || std::memcmp(at_, word, length) != 0)
      fail("expected a value");
    at_ += length;
  }

  Json read_array(int depth) {
    Json::Items items;
    expect('[');
    if (take(']')) return holding(std::move(items));
    do items.push_back(read(depth + 1));
    while (take(','));
    expect(']');
    return holding(std::move(items));
  }

  Json read_object(int depth) {
    Json::Members members;
    std::unordered_set<std::string> seen;
    expect('{');
    if (take('}')) return holding(std::move(members));
    do {
      skip_space();
      if (at_ == end_ || *at_ != '"') fail("expected a member's name");
      std::string key = read_text();
      if (!seen.insert(key).second) fail("member '" + key + "' stands there twice");
      expect(':');
      Json member = read(depth + 1);
      members.emplace_back(std::move(key), std::move(member));
    } while (take(','));
    expect('}');
    return holding(std::move(members));
  }

  static bool digit(char c) { return c >= '0' && c <= '9'; }

  Json read_number() {
    const char* start = at_;
    if (at_ != end_ && *at_ == '-') ++at_;
    if (at_ == end_ || !digit(*at_)) fail("expected a value");
    const bool zero = *at_ == '0';
    const char* first = at_;
    while (at_ != end_ && digit(*at_)) ++at_;
    if (zero && at_ - first > 1) fail("a number begins with 0");
    bool whole = true;
    if (at_ != end_ && *at_ == '.') {
      whole = false;
      ++at_;
      if (at_ == end_ || !digit(*at_)) fail("expected a digit");
      while (at_ != end_ && digit(*at_)) ++at_;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      whole = false;
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (at_ == end_ || !digit(*at_)) fail("expected a digit");
      while (at_ != end_ && digit(*at_)) ++at_;
    }
    if (at_ - start > 400) fail("a number of more than 400 characters");
    return number_from(std::string(start, at_), whole);
  }

  Json number_from(const std::string& text, bool whole) const {
    if (whole) {
      errno = 0;
      const std::int64_t integer = std::strtoll(text.c_str(), nullptr, 10);
      if (errno == 0) return plain(integer);
    }
    // std::strtod would take the decimal comma of the program's locale.
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double number = 0;
    if (!(stream >> number)) fail("a number beyond the range of a double");
    return plain(number);
  }

  unsigned read_hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) fail("expected four hexadecimal digits");
      const char c = *at_;
      const int nibble = digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                                 : -1;
      if (nibble < 0) fail("expected four hexadecimal digits");
      code = code * 16 + static_cast<unsigned>(nibble);
    }
    return code;
  }

  static void append_utf8(std::string* text, unsigned code) {
    const auto put = [&](unsigned byte) { text->push_back(static_cast<char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        put(0xe0 | code >> 12);
      } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
      }
      put(0x80 | (code >> 6 & 0x3f));
    }
    put(0x80 | (code & 0x3f));
  }

  void read_escape(std::string* text) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (at_ == end_) fail("the text ends within a string");
    const char c = *at_++;
    if (c != 'u') {
      const char* found = std::strchr(letters, c);
      if (!c || !found) fail("no such escape");
      text->push_back(meanings[found - letters]);
      return;
    }
    unsigned code = read_hex4();
    if (code >= 0xdc00 && code < 0xe000) fail("half a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
      if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') fail("half a surrogate pair");
      at_ += 2;
      const unsigned low = read_hex4();
      if (low < 0xdc00 || low >= 0xe000) fail("half a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(text, code);
  }

  void read_character(std::string* text) {
    const char* first = at_ - 1;
    const std::size_t bytes =
        utf8_sequence(reinterpret_cast<const unsigned char*>(first), static_cast<std::size_t>(end_ - first));
    if (bytes == 0) fail("a string that is not UTF-8");
    text->append(first, bytes);
    at_ = first + bytes;
  }

  std::string read_text() {
    ++at_;
    std::string text;
    while (true) {
      if (at_ == end_) fail("the text ends within a string");
      const char c = *at_++;
      if (c == '"') return text;
      if (c == '\\')
        read_escape(&text);
      else if (static_cast<unsigned char>(c) < 0x20)
        fail("a control character within a string");
      else
        read_character(&text);
    }
  }

  const char *begin_, *at_, *end_;
};

Json Json::parse(const char* data, std::size_t bytes) { return JsonReader(data, bytes).document(); }

namespace {

[[noreturn]] void expected(const std::string& what, const char* kind) {
  throw InvalidArgument(what + ": expected " + kind);
}

}  // namespace

std::int64_t Json::integer(const std::string& what) const {
  const auto* integer = std::get_if<std::int64_t>(&value_);
  if (!integer) expected(what, "an integer");
  return *integer;
}

double Json::number(const std::string& what) const {
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*integer);
  const auto* number = std::get_if<double>(&value_);
  if (!number) expected(what, "a number");
  return *number;
}

const std::string& Json::text(const std::string& what) const {
  const auto* text = std::get_if<std::unique_ptr<const std::string>>(&value_);
  if (!text) expected(what, "a string");
  return **text;
}

const std::vector<Json>& Json::array(const std::string& what) const {
  const auto* items = std::get_if<std::unique_ptr<const Items>>(&value_);
  if (!items) expected(what, "an array");
  return **items;
}

const std::vector<std::pair<std::string, Json>>& Json::object(const std::string& what) const {
  const auto* members = std::get_if<std::unique_ptr<const Members>>(&value_);
  if (!members) expected(what, "an object");
  return **members;
}

const Json* Json::find(const char* key) const {
  if (const auto* members = std::get_if<std::unique_ptr<const Members>>(&value_))
    for (const auto& member : **members)
      if (member.first == key) return &member.second;
  return nullptr;
}

const Json& Json::at(const char* key, const std::string& what) const {
  object(what);
  const Json* found = find(key);
  if (!found) expected(what, (std::string("a member '") + key + "'").c_str());
  return *found;
}

}  // namespace pyconv
