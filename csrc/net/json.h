// JSON as RFC 8259 has it, for files that are not trusted: bounded in depth, duplicate keys refused, every
// error with its byte. Integers that fit are kept as integers.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pyconv {

class Json {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, number, text, array, object };
  static constexpr int kMaxDepth = 32;

  // Throws InvalidArgument "byte N: why".
  static Json parse(const char* data, std::size_t bytes);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  // Each throws InvalidArgument "WHAT: expected an integer" where the kind is another.
  std::int64_t integer(const std::string& what) const;
  double number(const std::string& what) const;  // integers too
  const std::string& text(const std::string& what) const;
  const std::vector<Json>& array(const std::string& what) const;
  const std::vector<std::pair<std::string, Json>>& object(const std::string& what) const;
  // The member, or throws InvalidArgument "WHAT: expected a member 'KEY'".
  const Json& at(const char* key, const std::string& what) const;
  const Json* find(const char* key) const;  // null where there is none, or this is no object

 private:
  friend class JsonReader;
  Kind kind_ = Kind::null;
  std::int64_t integer_ = 0;
  double number_ = 0;
  std::string text_;
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace pyconv
