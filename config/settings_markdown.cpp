#include "config/setting.hpp"
#include "config/settings.hpp"

namespace lorica {
namespace {

constexpr std::string_view opening = R"(# Settings of `lorica serve`

Made from the tables in `config/`. Flags beat environment variables, which beat the configuration file, which
beats defaults. A bad setting of any layer ends the program with exit code 2 before anything is loaded.

## The configuration file

`--config FILE` or `LORICA_CONFIG` names a file in [TOML](https://toml.io). Its keys are the flags below without the two dashes,
written with dashes as they are. Numbers stand plain, sizes plain or as `"4G"`, `true` and `false` plain, everything else in quotes.
What holds several items is a text with commas or an array. The adapters may also be a section of their own, which stands at the
end: `name = "path"`, with quotes around a name that has dots or a slash. There are no other sections. Paths are relative to
the working directory, as those of flags are. Unknown keys are refused. Keep keys and tokens in the environment, or the file
unreadable for others.

```toml
model-id = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
port = 3000
kv-memory = "2G"
cors-allow-origin = ["https://one.example", "https://two.example"]

[lora-adapters]
sql = "adapters/sql"
"team/triage" = "adapters/triage"
```

Examples that a test starts: [config/examples/](../config/examples).

## Settings

| flag, and key of the file | environment | default | allowed | meaning |
|---|---|---|---|---|
)";

std::string short_bounds(const setting& row) {
  switch (row.kind) {
    case setting_kind::integer:
    case setting_kind::bytes: return std::to_string(row.least) + " to " + std::to_string(row.most);
    case setting_kind::numbers:
      return "0, or " + std::to_string(row.least) + " to " + std::to_string(row.most) + " each";
    case setting_kind::flag: return "true, false";
    case setting_kind::choice: return spelled_choices(row.choices);
    default: return {};
  }
}

std::string code(std::string_view text) {
  std::string out;
  if (text.empty()) return out;
  out += '`';
  return out.append(text).append("`");
}

std::string flag_cell(const setting& row) {
  std::string out = code("--" + std::string(row.flag));
  if (!row.alias.empty()) out += " (also `--" + std::string(row.alias) + "`)";
  if (!row.in_file) out += " (not in the file)";
  return out;
}

}  // namespace

std::string settings_markdown() {
  std::string out(opening);
  auto line = [&out](std::initializer_list<std::string> cells) {
    out += "|";
    for (auto& cell : cells)
      out += " " + cell + " |";
    out += "\n";
  };
  auto rows = [&](setting_use use, auto&& cells) {
    for (auto& row : serve_settings_table())
      if (row.use == use) cells(row);
  };
  rows(setting_use::served, [&](const setting& row) {
    auto environment = code(row.environment);
    if (!row.second_environment.empty()) environment += ", else " + code(row.second_environment);
    line({flag_cell(row), environment, std::string(row.fallback), short_bounds(row), std::string(row.text)});
  });
  out +=
      "\n## Known from TGI, accepted with a warning\n\n"
      "| flag | environment | why it has no effect |\n|---|---|---|\n";
  rows(setting_use::harmless, [&](const setting& row) {
    line({flag_cell(row), code(row.environment), std::string(row.text)});
  });
  out +=
      "\n## Known from TGI, refused\n\n"
      "| flag | environment | accepted values | instead |\n|---|---|---|---|\n";
  rows(setting_use::refused, [&](const setting& row) {
    line({flag_cell(row), code(row.environment), spelled_choices(row.neutral), std::string(row.text)});
  });
  return out;
}

}  // namespace lorica
