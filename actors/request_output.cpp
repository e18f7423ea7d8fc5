#include "actors/request_output.hpp"

#include <chrono>
#include <utility>

#include "actors/token_alternatives.hpp"

namespace lorica {

request_output::request_output(parts with, const generation_request& request, generation_started facts,
                               const encoded_prompt& prompt)
    : with_(std::move(with)),
      facts_(std::move(facts)),
      prompt_(prompt.texts, with_.vocabulary),
      seed_(request.sampling.seed) {
  if (request.prompt_logprobs) prompt_.expect_scores();
  if (request.best_of) best_.emplace(*request.best_of, request.choices);
  for (std::uint32_t i = 0; i < sequences_of(request); ++i)
    choices_.emplace_back(with_.vocabulary, request, prompt.ids);
}

/// Tokens of other choices may come before the first one's sequence has told all of the prompt: they wait.
std::vector<std::uint32_t> request_output::take(const token_chunk_ptr& chunk) {
  std::vector<std::uint32_t> stopped;
  prompt_.add(chunk->scored);
  if (!chunk->events.empty()) early_.push_back(chunk);
  if (!prompt_.complete()) return stopped;
  for (auto& next : std::exchange(early_, {}))
    show(*next, stopped);
  return stopped;
}

void request_output::show(const token_chunk& chunk, std::vector<std::uint32_t>& stopped) {
  keep_pace(chunk);
  for (auto& event : chunk.events)
    show(event, stopped);
}

void request_output::keep_pace(const token_chunk& chunk) {
  if (!times_) {
    times_ = {chunk.at, chunk.admitted, chunk.at};
    facts_.prompt = prompt_.take();
    with_.sink->started(std::move(facts_));
    return;
  }
  with_.inter_token.observe(std::chrono::duration<double>(chunk.at - times_->last).count());
  times_->last = chunk.at;
}

void request_output::show(const token_event& event, std::vector<std::uint32_t>& stopped) {
  auto& choice = choices_.at(event.choice);
  if (choice.ended()) return;  // computed before the scheduler heard of the stop string
  auto token = choice.push(event.id, event.logprob, event.end);
  token.rank = event.rank;
  token.top = token_alternatives(event.top, *with_.vocabulary);
  if (best_)
    best_->add(event.choice, std::move(token));
  else
    with_.sink->chunk({event.choice, {std::move(token)}, choice.ended().has_value()});
  if (!choice.ended()) return;
  if (!event.end) stopped.push_back(event.choice);
  finish_choice(event.choice);
}

void request_output::finish_choice(std::uint32_t number) {
  auto& choice = choices_[number];
  ++ended_;
  generation_finish end{.choice = number,
                        .reason = *choice.ended(),
                        .text = choice.text(),
                        .generated_tokens = choice.tokens(),
                        .seed = seed_ + number,
                        .cause = choice.cause()};
  if (best_)
    best_->finish(std::move(end));
  else
    with_.sink->finished(std::move(end));
}

void request_output::finish() {
  if (!best_) return;
  for (auto& choice : best_->take()) {
    with_.sink->chunk({choice.end.choice, std::move(choice.tokens), true});
    with_.sink->finished(std::move(choice.end));
  }
}

std::vector<std::uint32_t> request_output::running() const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < choices_.size(); ++i)
    if (!choices_[i].ended()) out.push_back(i);
  return out;
}

std::uint32_t request_output::generated_tokens() const noexcept {
  std::uint32_t out = 0;
  for (auto& choice : choices_)
    out += choice.tokens();
  return out;
}

}  // namespace lorica
