#pragma once

#include <cstdint>

#include "cpu/weight_format.hpp"

namespace lorica {

/// Inputs of a linear map as groups of 32 codes: scale = max |x| / 127, code = x / scale rounded to nearest,
/// ties to even. A group without a number as large as 1e-30 is zero; one that holds a number that is not
/// finite gets a scale that is not, so that it spoils its own row and nothing hides it.
///
/// Where a row has a plane of high codes: in a group whose scale is above twice the root of the row's mean
/// square of scales, one or two quads that are 1.5 times as large as all others (2.25 for two) get them, and
/// the scale is what the others need, at least a 16th of what it was. A few channels of the residual stream
/// are far larger than their neighbours; without this their groups are the coarsest and make half the error.
///
/// In the output of an activation it is a group in which one quad is nearly all (the sizes of its codes add
/// up to at most twice the largest code): that quad gets high codes. Whoever computes a few columns of a row
/// knows no more than their groups. Tokens that all others attend to have such a channel, thousands of times
/// as large as its neighbours.
///
/// x is [width] in the format of the kernel, width a multiple of 32; groups is [width / 32].
struct quantise_args {
  const void* x = nullptr;
  std::uint32_t width = 0;
  input_group* groups = nullptr;
};

using quantise_kernel = void (*)(const quantise_args&);

}  // namespace lorica
