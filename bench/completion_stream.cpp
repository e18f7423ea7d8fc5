#include "bench/completion_stream.hpp"

#include <algorithm>

#include "core/checked.hpp"
#include "core/json.hpp"

namespace lorica::bench {
namespace {

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

std::uint32_t count(const value& usage, std::string_view name, std::uint32_t otherwise) {
  auto v = usage.find(name);
  auto n = v ? v->unsigned_whole() : std::nullopt;
  return n ? checked_cast<std::uint32_t>(*n).value_or(otherwise) : otherwise;
}

}  // namespace

void completion_stream::line(std::string_view text, clock::time_point now) {
  constexpr std::string_view field = "data:";
  if (!text.starts_with(field) || !out_.error.empty()) return;
  text.remove_prefix(field.size());
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (text != "[DONE]") event(text, now);
}

void completion_stream::event(std::string_view data, clock::time_point now) {
  auto parsed = parse_json(data);
  if (!parsed) {
    out_.error = "an event of the stream is not JSON";
    return;
  }
  if (auto e = parsed->find("error")) {
    auto message = e->find("message");
    auto text = message ? message->as_string() : e->as_string();
    out_.error = text ? *text : "the server ended the stream with an error";
    return;
  }
  if (auto usage = parsed->find("usage")) {
    out_.prompt = count(*usage, "prompt_tokens", out_.prompt);
    out_.output = count(*usage, "completion_tokens", out_.output);
  }
  auto choices = parsed->find("choices");
  auto list = choices ? choices->as_array() : nullptr;
  if (!list || list->empty()) return;
  auto text = list->front().find("text");
  auto written = text ? text->as_string() : nullptr;
  out_.latency = seconds(now - sent_);
  if ((written && !written->empty()) || !list->front().find("finish_reason")) token(now);
  if (keep_text_ && written) out_.text += *written;
}

void completion_stream::token(clock::time_point now) {
  ++events_;
  if (std::exchange(begun_, true))
    out_.itl.push_back(seconds(now - latest_));
  else
    out_.ttft = seconds(now - sent_);
  latest_ = now;
}

void completion_stream::end() {
  if (out_.error.empty() && !begun_) out_.error = "the stream ended without a token";
  out_.success = out_.error.empty();
  if (out_.output == 0) out_.output = events_;
}

}  // namespace lorica::bench
