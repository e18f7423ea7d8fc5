#include "app/chat_source.hpp"

#include <utility>

#include "core/log.hpp"
#include "files/read_file.hpp"
#include "text/chat_template.hpp"
#include "text/chat_template_source.hpp"

namespace lorica {

result<std::shared_ptr<const chat_format>> find_chat_format(const std::string& model_path,
                                                            const std::string& template_file) {
  auto source = read_chat_templates(model_path);
  if (!template_file.empty()) {
    auto text = read_file(template_file, chat_template::source_limit);
    if (!text) return fail(errc::bad_config, "chat-template: " + text.error().text);
    auto parsed = chat_template::parse(*text);
    if (!parsed) return fail(errc::bad_config, "chat-template: " + parsed.error().text);
    source.templates = {{"default", *std::move(text)}};
    source.problem.reset();
  }
  if (source.problem) log_warn("chat template: {}", source.problem->text);
  auto out = std::make_shared<const chat_format>(source);
  for (auto& one : source.templates)
    if (!out->style(one.name))
      log_warn("chat template '{}' does not work: {}", one.name, chat_template::parse(one.text).error().text);
  if (out->empty()) log_info("the model has no chat template: /v1/chat/completions will say so");
  return out;
}

}  // namespace lorica
