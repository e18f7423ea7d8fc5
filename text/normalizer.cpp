#include "text/normalizer.hpp"

#include <utility>

namespace lorica {
namespace {

constexpr std::size_t text_limit = std::size_t{1} << 30;

struct editor {
  std::string_view text;

  result<edited_text> operator()(const replacement& r) const { return r.apply(text); }
  result<edited_text> operator()(unicode_form form) const { return normalised(text, form); }
  result<edited_text> operator()(lower_case_step) const { return lower_case(text); }

  result<edited_text> operator()(const prepend_step& s) const {
    text_editor out(text);
    if (!text.empty()) out.insert(s.text);
    return out.take();
  }

  result<edited_text> operator()(const strip_step& s) const {
    auto begin = s.left ? white_space_end(text, 0) : 0;
    auto end = s.right ? white_space_begin(text, text.size(), begin) : text.size();
    text_editor out(text);
    if (begin > 0) out.replace(begin, "", 0);
    out.keep(end);
    if (end < text.size()) out.replace(text.size(), "", 0);
    return out.take();
  }
};

struct compiler {
  result<normalizer::compiled> operator()(const replacement::source& source) const {
    auto r = replacement::compile(source);
    if (!r) return std::move(r).error();
    return normalizer::compiled(*std::move(r));
  }
  template <class Step>
  result<normalizer::compiled> operator()(const Step& step) const {
    return normalizer::compiled(step);
  }
};

}  // namespace

result<normalizer> normalizer::compile(const std::vector<step>& steps) {
  normalizer out;
  for (auto& s : steps) {
    auto ready = std::visit(compiler{}, s);
    if (!ready) return std::move(ready).error();
    out.steps_.push_back(*std::move(ready));
  }
  return out;
}

result<void> normalizer::apply(traced_text& text) const {
  for (auto& s : steps_) {
    auto edited = std::visit(editor{text.text()}, s);
    if (!edited) return std::move(edited).error();
    if (edited->text.size() > text_limit)
      return fail(errc::invalid, "text grows beyond 1 GiB when it is normalised");
    text.edit(*std::move(edited));
  }
  return {};
}

}  // namespace lorica
