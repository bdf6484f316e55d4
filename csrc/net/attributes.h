// The attributes of a node: a few named values, kept in the order of their names.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pyconv {

using Integers = std::vector<std::int64_t>;
using Numbers = std::vector<double>;
using Attribute = std::variant<std::int64_t, double, std::string, Integers, Numbers>;

enum class AttributeKind : std::uint8_t { integer, number, text, integers, numbers };

const char* attribute_kind_name(AttributeKind kind);  // "an integer", "numbers", ...

class Attributes {
 public:
  void set(const std::string& name, Attribute value);
  void erase(const std::string& name);
  const Attribute* find(const std::string& name) const;

  // The value, or `otherwise` where the name is absent. The kind has been checked by the Graph.
  std::int64_t integer(const char* name, std::int64_t otherwise) const;
  double number(const char* name, double otherwise) const;
  std::string text(const char* name, const std::string& otherwise) const;
  Integers integers(const char* name, const Integers& otherwise) const;
  Numbers numbers(const char* name, const Numbers& otherwise) const;

  std::vector<std::pair<std::string, Attribute>>::const_iterator begin() const {
    return entries_.begin();
  }
  std::vector<std::pair<std::string, Attribute>>::const_iterator end() const {
    return entries_.end();
  }
  bool operator==(const Attributes& other) const { return entries_ == other.entries_; }

 private:
  std::vector<std::pair<std::string, Attribute>> entries_;
};

// `value` as `kind`: an integer, "inf" and "-inf" will do for a number, integers for numbers. False where it is no such.
bool coerce_attribute(AttributeKind kind, Attribute* value);

}  // namespace pyconv
