#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lorica {

/// A stretch that an edit changed; between two of them the texts are equal. Offsets are bytes.
struct text_change {
  std::size_t begin = 0, end = 0;          ///< in the new text
  std::size_t old_begin = 0, old_end = 0;  ///< in the text before
};

/// What an edit makes of a text.
struct edited_text {
  std::string text;
  std::vector<text_change> changes;  ///< ascending
};

/// A text after edits, with the way back to the text it was made from. Lives for one call, on one thread.
class traced_text {
 public:
  /// A stretch that begins at `base` of the text it was made from.
  traced_text(std::string_view text, std::size_t base) : text_(text), base_(base) {}

  /// The stretch [begin, end) of `parent`, which outlives this one.
  traced_text(const traced_text& parent, std::size_t begin, std::size_t end)
      : text_(parent.text().substr(begin, end - begin)), parent_(&parent), base_(begin) {}

  std::string_view text() const noexcept { return text_; }

  /// Replaces the text by what an edit made of it.
  void edit(edited_text next);

  /// The piece of the first text that [begin, end) of the present one came from. Changes are taken whole: a
  /// composed character covers all characters it was composed from.
  std::pair<std::size_t, std::size_t> origin(std::size_t begin, std::size_t end) const;

 private:
  std::string text_;
  std::vector<std::vector<text_change>> edits_;  // of those that changed something
  const traced_text* parent_ = nullptr;
  std::size_t base_ = 0;  // in the parent, or in the first text
};

/// Builds the result of an edit front to back: what is kept of a text, and what stands for the rest.
class text_editor {
 public:
  explicit text_editor(std::string_view text) : text_(text) { out_.text.reserve(text.size()); }

  /// Takes the text over up to `end`.
  void keep(std::size_t end);

  /// Puts a text in front of the next character, which there must be, and counts it to that.
  void insert(std::string_view text);

  /// Puts `replacement` for what follows up to `end`. It comes from the last `origin` bytes of that.
  void replace(std::size_t end, std::string_view replacement, std::size_t origin);

  /// Bytes of the new text so far.
  std::size_t size() const noexcept { return out_.text.size(); }

  /// The whole, with what is left of the text.
  edited_text take();

 private:
  std::string_view text_;
  std::size_t done_ = 0;
  edited_text out_;
};

}  // namespace lorica
