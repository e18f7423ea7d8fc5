#include "app/admin/key_source.hpp"

#include <cstring>
#include <fstream>
#include <string_view>

#include "core/shown.hpp"

namespace lorica::admin {
namespace {

constexpr std::streamsize longest_line = 4096;

result<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string out(static_cast<std::size_t>(longest_line), '\0');
  if (!file.getline(out.data(), longest_line))
    return fail(errc::bad_config, "No key can be read from the file '" + shown(path) + "' of --api-key-file");
  out.resize(std::strlen(out.c_str()));
  while (!out.empty() && (out.back() == '\r' || out.back() == ' '))
    out.pop_back();
  return out;
}

}  // namespace

result<std::string> find_key(const call& what, const read_environment& environment) {
  if (what.has("--api-key") && what.has("--api-key-file"))
    return fail(errc::bad_config, "--api-key and --api-key-file are both given; give one of them");
  if (what.has("--api-key")) return what.text("--api-key");
  if (what.has("--api-key-file")) return first_line(what.text("--api-key-file"));
  for (auto name : {"LORICA_API_KEY", "ADMIN_API_KEY", "API_KEY"})
    if (auto key = environment(name); key && !key->empty()) return *key;
  return std::string();
}

void hide_keys(int argc, char** argv) noexcept {
  constexpr std::string_view option = "--api-key";
  for (int i = 1; i < argc; ++i) {
    std::string_view word(argv[i]);
    if (word == option && i + 1 < argc)
      std::memset(argv[i + 1], '*', std::strlen(argv[i + 1]));
    else if (word.starts_with("--api-key="))
      std::memset(argv[i] + option.size() + 1, '*', word.size() - option.size() - 1);
  }
}

}  // namespace lorica::admin
