#include "actors/request_output.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "actors/token_alternatives.hpp"

namespace lorica {

request_output::request_output(parts with, const generation_request& request, generation_started facts,
                               const std::vector<encoded_prompt>& prompts, sequence_id first)
    : with_(std::move(with)),
      facts_(std::move(facts)),
      end_of_turn_(prompts.front().end_of_turn),
      seed_(request.sampling.seed),
      sequences_(sequences_of(request)),
      sampled_(request.sampling.sample),
      answered_(request.choices),
      first_(first) {
  for (auto& prompt : prompts) {
    prompts_.emplace_back(prompt.texts, with_.vocabulary);
    if (request.prompt_logprobs) prompts_.back().expect_scores();
    if (request.best_of) best_.emplace_back(sequences_, answered_);
    for (std::uint32_t i = 0; i < sequences_; ++i)
      choices_.emplace_back(with_.vocabulary, request, prompt.ids);
  }
}

bool request_output::prompts_complete() const {
  return std::ranges::all_of(prompts_, &prompt_report::complete);
}

/// Tokens of other choices may come before the first ones' sequences have told all of their prompts: they
/// wait.
std::vector<std::uint32_t> request_output::take(const token_chunk_ptr& chunk) {
  std::vector<std::uint32_t> stopped;
  for (auto& scored : chunk->scored)
    prompts_.at((scored.id - first_) / sequences_).add({&scored, 1});
  if (!chunk->events.empty()) early_.push_back(chunk);
  if (!prompts_complete()) return stopped;
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
    for (auto& prompt : prompts_)
      facts_.prompts.push_back(prompt.take());
    with_.sink->started(std::move(facts_));
    return;
  }
  with_.inter_token.observe(std::chrono::duration<double>(chunk.at - times_->last).count());
  times_->last = chunk.at;
}

void request_output::show(const token_event& event, std::vector<std::uint32_t>& stopped) {
  auto& choice = choices_.at(event.choice);
  if (choice.ended()) return;  // computed before the scheduler heard of the stop string
  // What the template ends a turn with ends it as the model's own end tokens do.
  auto end = event.end == finish_reason::stop_sequence && event.id == end_of_turn_ ? finish_reason::eos_token
                                                                                   : event.end;
  auto token = choice.push(event.id, event.logprob, end);
  token.rank = event.rank;
  token.top = token_alternatives(event.top, *with_.vocabulary);
  if (!best_.empty())
    best_[event.choice / sequences_].add(event.choice % sequences_, std::move(token));
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
                        .seed = seed_ + number % sequences_,
                        .cause = choice.cause(),
                        .sampled = sampled_};
  if (best_.empty()) return with_.sink->finished(std::move(end));
  end.choice = number % sequences_;
  best_[number / sequences_].finish(std::move(end));
}

void request_output::finish() {
  std::uint32_t number = 0;
  for (auto& of_prompt : best_)
    for (auto& choice : of_prompt.take()) {
      choice.end.choice = number++;
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
