#include "net/attributes.h"

#include <algorithm>
#include <limits>

namespace pyconv {

namespace {

template <typename T>
T value_of(const Attribute* found, const T& otherwise) {
  const T* value = found ? std::get_if<T>(found) : nullptr;
  return value ? *value : otherwise;
}

}  // namespace

const char* attribute_kind_name(AttributeKind kind) {
  static const char* const names[] = {"an integer", "a number", "a string", "integers", "numbers"};
  return names[static_cast<int>(kind)];
}

void Attributes::set(const std::string& name, Attribute value) {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const std::pair<std::string, Attribute>& entry, const std::string& key) {
        return entry.first < key;
      });
  if (at != entries_.end() && at->first == name)
    at->second = std::move(value);
  else
    entries_.insert(at, {name, std::move(value)});
}

void Attributes::erase(const std::string& name) {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [&](const auto& entry) { return entry.first == name; }),
                 entries_.end());
}

const Attribute* Attributes::find(const std::string& name) const {
  for (const auto& entry : entries_)
    if (entry.first == name) return &entry.second;
  return nullptr;
}

std::int64_t Attributes::integer(const char* name, std::int64_t otherwise) const {
  return value_of<std::int64_t>(find(name), otherwise);
}

double Attributes::number(const char* name, double otherwise) const {
  return value_of<double>(find(name), otherwise);
}

std::string Attributes::text(const char* name, const std::string& otherwise) const {
  return value_of<std::string>(find(name), otherwise);
}

Integers Attributes::integers(const char* name, const Integers& otherwise) const {
  return value_of<Integers>(find(name), otherwise);
}

Numbers Attributes::numbers(const char* name, const Numbers& otherwise) const {
  return value_of<Numbers>(find(name), otherwise);
}

bool coerce_attribute(AttributeKind kind, Attribute* value) {
  if (static_cast<std::size_t>(kind) == value->index()) return true;
  if (kind == AttributeKind::number && std::holds_alternative<std::int64_t>(*value)) {
    *value = static_cast<double>(std::get<std::int64_t>(*value));
    return true;
  }
  if (kind == AttributeKind::number && std::holds_alternative<std::string>(*value)) {
    const std::string& text = std::get<std::string>(*value);
    constexpr double infinite = std::numeric_limits<double>::infinity();
    if (text != "inf" && text != "-inf") return false;
    *value = text == "inf" ? infinite : -infinite;
    return true;
  }
  if (kind == AttributeKind::numbers && std::holds_alternative<Integers>(*value)) {
    const Integers& integers = std::get<Integers>(*value);
    *value = Numbers(integers.begin(), integers.end());
    return true;
  }
  // An empty list has no kind of its own.
  if (kind == AttributeKind::integers && std::holds_alternative<Numbers>(*value) &&
      std::get<Numbers>(*value).empty()) {
    *value = Integers();
    return true;
  }
  return false;
}

}  // namespace pyconv
