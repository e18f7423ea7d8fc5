#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/regex.hpp"

namespace lorica {

/// Rewrites a pattern of a tokenizer file (Oniguruma, Ruby syntax, as the `tokenizers` library reads it) to
/// one that means the same to PCRE2: `\s` is White_Space, `\w` a Unicode word character, `^` and `$` work on
/// lines. What means something else there or is not known to mean the same is `errc::bad_model` and named.
result<std::string> translate_pattern(std::string_view pattern);

/// Translates and compiles.
result<regex> compile_pattern(std::string_view pattern);

}  // namespace lorica
