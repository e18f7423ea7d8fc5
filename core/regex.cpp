#include "core/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

namespace lorica {
namespace {

// Enough for any tokenizer pattern on a pre-split piece, small enough that a hostile one ends in
// milliseconds.
constexpr std::uint32_t match_limit = 10'000'000;
constexpr std::uint32_t depth_limit = 100'000;
constexpr std::uint32_t heap_limit_kib = 64 * 1024;

}  // namespace

struct regex::state {
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, &pcre2_code_free};
  std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context{
      nullptr, &pcre2_match_context_free};
};

regex::regex(std::unique_ptr<state> s) : state_(std::move(s)) {}
regex::regex(regex&&) noexcept = default;
regex& regex::operator=(regex&&) noexcept = default;
regex::~regex() = default;

result<regex> regex::compile(std::string_view pattern, mode m) {
  int code = 0;
  PCRE2_SIZE where = 0;
  std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (m == mode::full_match) options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
  auto s = std::make_unique<state>();
  s->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &code,
                              &where, nullptr));
  if (!s->code)
    return fail(errc::invalid, "regular expression is not valid at offset " + std::to_string(where));
  pcre2_jit_compile(s->code.get(), PCRE2_JIT_COMPLETE);  // without JIT support matching is only slower
  s->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(s->context.get(), match_limit);
  pcre2_set_depth_limit(s->context.get(), depth_limit);
  pcre2_set_heap_limit(s->context.get(), heap_limit_kib);
  return regex(std::move(s));
}

result<std::optional<regex::span>> regex::find(std::string_view text, std::size_t from) const {
  // One match block per thread is all the state a search needs.
  thread_local std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  if (from > text.size()) return std::optional<span>{};
  // The caller guarantees valid UTF-8, and a per-call check would make a scan of one text quadratic.
  int rc = pcre2_match(state_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK, found.get(), state_->context.get());
  if (rc == PCRE2_ERROR_NOMATCH) return std::optional<span>{};
  if (rc < 0) return fail(errc::invalid, "regular expression exceeds its limit of match steps");
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(found.get());
  return std::optional<span>{{range[0], range[1]}};
}

}  // namespace lorica
