#include "core/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

#include "core/json.hpp"

namespace lorica {
namespace {

bool json_lines = false;

spdlog::level::level_enum to_spdlog(log_level l) {
  switch (l) {
    case log_level::debug: return spdlog::level::debug;
    case log_level::info: return spdlog::level::info;
    case log_level::warn: return spdlog::level::warn;
    default: return spdlog::level::err;
  }
}

// A line stays a line, whatever a client put into the text.
std::string escape_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", byte);
  }
  return out;
}

}  // namespace

void start_log(bool json, log_level least) {
  json_lines = json;
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("lorica", sink);
  logger->set_level(to_spdlog(least));
  logger->flush_on(spdlog::level::debug);
  logger->set_pattern(json ? R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%v})"
                           : "%Y-%m-%d %H:%M:%S.%e %-5l %v");
  spdlog::set_default_logger(std::move(logger));
}

void write_log(log_level level, std::string_view text) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(to_spdlog(level))) return;
  if (!json_lines) return logger->log(to_spdlog(level), escape_controls(text));
  std::string quoted;
  append_json_string(quoted, text);
  logger->log(to_spdlog(level), quoted);
}

}  // namespace lorica
