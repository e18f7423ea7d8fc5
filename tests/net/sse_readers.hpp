#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lorica::testing {

/// The payloads of a stream's events, as one kind of client sees them; throws std::runtime_error where such a
/// client would fail or lose something.
using sse_reader = std::vector<std::string> (*)(std::string_view stream);

/// The algorithm of the HTML standard, 9.2.6: LF, CR and CRLF end lines, `data` fields join, a blank line
/// dispatches. Browsers and the openai clients.
std::vector<std::string> read_as_event_source(std::string_view stream);

/// Lines as Python's `str.splitlines` cuts them, which httpx does: also at VT, FF, FS, GS, RS, U+0085, U+2028
/// and U+2029. huggingface_hub from 1.0 on, guidellm.
std::vector<std::string> read_by_unicode_lines(std::string_view stream);

/// Blocks between two LFs, the prefix taken off. aiperf.
std::vector<std::string> read_by_blank_lines(std::string_view stream);

/// Lines of bytes that must begin with `data: `; the end is exactly `data: [DONE]`. huggingface_hub
/// before 1.0, the TGI and LoRAX clients.
std::vector<std::string> read_by_strict_lines(std::string_view stream);

}  // namespace lorica::testing
