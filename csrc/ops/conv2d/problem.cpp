#include "ops/conv2d/problem.h"

#include <limits>

#include "base/status.h"

namespace pyconv {

namespace {

// No size of its own may reach this; sums of a few of them then stay far from overflow.
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 58;

void need(bool condition, const char* argument, const char* expected, std::int64_t got) {
  if (!condition)
    throw InvalidArgument(std::string(argument) + ": expected " + expected + ", got " +
                          std::to_string(got));
}

void need_extent(const char* argument, std::int64_t value, std::int64_t least) {
  need(value >= least, argument, least == 0 ? "a size of 0 or more" : "a size of 1 or more", value);
  need(value <= kMaxExtent, argument, "a size of at most 2^40", value);
}

// a * b, or -1 when it passes kMaxElements.
std::int64_t product(std::int64_t a, std::int64_t b) {
  if (a < 0 || b < 0) return -1;
  if (a != 0 && b > kMaxElements / a) return -1;
  return a * b;
}

void need_product(const char* what, std::initializer_list<std::int64_t> factors) {
  std::int64_t total = 1;
  for (std::int64_t factor : factors) total = product(total, factor);
  if (total < 0) throw InvalidArgument(std::string(what) + ": more than 2^58 elements");
}

void need_fit(const char* axis, std::int64_t size, std::int64_t padding, std::int64_t kernel,
              std::int64_t dilation) {
  const std::int64_t extent = (kernel - 1) * dilation + 1;
  if (size + padding >= extent) return;
  throw InvalidArgument(std::string("weight: a filter of ") + axis + " " + std::to_string(extent) +
                        " (kernel " + std::to_string(kernel) + ", dilation " +
                        std::to_string(dilation) + ") does not fit an input of " +
                        std::to_string(size) + " with padding " + std::to_string(padding));
}

void put(std::string& text, const char* key, std::int64_t value) {
  text += key;
  text += std::to_string(value);
}

// "kh3kw5", "kh3" where both are alike, nothing where both are `absent`.
void put_pair(std::string& text, const char* key, std::int64_t h, std::int64_t w,
              std::int64_t absent) {
  if (h == absent && w == absent) return;
  put(text, (std::string(key) + "h").c_str(), h);
  if (w != h) put(text, (std::string(key) + "w").c_str(), w);
}

struct Field {
  const char* key;
  std::int64_t value = -1;
};

}  // namespace

bool Conv2dProblem::operator==(const Conv2dProblem& o) const {
  return mb == o.mb && g == o.g && ic == o.ic && oc == o.oc && ih == o.ih && iw == o.iw &&
         kh == o.kh && kw == o.kw && sh == o.sh && sw == o.sw && dh == o.dh && dw == o.dw &&
         pt == o.pt && pl == o.pl && pb == o.pb && pr == o.pr && dtype == o.dtype;
}

void Conv2dProblem::validate() const {
  need_extent("batch", mb, 0);
  need_extent("groups", g, 1);
  need_extent("in_channels", ic, 0);
  need_extent("out_channels", oc, 0);
  need_extent("x height", ih, 0);
  need_extent("x width", iw, 0);
  need_extent("kernel height", kh, 1);
  need_extent("kernel width", kw, 1);
  need_extent("stride", sh, 1);
  need_extent("stride", sw, 1);
  need_extent("dilation", dh, 1);
  need_extent("dilation", dw, 1);
  need_extent("padding", pt, 0);
  need_extent("padding", pl, 0);
  need_extent("padding", pb, 0);
  need_extent("padding", pr, 0);
  if (ic % g != 0)
    throw InvalidArgument("groups: expected a divisor of in_channels=" + std::to_string(ic) +
                          ", got " + std::to_string(g));
  if (oc % g != 0)
    throw InvalidArgument("groups: expected a divisor of out_channels=" + std::to_string(oc) +
                          ", got " + std::to_string(g));
  need(product(kh, dh) >= 0 && product(kw, dw) >= 0, "dilation", "an extent below 2^58", dh);
  need_fit("height", ih, pt + pb, kh, dh);
  need_fit("width", iw, pl + pr, kw, dw);
  need_product("x", {mb, ic, ih, iw});
  need_product("weight", {oc, icg(), kh, kw});
  need_product("output", {mb, oc, oh(), ow()});
  need_product("padded input", {ic, ih + pt + pb, iw + pl + pr});
  need_product("unfolded input", {oh(), ow(), kh, kw, icg()});
}

std::string Conv2dProblem::str() const {
  std::string text;
  if (mb != 1) put(text, "mb", mb);
  if (g != 1) put(text, "g", g);
  put(text, "ic", ic);
  put(text, "oc", oc);
  text += "_";
  put_pair(text, "i", ih, iw, -1);
  put_pair(text, "k", kh, kw, -1);
  put_pair(text, "s", sh, sw, 1);
  put_pair(text, "d", dh, dw, 1);
  if (pt == pb && pl == pr) {
    put_pair(text, "p", pt, pl, 0);
  } else {
    put(text, "pt", pt);
    put(text, "pl", pl);
    put(text, "pb", pb);
    put(text, "pr", pr);
  }
  return text;
}

Conv2dProblem Conv2dProblem::parse(const std::string& text) {
  Field fields[] = {{"mb"}, {"g"},  {"ic"}, {"oc"}, {"ih"}, {"iw"}, {"kh"}, {"kw"}, {"sh"}, {"sw"},
                    {"dh"}, {"dw"}, {"ph"}, {"pw"}, {"pt"}, {"pl"}, {"pb"}, {"pr"}};
  const auto fail = [&](const std::string& why) {
    throw InvalidArgument("problem: expected a line like g1ic32oc64_ih112kh3sh1ph1, got '" + text +
                          "' (" + why + ")");
  };
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '_') {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') ++end;
    const std::string key = text.substr(at, end - at);
    std::int64_t value = 0;
    const std::size_t digits = end;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') {
      value = value * 10 + (text[end] - '0');
      if (value > kMaxExtent) fail("a size past 2^40 at '" + key + "'");
      ++end;
    }
    if (key.empty() || end == digits) fail("at character " + std::to_string(at));
    Field* field = nullptr;
    for (Field& candidate : fields)
      if (key == candidate.key) field = &candidate;
    if (!field) fail("unknown key '" + key + "'");
    if (field->value >= 0) fail("key '" + key + "' twice");
    field->value = value;
    at = end;
  }
  const auto get = [&](const char* key, std::int64_t otherwise) {
    for (const Field& field : fields)
      if (std::string(key) == field.key && field.value >= 0) return field.value;
    return otherwise;
  };
  for (const char* key : {"ic", "oc", "ih", "kh"})
    if (get(key, -1) < 0) fail(std::string("no '") + key + "'");
  Conv2dProblem p;
  p.mb = get("mb", 1);
  p.g = get("g", 1);
  p.ic = get("ic", 0);
  p.oc = get("oc", 0);
  p.ih = get("ih", 0);
  p.iw = get("iw", p.ih);
  p.kh = get("kh", 1);
  p.kw = get("kw", p.kh);
  p.sh = get("sh", 1);
  p.sw = get("sw", p.sh);
  p.dh = get("dh", 1);
  p.dw = get("dw", p.dh);
  const std::int64_t ph = get("ph", 0), pw = get("pw", ph);
  p.pt = get("pt", ph);
  p.pb = get("pb", ph);
  p.pl = get("pl", pw);
  p.pr = get("pr", pw);
  p.validate();
  return p;
}

}  // namespace pyconv
