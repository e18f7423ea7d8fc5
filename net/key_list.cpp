#include "net/key_list.hpp"

#include <algorithm>

#include "core/sha256.hpp"
#include "net/secret_file.hpp"

namespace lorica {
namespace {

constexpr std::string_view hash_mark = "sha256:";
constexpr std::size_t most_keys = 10'000;
constexpr std::size_t most_file_bytes = 4 << 20;
constexpr std::size_t longest_key = 4096;

std::array<std::uint8_t, 32> digest_of(std::string_view text) {
  sha256 hash;
  hash.update(text);
  return hash.finish();
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  auto first = line.find_first_not_of(blanks);
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(blanks) + 1 - first);
}

bool is_key(std::string_view text) {
  return text.size() <= longest_key &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

void key_list::add(std::string_view key) {
  if (!key.empty()) digests_.push_back(digest_of(key));
}

result<void> key_list::add_lines(std::string_view text, std::string_view setting) {
  std::size_t number = 0;
  auto bad = [&](std::string_view why) {
    return fail(
        errc::bad_config,
        std::string("--").append(setting).append(": line " + std::to_string(number) + " ").append(why));
  };
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (digests_.size() == most_keys) return bad("is beyond the limit of 10000 keys");
    if (!line.starts_with(hash_mark)) {
      if (!is_key(line))
        return bad("is no key; expected up to 4096 printable ASCII characters without blanks");
      add(line);
      continue;
    }
    line.remove_prefix(hash_mark.size());
    digest hash{};
    bool hex = line.size() == 2 * hash.size() &&
               std::all_of(line.begin(), line.end(), [](char c) { return hex_digit(c) >= 0; });
    if (!hex) return bad("is no hash; expected sha256: and 64 hex digits");
    for (std::size_t i = 0; i < hash.size(); ++i)
      hash[i] = static_cast<std::uint8_t>(hex_digit(line[2 * i]) * 16 + hex_digit(line[2 * i + 1]));
    // Requests without a key would fit it.
    if (hash == digest_of({})) return bad("is the hash of an empty key");
    digests_.push_back(hash);
  }
  return {};
}

bool key_list::holds_digest(const digest& given) const noexcept {
  // Hashes make the lengths equal; every byte of every key is looked at.
  unsigned found = 0;
  for (auto& known : digests_) {
    unsigned different = 0;
    for (std::size_t i = 0; i < known.size(); ++i)
      different |= static_cast<unsigned>(given[i] ^ known[i]);
    found |= (different - 1) >> 31;  // 1 when nothing is different
  }
  return found != 0;
}

bool key_list::holds(std::string_view key) const {
  return holds_digest(digest_of(key));
}

bool key_list::overlaps(const key_list& other) const {
  return std::any_of(digests_.begin(), digests_.end(), [&](auto& d) { return other.holds_digest(d); });
}

result<key_list> read_keys(std::string_view key, const std::string& file, std::string_view file_setting) {
  key_list out;
  out.add(key);
  if (file.empty()) return out;
  auto text = read_secret_file(file, file_setting, most_file_bytes);
  if (!text) return text.error();
  auto before = out.size();
  if (auto ok = out.add_lines(*text, file_setting); !ok) return ok.error();
  if (out.size() == before)
    return fail(
        errc::bad_config,
        std::string("--").append(file_setting).append(": the file '" + last_name(file) + "' holds no key"));
  return out;
}

}  // namespace lorica
