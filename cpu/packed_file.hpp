#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "cpu/isa.hpp"
#include "cpu/mode.hpp"
#include "cpu/thread_team.hpp"

namespace lorica {

/// Everything that decides the bytes of `packed_weights`, beside `packed_layout_version`.
struct packed_key {
  std::array<std::uint8_t, 32> weights{};  ///< `weights_digest`
  cpu_mode mode = cpu_dtype::bfloat16;     ///< how adapters are kept does not count
  isa instructions = isa::portable;
};

/// Name of the file of a key: 64 hex digits, the SHA-256 of the layout's version and the key, and `.packed`.
std::string packed_file_name(const packed_key& key);

/// Whether `packed_file_name` gives such names.
bool is_packed_file_name(std::string_view name) noexcept;

/// What the operating system's error number means, for an error text.
std::string_view problem_text(int number) noexcept;

/// Bytes before the contents of a file.
inline constexpr std::uint64_t packed_header_bytes = 4096;

/// Fills `out`, the contents of packed weights, from an open file, in parts shared among the team. The file
/// must be a regular one of this user that nobody else may write, and have this key, this layout's version,
/// just as many bytes and their checksum. Fails with `errc::io`; the text says what is wrong with it, to be
/// read after "it"; `out` is undefined then.
result<void> read_packed_file(int file, const packed_key& key, thread_team& team, std::span<std::byte> out);

/// Writes header and contents into an empty file and waits for the disk. The header comes last: a file that
/// was not written to its end is never taken for one. Fails with `errc::io`, or `errc::cancelled` soon after
/// a stop is asked for.
result<void> write_packed_file(int file, const packed_key& key, std::span<const std::byte> contents,
                               const std::stop_token& stop);

}  // namespace lorica
