#include "net/secret_file.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/shown.hpp"

namespace lorica {

namespace fs = std::filesystem;

std::string last_name(const std::string& path) {
  return shown(fs::path(path).filename().string());
}

result<std::string> read_secret_file(const std::string& path, std::string_view setting,
                                     std::size_t most_bytes) {
  auto bad = [&](std::string_view why) {
    return fail(
        errc::bad_config,
        std::string("--").append(setting).append(": the file '" + last_name(path) + "' ").append(why));
  };
  std::error_code ec;
  auto kind = fs::status(path, ec);
  if (!fs::exists(kind)) return bad("is not there, or its directory cannot be entered");
  // A pipe or device might never end.
  if (!fs::is_regular_file(kind)) return bad("is not a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return bad("cannot be read by this user");
  std::string out(most_bytes + 1, '\0');
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (file.bad()) return bad("cannot be read");
  out.resize(static_cast<std::size_t>(file.gcount()));
  if (out.size() > most_bytes) return bad("is larger than " + std::to_string(most_bytes) + " bytes");
  return out;
}

}  // namespace lorica
