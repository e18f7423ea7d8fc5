#include "actors/chat_encoder.hpp"

#include <algorithm>
#include <utility>

namespace lorica {
namespace {

bool begins_with_system(const conversation& what) {
  auto list = what.messages.as_array();
  auto role = list && !list->empty() ? list->front().find("role") : nullptr;
  auto word = role ? role->as_string() : nullptr;
  return word && (*word == "system" || *word == "developer");
}

/// The conversation behind a system message.
conversation behind(const std::string& system_prompt, const conversation& what) {
  conversation out = what;
  value::array messages{
      value(value::object{{"role", value(std::string("system"))}, {"content", value(system_prompt)}})};
  auto& given = *what.messages.as_array();
  messages.insert(messages.end(), given.begin(), given.end());
  out.messages = value(std::move(messages));
  return out;
}

/// The token that a text begins with, blanks left out, where that is a special one.
std::optional<token_id> special_at(std::string_view text, const tokenizer& vocabulary) {
  auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  auto ids = vocabulary.encode_rendered(template_text(std::string(text.substr(begin))));
  if (!ids || ids->empty() || !vocabulary.is_special(ids->front())) return std::nullopt;
  return ids->front();
}

}  // namespace

chat_encoder::chat_encoder(std::shared_ptr<const chat_format> of_model,
                           std::shared_ptr<const tokenizer> vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  if (!of_model) of_model = std::make_shared<const chat_format>(chat_template_source{});
  of_model_ = made({}, std::move(of_model));
}

chat_encoder::format chat_encoder::made(std::string source,
                                        std::shared_ptr<const chat_format> templates) const {
  auto end = special_at(templates->behind_answer(), *vocabulary_);
  return {std::move(source), std::move(templates), end};
}

const chat_encoder::format& chat_encoder::format_of(const generation_defaults* defaults) {
  if (!defaults || !defaults->chat_template) return of_model_;
  auto& source = *defaults->chat_template;
  auto at = std::ranges::find(of_adapters_, source, &format::source);
  if (at == of_adapters_.end()) {
    auto templates = std::make_shared<const chat_format>(of_model_.templates->with_template(source));
    of_adapters_.push_front(made(source, std::move(templates)));
    if (of_adapters_.size() > most_kept) of_adapters_.pop_back();
  } else {
    of_adapters_.splice(of_adapters_.begin(), of_adapters_, at);
  }
  return of_adapters_.front();
}

result<chat_encoder::prompt> chat_encoder::render(const conversation& what,
                                                  const generation_defaults* defaults, const std::tm& now) {
  auto& use = format_of(defaults);
  bool add = defaults && defaults->system_prompt && what.messages.as_array() && !begins_with_system(what);
  auto text = add ? use.templates->render(behind(*defaults->system_prompt, what), now)
                  : use.templates->render(what, now);
  if (!text) return std::move(text).error();
  return prompt{*std::move(text), use.end_of_turn};
}

}  // namespace lorica
