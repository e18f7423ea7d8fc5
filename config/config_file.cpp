#include "config/config_file.hpp"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_MAX_NESTED_VALUES 4
#include <toml++/toml.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "config/setting.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_bytes = 256 << 10;
// A dotted key makes a level of nesting of every part, and the parser takes levels apart by recursion.
constexpr std::size_t longest_line = 4096;
constexpr std::string_view adapters_key = "lora-adapters";

/// What the parser says, in words of ours: its own are made for programmers.
struct syntax_word {
  std::string_view theirs;
  std::string_view ours;
};
constexpr std::array syntax_words = {
    syntax_word{"cannot redefine existing", "this key or section is in the file already"},
    syntax_word{"utf-8", "this is not UTF-8"},
    syntax_word{"unknown escape", "this text holds an unknown escape; write \\\\ for a backslash"},
    syntax_word{"parsing string", "this text has no end; it closes with the quote that opened it"},
    syntax_word{"parsing boolean", "a truth value is true or false in small letters"},
    syntax_word{"leading zero", "a number has no zeros in front"},
    syntax_word{"not representable", "this number is too large"},
    syntax_word{"maximum nested", "values are nested too deeply"},
    syntax_word{"parsing array", "this array lacks a comma or its ]"},
    syntax_word{"parsing inline table", "this table lacks a comma or its }"},
    syntax_word{"parsing table header", "a section is written [name]"},
    syntax_word{"expected a comment or whitespace", "something follows the value; one key = value a line"},
    syntax_word{"expected '='", "expected key = value"},
    syntax_word{"value", "the value is missing or no TOML value; texts stand in quotes"},
};

std::string_view explain(std::string_view theirs) {
  for (auto& word : syntax_words)
    if (theirs.find(word.theirs) != std::string_view::npos) return word.ours;
  return "this is not TOML; expected key = value";
}

std::string_view kind_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::string: return "the text";
    case toml::node_type::integer: return "the number";
    case toml::node_type::floating_point: return "the fraction";
    case toml::node_type::boolean: return "the truth value";
    case toml::node_type::array: return "an array";
    case toml::node_type::table: return "a section";
    default: return "a date or time";
  }
}

/// Keys and values as error texts may show them: one line, not long.
std::string shown(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string out;
  for (char c : text.substr(0, longest))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text.size() > longest ? out + "…" : out;
}

/// The text of a single value, as a flag would carry it; nothing for dates, arrays and sections.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (auto text = node.as_string()) return text->get();
  if (auto number = node.as_integer()) return std::to_string(number->get());
  if (auto truth = node.as_boolean()) return std::string(truth->get() ? "true" : "false");
  if (!node.is_floating_point()) return std::nullopt;
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << node.as_floating_point()->get();
  return out.str();
}

