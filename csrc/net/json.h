// JSON as RFC 8259 has it, for files that are not trusted: bounded in depth, duplicate keys refused, every
// error with its byte. Integers that fit are kept as integers. A value takes 16 bytes and what it holds, so
// that even "[0,0,0," stays in proportion to its text: about 24 bytes of memory for each, while it grows.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pyconv {

class Json {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, number, text, array, object };
  static constexpr int kMaxDepth = 32;

  // Throws InvalidArgument "byte N: why".
  static Json parse(const char* data, std::size_t bytes);

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
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
  using Items = std::vector<Json>;
  using Members = std::vector<std::pair<std::string, Json>>;
  std::variant<std::monostate, bool, std::int64_t, double, std::unique_ptr<const std::string>,
               std::unique_ptr<const Items>, std::unique_ptr<const Members>>
      value_;  // in the order of Kind
};

}  // namespace pyconv
