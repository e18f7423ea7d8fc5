#include "text/unicode.hpp"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include <algorithm>

#include "core/checked.hpp"

namespace lorica {

bool is_white_space(char32_t c) {
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}

bool is_word_character(char32_t c) {
  auto point = static_cast<UChar32>(c);
  constexpr std::uint32_t categories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_GET_GC_MASK(point) & categories) != 0 || u_hasBinaryProperty(point, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(point, UCHAR_JOIN_CONTROL);
}

std::pair<std::size_t, std::size_t> normalised_text::origin(std::size_t begin, std::size_t end) const {
  // The last change that begins at or before `at`, as an iterator one past it.
  auto after = [&](std::size_t at) {
    return std::upper_bound(changes.begin(), changes.end(), at,
                            [](std::size_t where, const change& c) { return where < c.begin; });
  };
  std::pair<std::size_t, std::size_t> out{begin, end};
  if (auto next = after(begin); next != changes.begin()) {
    auto& c = *std::prev(next);
    out.first = begin < c.end ? c.old_begin : c.old_end + (begin - c.end);
  }
  if (end == begin) return {out.first, out.first};
  if (auto next = after(end - 1); next != changes.begin()) {
    auto& c = *std::prev(next);
    out.second = end <= c.end ? c.old_end : c.old_end + (end - c.end);
  }
  return out;
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

}  // namespace

result<normalised_text> normalise_nfc(std::string_view text) {
  auto length = checked_cast<std::int32_t>(text.size());
  if (!length) return fail(errc::invalid, "text of 2 GiB or more cannot be normalised");
  UErrorCode status = U_ZERO_ERROR;
  auto every = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status) || normalised_characters().isEmpty())
    return fail(errc::internal, "tables for Unicode normalisation are missing");
  icu::FilteredNormalizer2 nfc(*every, normalised_characters());
  normalised_text out;
  icu::StringPiece source(text.data(), *length);
  if (nfc.isNormalizedUTF8(source, status) && U_SUCCESS(status)) {
    out.text = std::string(text);
    return out;
  }
  icu::StringByteSink<std::string> sink(&out.text, *length);
  icu::Edits edits;
  nfc.normalizeUTF8(0, source, sink, &edits, status);
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

}  // namespace lorica
