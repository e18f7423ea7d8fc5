#include "tests/net/sse_readers.hpp"

#include <stdexcept>

namespace lorica::testing {
namespace {

constexpr std::string_view prefix = "data: ";

/// Takes the next line by the rule of the HTML standard off `left`; false when it has no end.
bool take_line(std::string_view& left, std::string_view& line) {
  auto end = left.find_first_of("\r\n");
  if (end == left.npos) return false;
  line = left.substr(0, end);
  left.remove_prefix(left.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  return true;
}

/// Bytes of a line end of `str.splitlines` at the front of `text`; 0 when there is none.
std::size_t unicode_line_end(std::string_view text) {
  for (std::string_view end :
       {"\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"})
    if (text.starts_with(end)) return end.size();
  return 0;
}

}  // namespace

std::vector<std::string> read_as_event_source(std::string_view stream) {
  if (stream.starts_with("\xef\xbb\xbf")) stream.remove_prefix(3);
  std::vector<std::string> out;
  std::string data;
  bool has_data = false;
  for (std::string_view line; take_line(stream, line);) {
    if (line.empty()) {
      // An event without data is not dispatched.
      if (has_data && !data.empty()) out.push_back(data.substr(0, data.size() - 1));
      data.clear();
      has_data = false;
      continue;
    }
    auto colon = line.find(':');
    if (colon == 0) continue;  // a comment
    auto field = line.substr(0, colon);
    auto value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field != "data") throw std::runtime_error("a field that is not data: " + std::string(field));
    data.append(value).append("\n");
    has_data = true;
  }
  // What the end of the stream cuts is thrown away.
  if (!stream.empty() || has_data) throw std::runtime_error("the last event has no end");
  return out;
}

std::vector<std::string> read_by_unicode_lines(std::string_view stream) {
  std::vector<std::string> out;
  std::string line;
  auto take = [&] {
    if (line.starts_with(prefix))
      out.push_back(line.substr(prefix.size()));
    else if (!line.empty() && !line.starts_with(':'))
      throw std::runtime_error("a line that is not data: " + line);
    line.clear();
  };
  while (!stream.empty()) {
    if (auto end = unicode_line_end(stream); end > 0) {
      take();
      stream.remove_prefix(end);
      continue;
    }
    line += stream.front();
    stream.remove_prefix(1);
  }
  if (!line.empty()) throw std::runtime_error("the last line has no end");
  return out;
}

std::vector<std::string> read_by_blank_lines(std::string_view stream) {
  std::vector<std::string> out;
  while (!stream.empty()) {
    auto end = stream.find("\n\n");
    if (end == stream.npos) throw std::runtime_error("the last block has no end");
    auto block = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    if (block.starts_with(':')) continue;
    // A further blank line, or a CR, would stand here.
    if (!block.starts_with(prefix) || block.find_first_of("\r\n") != block.npos)
      throw std::runtime_error("a block that is not one line of data: " + std::string(block));
    out.emplace_back(block.substr(prefix.size()));
  }
  return out;
}

std::vector<std::string> read_by_strict_lines(std::string_view stream) {
  std::vector<std::string> out;
  while (!stream.empty()) {
    auto end = stream.find('\n');
    if (end == stream.npos) throw std::runtime_error("the last line has no end");
    auto line = stream.substr(0, end);
    stream.remove_prefix(end + 1);
    if (line.empty() || line.starts_with(':')) continue;
    if (!line.starts_with(prefix)) throw std::runtime_error("a line that is not data: " + std::string(line));
    line.remove_prefix(prefix.size());
    if (line.empty() || line.front() == ' ') throw std::runtime_error("a payload that begins with a blank");
    out.emplace_back(line);
  }
  return out;
}

}  // namespace lorica::testing
