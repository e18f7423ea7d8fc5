#pragma once

#include <array>
#include <cstdint>

#include "model/weights.hpp"

namespace lorica {

/// A fingerprint of the base model, for what is kept per base: SHA-256 over `lorica model 1\n`, the config
/// without its name and `eos`, and of every tensor, in the order of `model_weights`, what it is, its type,
/// shape, row order and a sample of its bytes. The sample is all of a tensor up to 16 KiB, else the first and
/// last 4 KiB and 256 bytes at each of seven places between, an eighth of the tensor apart. So it reads some
/// pages per tensor: milliseconds for a file in the page cache, whatever its size.
///
/// Path, file names, time and the division into files do not count: a copy is the same model. Another
/// training, another quantisation, another format (a GGUF file of a Hugging Face model) and another config
/// are other models. What is not noticed is a change of large tensors that leaves every sampled byte alone,
/// as a tool that patches single rows could make it: this tells models apart, it is no proof of integrity.
///
/// Blocking (page faults); any thread.
std::array<std::uint8_t, 32> model_digest(const model_weights& model);

}  // namespace lorica
