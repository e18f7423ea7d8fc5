#include "config/setting_groups.hpp"

namespace lorica {
namespace {

using enum setting_kind;

constexpr setting rows[] = {
    {.flag = "config",
     .environment = "LORICA_CONFIG",
     .text = "A TOML file of settings; its keys are these names without dashes in front.",
     .in_file = false},
    {.flag = "model-id",
     .environment = "MODEL_ID",
     .text =
         "The base model: a directory in Hugging Face layout, a .gguf file, or ORG/NAME as the local Hugging "
         "Face cache has it; or an adapter's directory, which is served beside its base. Required."},
    {.flag = "revision",
     .environment = "REVISION",
     .fallback = "main",
     .text = "Branch, tag or commit of a model-id from the Hugging Face cache."},
    {.flag = "huggingface-hub-cache",
     .environment = "HF_HUB_CACHE",
     .text = "The Hugging Face cache, which is only read. Default: $HF_HOME/hub, else "
             "$XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.",
     .second_environment = "HUGGINGFACE_HUB_CACHE"},
    {.flag = "served-model-name",
     .environment = "SERVED_MODEL_NAME",
     .kind = list,
     .text = "Public id of the base model; further names after commas. Default: its id on the Hub, the name "
             "in the file, or the directory's."},
    {.flag = "chat-template",
     .environment = "LORICA_CHAT_TEMPLATE",
     .text = "File with the chat template (Jinja) that takes the place of the model's own."},
};

}  // namespace

std::span<const setting> model_settings() {
  return rows;
}

}  // namespace lorica