std::string normalised(std::string_view key) {
  key.remove_prefix(std::min(key.find_first_not_of('-'), key.size()));
  std::string out;
  for (char c : key)
    out += c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// Turns one file's table into values; every step fails with a text that begins with the place.
class file_reader {
 public:
  explicit file_reader(std::string_view name) : name_(name) {}

  result<file_values> read(const toml::table& table) const {
    file_values out;
    for (auto&& [key, node] : table) {
      auto text = value_text(key, node);
      if (!text) return std::move(text).error();
      out[std::string(key.str())] = {*std::move(text), origin(key)};
    }
    return out;
  }

  error refuse_line(std::size_t line, std::string_view why) const {
    return fail(errc::bad_config, place(line) + std::string(why));
  }

 private:
  std::string place(std::size_t line) const { return name_ + ":" + std::to_string(line) + ": "; }
  std::string origin(const toml::key& key) const { return place(key.source().begin.line) + shown(key.str()); }

  result<std::string> value_text(const toml::key& key, const toml::node& node) const {
    auto* row = find_setting(key.str());
    if (!row && node.is_table())
      return fail(errc::bad_config, origin(key) +
                                        " is not a section; settings stand at the top of the file, and only "
                                        "[lora-adapters] is one");
    if (!row) return unknown(key);
    if (!row->in_file)
      return fail(errc::bad_config, origin(key) + " is not a key of the file; give --" +
                                        std::string(row->flag) + " or " + std::string(row->environment));
    if (auto table = node.as_table(); table && row->flag == adapters_key) return adapter_table(*table);
    if (auto array = node.as_array(); array && takes_array(*row)) return list_text(key, *row, *array);
    auto text = scalar_text(node);
    if (text && takes(*row, node)) return *std::move(text);
    return wrong_type(key, *row, node, text);
  }

  static bool takes_array(const setting& row) {
    return row.kind == setting_kind::list || row.kind == setting_kind::numbers ||
           row.use != setting_use::served;
  }

  static bool takes(const setting& row, const toml::node& node) {
    if (row.use != setting_use::served) return true;
    switch (row.kind) {
      case setting_kind::integer: return node.is_integer();
      case setting_kind::bytes: return node.is_integer() || node.is_string();
      case setting_kind::numbers: return node.is_integer() || node.is_string();
      case setting_kind::flag: return node.is_boolean();
      default: return node.is_string();
    }
  }

  error unknown(const toml::key& key) const {
    auto written = normalised(key.str());
    std::string hint = "; see lorica serve --help";
    if (find_setting(written))
      hint = "; write " + written;
    else if (auto nearest = nearest_setting(written); !nearest.empty())
      hint = "; did you mean " + std::string(nearest) + "?";
    return fail(errc::bad_config, origin(key) + " is not a setting" + hint);
  }

  error wrong_type(const toml::key& key, const setting& row, const toml::node& node,
                   const std::optional<std::string>& text) const {
    std::string what(kind_name(node.type()));
    if (text && !row.secret) what += " '" + shown(*text) + "'";
    auto allowed = allowed_values(row);
    if (row.kind == setting_kind::list) allowed = "a text in quotes or an array of them";
    if (row.kind == setting_kind::text || row.kind == setting_kind::choice) allowed += ", in quotes";
    return fail(errc::bad_config, origin(key) + ": " + what + " is not allowed; expected " + allowed);
  }

  /// `["a", "b"]` as `a,b`, and `[1, 2]` as `1,2`.
  result<std::string> list_text(const toml::key& key, const setting& row, const toml::array& array) const {
    std::string out;
    for (auto& item : array) {
      auto text = scalar_text(item);
      bool right_type = text && takes(row, item);
      if (!right_type) return wrong_type(key, row, item, text);
      if (text->empty() || text->find(',') != std::string::npos)
        return fail(errc::bad_config, origin(key) + ": the item '" + shown(*text) +
                                          "' is not allowed; expected a text without commas, not empty");
      if (!out.empty()) out += ',';
      out += *text;
    }
    return out;
  }

  /// `[lora-adapters]` with `name = "path"` as `name=path,…`.
  result<std::string> adapter_table(const toml::table& table) const {
    std::string out;
    for (auto&& [name, node] : table) {
      auto at = place(name.source().begin.line) + "[lora-adapters] " + shown(name.str());
      if (find_setting(name.str()))
        return fail(errc::bad_config, at + " is a setting; settings stand above all sections");
      auto text = node.as_string();
      if (!text)
        return fail(errc::bad_config, at + ": " + std::string(kind_name(node.type())) +
                                          " is not allowed; expected a path in quotes, and quotes "
                                          "around a name with dots");
      if (text->get().empty() || text->get().find(',') != std::string::npos)
        return fail(errc::bad_config, at + ": '" + shown(text->get()) +
                                          "' is not allowed; expected a path without commas, not empty");
      if (!out.empty()) out += ',';
      out.append(name.str()).append("=").append(text->get());
    }
    return out;
  }

  std::string name_;
};

std::string last_part(const std::string& path) {
  return shown(path.substr(path.find_last_of('/') + 1));
}

}  // namespace

result<file_values> parse_config_file(std::string_view text, std::string_view name) {
  file_reader reader(name);
  std::size_t line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    auto end = std::min(text.find('\n', begin), text.size());
    if (end - begin > longest_line)
      return reader.refuse_line(line, "the line has more than " + std::to_string(longest_line) +
                                          " bytes; an array may go over several lines");
    begin = end + 1;
  }
  auto parsed = toml::parse(text);
  if (!parsed)
    return reader.refuse_line(parsed.error().source().begin.line, explain(parsed.error().description()));
  return reader.read(parsed.table());
}

result<file_values> read_config_file(const std::string& path, const std::string& origin) {
  auto refuse = [&](const char* why) {
    return fail(errc::bad_config, origin + ": the file '" + last_part(path) + "' " + why);
  };
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return refuse("is a directory; give a TOML file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse(errno == EACCES ? "may not be read by this user" : "does not exist");
  std::string text(most_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return refuse("cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most_bytes) return refuse("has more than 262144 bytes; is it a TOML file?");
  return parse_config_file(text, last_part(path));
}

}  // namespace lorica
