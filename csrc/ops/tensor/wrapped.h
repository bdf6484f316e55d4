// Sums, differences and products that wrap around where T is an integer: in the unsigned type, since a signed
// overflow is undefined. Of floats they are the usual ones.
#pragma once
#include <type_traits>

namespace pyconv {

template <class T>
struct Wrapped {
  using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<std::common_type_t<T, int>>,
                                        std::common_type<T>>::type;
  static T add(T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); }
  static T sub(T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); }
  static T mul(T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); }
};

}  // namespace pyconv
