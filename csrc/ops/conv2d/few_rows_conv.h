// What `pointwise` does where all images have few pixels together: the linear family's product, which is
// made for waiting for the weights.
#pragma once
#include <memory>

#include "ops/conv2d/algorithms.h"

namespace pyconv {

bool has_few_rows(const Conv2dProblem&, const Conv2dRequest&);
// Where has_few_rows says so, of a problem that `pointwise` accepts.
std::unique_ptr<Conv2dImpl> make_few_rows(const Conv2dProblem&, const Conv2dRequest&, const float* weight,
                                          const float* bias);

}  // namespace pyconv
