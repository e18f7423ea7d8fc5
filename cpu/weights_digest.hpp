#pragma once

#include <array>
#include <cstdint>

#include "cpu/thread_team.hpp"
#include "model/weights.hpp"

namespace lorica {

/// SHA-256 over `lorica weights 1\n` and, of every tensor in the order of `each_tensor`, its name, type,
/// shape, row order, number of bytes and the SHA-256 of each piece of 1 MiB of them; a head that is the
/// embedding says so instead. Two models that differ in one bit have different digests, which `model_digest`
/// does not promise; the config counts only where it shows in a tensor. Reads all of the files, on all
/// members of the team; the number of members does not change the digest.
std::array<std::uint8_t, 32> weights_digest(const model_weights& model, thread_team& team);

}  // namespace lorica
