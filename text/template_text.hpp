#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// A stretch of a text, in bytes.
struct text_span {
  std::size_t begin = 0, end = 0;

  bool operator==(const text_span&) const = default;
};

/// A text that knows which of its bytes came from a request. The spans are ascending, not empty, and neither
/// overlap nor touch. What a template wrote itself lies between them.
struct template_text {
  std::string text;
  std::vector<text_span> from_request;

  template_text() = default;
  explicit template_text(std::string plain) : text(std::move(plain)) {}

  /// A text whose every byte came from a request.
  static template_text of_request(std::string text);

  void append(std::string_view plain) { text += plain; }
  void append(std::string_view bytes, bool marked);
  void append(const template_text& other);

  /// Appends the bytes [begin, end) of `other` with their marks.
  void append_part(const template_text& other, std::size_t begin, std::size_t end);

  /// The bytes [begin, end) with their marks.
  template_text part(std::size_t begin, std::size_t end) const;

  /// True when a byte of [begin, end) came from a request.
  bool marked(std::size_t begin, std::size_t end) const;
  bool marked() const noexcept { return !from_request.empty(); }

  /// Keeps the first `size` bytes.
  void cut(std::size_t size);

 private:
  void mark(std::size_t begin, std::size_t end);
};

}  // namespace lorica
