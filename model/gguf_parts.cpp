#include "model/gguf_parts.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "files/read_file.hpp"
#include "model/config_checks.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t most_parts = 1'024;
constexpr std::uint64_t most_tensors = 65'536;  // as in one file

/// What a file says about its place among the parts; nothing where a key is absent.
struct place_of_part {
  std::optional<std::uint64_t> number;  // from 0
  std::optional<std::uint64_t> count;
  std::optional<std::uint64_t> tensors;  // of all parts together
};

error in_file(std::string_view name, const std::string& text) {
  return refuse_model(std::string(name) + ": " + text);
}

// People and file names count parts from 1.
std::string nth_of(std::uint64_t index, std::uint64_t count) {
  return "part " + std::to_string(index + 1) + " of " + std::to_string(count);
}

std::string ending(std::uint64_t index, std::uint64_t count) {
  char out[64];
  std::snprintf(out, sizeof out, "-%05llu-of-%05llu.gguf", static_cast<unsigned long long>(index + 1),
                static_cast<unsigned long long>(count));
  return out;
}

// NAME of NAME-00001-of-00003.gguf, or nothing when the name is not made like that.
std::optional<std::string> stem_of(std::string_view name, std::uint64_t index, std::uint64_t count) {
  const auto end = ending(index, count);
  if (!name.ends_with(end) || name.size() == end.size()) return std::nullopt;
  return std::string(name.substr(0, name.size() - end.size()));
}

result<std::optional<std::uint64_t>> whole_number(const gguf_header& header, std::string_view key) {
  if (!header.find(key)) return std::optional<std::uint64_t>();
  auto number = header.find_unsigned(key);
  if (!number) return refuse_model(std::string(key) + " is not a whole number >= 0");
  return number;
}

result<place_of_part> read_place(const gguf_header& header) {
  auto number = whole_number(header, "split.no");
  if (!number) return number.error();
  auto count = whole_number(header, "split.count");
  if (!count) return count.error();
  auto tensors = whole_number(header, "split.tensors.count");
  if (!tensors) return tensors.error();
  return place_of_part{*number, *count, *tensors};
}

// Whether the file that was named is the first of several parts, and all numbers are sane.
result<void> check_first(std::string_view name, const place_of_part& place, std::uint64_t count) {
  const auto number = place.number.value_or(0);
  if (number >= count)
    return refuse_model("split.no is " + std::to_string(number) + ", but split.count is " +
                        std::to_string(count));
  if (count == 1) return {};
  if (count > most_parts)
    return refuse_model("split.count is " + std::to_string(count) + "; at most " +
                        std::to_string(most_parts) + " parts are read");
  auto stem = stem_of(name, number, count);
  if (number != 0)
    return refuse_model("the file is " + nth_of(number, count) + "; name the first part, " +
                        (stem ? *stem : "the file that ends with ") + ending(0, count));
  if (!stem)
    return refuse_model("the file is " + nth_of(number, count) + ", so its name must end with " +
                        ending(0, count));
  if (!place.tensors || *place.tensors > most_tensors)
    return refuse_model("split.tensors.count is missing or above " + std::to_string(most_tensors));
  return {};
}

result<void> check_other(const place_of_part& place, std::uint64_t index, const place_of_part& first) {
  const auto expected = nth_of(index, *first.count) + " is expected under this name";
  if (!place.number || !place.count) return refuse_model("split.no or split.count is missing; " + expected);
  if (*place.number != index || *place.count != *first.count)
    return refuse_model("split.no is " + std::to_string(*place.number) + " and split.count " +
                        std::to_string(*place.count) + "; " + expected);
  if (place.tensors && *place.tensors != *first.tensors)
    return refuse_model("split.tensors.count is " + std::to_string(*place.tensors) +
                        ", the first part says " + std::to_string(*first.tensors));
  return {};
}

// Maps a file and adds its tensors to the table; gives its header without them.
result<gguf_header> add_file(gguf_parts& out, const std::string& path) {
  auto file = mapped_file::open(path);
  if (!file) return file.error();
  const auto bytes = (*file)->bytes();
  auto header = parse_gguf(bytes);
  if (!header) return refuse_model(header.error().text);
  for (auto& t : header->tensors) {
    out.data.push_back(bytes.subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes)));
    out.header.tensors.push_back(t);
  }
  header->tensors.clear();
  out.files.push_back(*std::move(file));
  return header;
}

// The tensors from `from` on against all before them.
result<void> check_names(const std::vector<gguf_tensor>& tensors, std::size_t from,
                         std::unordered_set<std::string_view>& seen) {
  for (; from < tensors.size(); ++from)
    if (!seen.insert(tensors[from].name).second)
      return refuse_model("tensor " + std::string(tensors[from].name) + " is in an earlier part too");
  return {};
}

result<void> add_part(gguf_parts& out, const std::string& path, std::uint64_t index,
                      const place_of_part& first, std::unordered_set<std::string_view>& names) {
  const auto before = out.data.size();
  auto header = add_file(out, path);
  if (!header) return header.error();
  auto place = read_place(*header);
  if (!place) return place.error();
  if (auto fits = check_other(*place, index, first); !fits) return fits;
  if (out.data.size() > *first.tensors)
    return refuse_model("the parts up to this one hold " + std::to_string(out.data.size()) +
                        " tensors, split.tensors.count is " + std::to_string(*first.tensors));
  return check_names(out.header.tensors, before, names);
}

result<void> add_others(gguf_parts& out, const std::filesystem::path& first_path,
                        const place_of_part& first) {
  const auto first_name = first_path.filename().string();
  std::unordered_set<std::string_view> names;
  for (auto& t : out.header.tensors)
    names.insert(t.name);
  for (std::uint64_t index = 1; index < *first.count; ++index) {
    const auto name = out.name + ending(index, *first.count);
    auto added = add_part(out, (first_path.parent_path() / name).string(), index, first, names);
    if (added) continue;
    if (added.error().code != errc::io) return in_file(name, added.error().text);
    return in_file(first_name,
                   "the model has " + std::to_string(*first.count) + " parts, but " + added.error().text);
  }
  if (out.data.size() == *first.tensors) return {};
  return in_file(first_name, "the parts hold " + std::to_string(out.data.size()) +
                                 " tensors, split.tensors.count is " + std::to_string(*first.tensors));
}

}  // namespace

result<gguf_parts> open_gguf_parts(const std::string& path) {
  const std::string name(file_name(path));
  gguf_parts out;
  out.name = std::filesystem::path(name).stem().string();
  auto header = add_file(out, path);
  if (!header && header.error().code == errc::io) return header.error();
  if (!header) return in_file(name, header.error().text);
  header->tensors.swap(out.header.tensors);
  out.header = *std::move(header);
  auto place = read_place(out.header);
  if (!place) return in_file(name, place.error().text);
  // A model that was put together again says 0.
  const auto count = std::max<std::uint64_t>(place->count.value_or(1), 1);
  if (auto sane = check_first(name, *place, count); !sane) return in_file(name, sane.error().text);
  if (count == 1) return out;
  out.name = *stem_of(name, 0, count);
  if (auto added = add_others(out, path, *place); !added) return added.error();
  return out;
}

}  // namespace lorica
