#include "text/unicode.hpp"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <initializer_list>

#include "core/checked.hpp"
#include "core/utf8.hpp"

namespace lorica {

bool is_white_space(char32_t c) {
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}

std::size_t white_space_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_white_space(utf8_decode(text.substr(at))))
    at += utf8_length(text.substr(at, 4));
  return at;
}

std::size_t white_space_begin(std::string_view text, std::size_t end, std::size_t floor) {
  while (end > floor) {
    auto last = utf8_last(text.substr(0, end));
    if (!is_white_space(utf8_decode(text.substr(last)))) break;
    end = last;
  }
  return end;
}

bool is_word_character(char32_t c) {
  auto point = static_cast<UChar32>(c);
  constexpr std::uint32_t categories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_GET_GC_MASK(point) & categories) != 0 || u_hasBinaryProperty(point, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(point, UCHAR_JOIN_CONTROL);
}

bool is_python_space(char32_t c) {
  return is_white_space(c) || (c >= 0x1c && c <= 0x1f);
}

bool is_printable(char32_t c) {
  constexpr std::uint32_t hidden = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CO_MASK | U_GC_CN_MASK |
                                   U_GC_ZL_MASK | U_GC_ZP_MASK | U_GC_ZS_MASK;
  return c == ' ' || (U_GET_GC_MASK(static_cast<UChar32>(c)) & hidden) == 0;
}

bool is_alphabetic(char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0;
}

namespace {

bool has_numeric_type(char32_t c, std::initializer_list<UNumericType> types) {
  auto type = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE);
  return std::find(types.begin(), types.end(), type) != types.end();
}

std::string utf8_of(const icu::UnicodeString& s) {
  std::string out;
  s.toUTF8String(out);
  return out;
}

}  // namespace

bool is_decimal(char32_t c) {
  return has_numeric_type(c, {U_NT_DECIMAL});
}
bool is_digit(char32_t c) {
  return has_numeric_type(c, {U_NT_DECIMAL, U_NT_DIGIT});
}
bool is_numeric(char32_t c) {
  return has_numeric_type(c, {U_NT_DECIMAL, U_NT_DIGIT, U_NT_NUMERIC});
}

std::optional<int> decimal_value(char32_t c) {
  if (!is_decimal(c)) return std::nullopt;
  return u_charDigitValue(static_cast<UChar32>(c));
}

bool begins_identifier(char32_t c) {
  return c == '_' || u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_START);
}
bool continues_identifier(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_CONTINUE);
}

letter_case case_of(char32_t c) {
  auto point = static_cast<UChar32>(c);
  if (u_charType(point) == U_TITLECASE_LETTER) return letter_case::title;
  if (u_hasBinaryProperty(point, UCHAR_UPPERCASE)) return letter_case::upper;
  return u_hasBinaryProperty(point, UCHAR_LOWERCASE) ? letter_case::lower : letter_case::none;
}
bool is_cased(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED);
}
bool is_case_ignorable(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASE_IGNORABLE);
}

std::string full_lower(char32_t c) {
  // In front of nothing a sigma would be a final one; a letter before it would change nothing else.
  if (c == 0x3a3) return "\u03c3";
  return utf8_of(icu::UnicodeString(static_cast<UChar32>(c)).toLower(icu::Locale::getRoot()));
}
std::string full_upper(char32_t c) {
  return utf8_of(icu::UnicodeString(static_cast<UChar32>(c)).toUpper(icu::Locale::getRoot()));
}
std::string full_title(char32_t c) {
  return utf8_of(icu::UnicodeString(static_cast<UChar32>(c))
                     .toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_BREAK_ADJUSTMENT));
}
std::string full_fold(char32_t c) {
  return utf8_of(icu::UnicodeString(static_cast<UChar32>(c)).foldCase());
}

namespace {

// The characters of Unicode 9, whose tables the reference library normalises with: younger marks pass as they
// are, in the order they have. Normalisation of older characters never changes.
const icu::UnicodeSet& normalised_characters() {
  static const icu::UnicodeSet set = [] {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet out(u"[:age=9.0:]", status);
    out.freeze();
    return out;
  }();
  return set;
}

const icu::Normalizer2* instance(unicode_form form, UErrorCode& status) {
  switch (form) {
    case unicode_form::nfc: return icu::Normalizer2::getNFCInstance(status);
    case unicode_form::nfd: return icu::Normalizer2::getNFDInstance(status);
    case unicode_form::nfkc: return icu::Normalizer2::getNFKCInstance(status);
    default: return icu::Normalizer2::getNFKDInstance(status);
  }
}

}  // namespace

result<edited_text> normalised(std::string_view text, unicode_form form) {
  auto length = checked_cast<std::int32_t>(text.size());
  if (!length) return fail(errc::invalid, "text of 2 GiB or more cannot be normalised");
  UErrorCode status = U_ZERO_ERROR;
  auto every = instance(form, status);
  if (U_FAILURE(status) || normalised_characters().isEmpty())
    return fail(errc::internal, "tables for Unicode normalisation are missing");
  icu::FilteredNormalizer2 normal(*every, normalised_characters());
  edited_text out;
  icu::StringPiece source(text.data(), *length);
  if (normal.isNormalizedUTF8(source, status) && U_SUCCESS(status)) {
    out.text = std::string(text);
    return out;
  }
  icu::StringByteSink<std::string> sink(&out.text, *length);
  icu::Edits edits;
  normal.normalizeUTF8(0, source, sink, &edits, status);
  if (U_FAILURE(status)) return fail(errc::internal, "Unicode normalisation failed");
  auto change = edits.getFineChangesIterator();
  while (change.next(status)) {
    auto begin = static_cast<std::size_t>(change.destinationIndex());
    auto old_begin = static_cast<std::size_t>(change.sourceIndex());
    out.changes.push_back({begin, begin + static_cast<std::size_t>(change.newLength()), old_begin,
                           old_begin + static_cast<std::size_t>(change.oldLength())});
  }
  return out;
}

edited_text lower_case(std::string_view text) {
  constexpr char32_t dotted_i = 0x130;  // the only one whose lower case is two characters
  text_editor out(text);
  for (std::size_t at = 0; at < text.size();) {
    auto length = utf8_length(text.substr(at, 4));
    auto c = utf8_decode(text.substr(at));
    auto lower = static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)));
    std::string replacement;
    if (c == dotted_i)
      replacement = "i\u0307";
    else if (lower != c)
      utf8_append(replacement, lower);
    if (!replacement.empty()) {
      out.keep(at);
      out.replace(at + length, replacement, length);
    }
    at += length;
  }
  return out.take();
}

}  // namespace lorica
