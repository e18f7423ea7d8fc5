#include "adapters/hub_job.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_body = std::size_t{16} << 20;  // of a reply that is read as JSON
constexpr std::uint64_t most_ignored = 64 * 1024;  // of a body that nobody reads, to keep the connection
constexpr auto lock_pause = 100ms;
// As much as this is progress, after which a file's attempts are counted anew.
constexpr std::uint64_t progress_bytes = std::uint64_t{1} << 20;

bool is_plain(const hub_head& head) noexcept {
  auto encoding = head.find("content-encoding");
  return !encoding || *encoding == "identity";
}

error mismatch(std::string text) {
  return refused(refusal::digest_mismatch, std::move(text));
}

}  // namespace

hub_job::hub_job(const hub_options& options, hub_source wanted, bool cache_first,
                 std::shared_ptr<hub_progress> progress, time_point now)
    : options_(options),
      wanted_(std::move(wanted)),
      cache_first_(cache_first),
      progress_(std::move(progress)),
      repository_(options.cache, wanted_.id, options.links),
      ends_at_(now + options.total),
      first_page_(),
      reply_by_(now),
      window_ends_(now),
      wakes_at_(now) {
  if (!progress_) progress_ = std::make_shared<hub_progress>();
}

error hub_job::unreachable(std::string why) const {
  return refused(refusal::hub_unreachable,
                 "'" + wanted_.id + "' cannot be fetched: the Hub " + std::move(why));
}

error hub_job::about_this(error why) const {
  why.text.insert(0, "'" + wanted_.id + "' cannot be fetched: ");
  return why;
}

void hub_job::work(time_point now) {
  if (step_ == step::lock) return try_lock(now);
  if (step_ == step::take_up) return take_up();
  start();
}

void hub_job::start() {
  progress_->stage = hub_stage::asking;
  auto cached = find_snapshot(options_.cache, wanted_);
  bool names_are_good = cached || cached.error().code != errc::invalid;
  if (!names_are_good) return end(cached.error());
  if (options_.offline && !cached) {
    auto why = cached.error();
    why.code = why.reason == refusal::path_not_allowed ? errc::bad_adapter : errc::unknown_adapter;
    return end(why);
  }
  if (options_.offline) return static_cast<void>(use_cache());
  bool fixed = is_commit(wanted_.revision);
  if ((fixed || cache_first_) && use_cache()) return;
  if (options_.cache.root.empty())
    return end(fail(errc::io, "there is no Hugging Face cache to download to; set HF_HOME",
                    std::string(refusal::cache_not_writable)));
  if (!fixed) return ask_revision();
  commit_ = wanted_.revision;
  list_files();
}

// Ends the job with what the cache has, if that is an adapter as a whole (offline: whatever it is).
bool hub_job::use_cache() {
  auto found = find_snapshot(options_.cache, wanted_);
  if (!found) return false;
  auto commit = std::filesystem::path(*found).filename().string();
  if (!options_.offline && !in_cache(commit)) return false;
  end(hub_snapshot{*std::move(found), std::move(commit), false});
  return true;
}

bool hub_job::in_cache(const std::string& commit) const {
  return repository_.has(commit, "adapter_config.json") &&
         repository_.has(commit, "adapter_model.safetensors");
}

hub_url hub_job::at_endpoint(const std::string& path) const {
  auto out = options_.endpoint;
  if (out.target == "/") out.target.clear();
  out.target += path;
  return out;
}

hub_url hub_job::resolve_url() const {
  return at_endpoint("/" + wanted_.id + "/resolve/" + commit_ + "/" + percent_encoded(file().name));
}

void hub_job::ask(hub_url url, bool head) {
  bool home = same_origin(url, options_.endpoint);
  request_ = {std::move(url), head, home && !options_.token.empty(), home, 0};
  asked_ = request_;
  attempts_ = 0;
  redirects_ = 0;
  state_ = state::ready;
}

void hub_job::ask_revision() {
  step_ = step::revision;
  ask(at_endpoint("/api/models/" + wanted_.id + "/revision/" + percent_encoded(wanted_.revision)), false);
}

void hub_job::ask_page(hub_url url) {
  step_ = step::listing;
  ask(std::move(url), false);
}

void hub_job::list_files() {
  auto url = at_endpoint("/api/models/" + wanted_.id + "/tree/" + commit_ + "?recursive=false&expand=false");
  first_page_ = url.text();
  ask_page(std::move(url));
}

void hub_job::next_file() {
  while (at_ < files_.size() && repository_.has(commit_, file().name, file().size)) {
    bytes_before_ += file().size;
    ++at_;
  }
  blob_.reset();
  show_progress();
  if (at_ == files_.size()) return finish(true);
  ask_head();
}

void hub_job::ask_head() {
  step_ = step::head;
  ask(resolve_url(), true);
}

void hub_job::try_lock(time_point now) {
  step_ = step::lock;
  auto locked = blob_->lock();
  if (!locked) return end(locked.error());
  if (!*locked) return wait_until(now + lock_pause);
  if (blob_->is_there()) return keep_file();
  if (auto ok = blob_->open(); !ok) return end(ok.error());
  step_ = step::take_up;
  state_ = state::working;
}

void hub_job::take_up() {
  auto taken = blob_->take_up();
  if (!taken) return end(taken.error());
  show_progress();
  if (!*taken) return;
  from_before_ = blob_->size() > 0;
  if (blob_->is_full()) return settle();
  ask_body();
}

void hub_job::ask_body() {
  step_ = step::body;
  size_at_attempt_ = blob_->size();
  ask(location_.value_or(resolve_url()), false);
}

void hub_job::settle() {
  auto right = blob_->settle();
  if (!right) return end(right.error());
  if (*right) return keep_file();
  // An earlier attempt may have left wrong bytes; the whole file gets one chance.
  if (!from_before_)
    return end(mismatch(file_name() + " of '" + wanted_.id +
                        "' is not what the Hub says it is (SHA of the content); nothing of it is kept"));
  from_before_ = false;
  location_.reset();
  ask_body();
}

void hub_job::keep_file() {
  auto linked = repository_.link(commit_, file().name, expectation_.etag);
  if (!linked) return end(linked.error());
  bytes_before_ += file().size;
  ++at_;
  next_file();
}

void hub_job::finish(bool asked) {
  // Last, so that whoever finds the reference finds the files. A commit that is there already may lie in a
  // cache that can only be read.
  auto referred = repository_.refer(wanted_.revision, commit_);
  bool fetched = !files_.empty();
  if (!referred && fetched) return end(referred.error());
  auto found = find_snapshot(options_.cache, {wanted_.id, commit_});
  if (!found) return end(found.error());
  end(hub_snapshot{*std::move(found), commit_, asked});
}

void hub_job::begin(time_point now) {
  state_ = state::transferring;
  has_head_ = false;
  takes_body_ = false;
  broken_by_.reset();
  body_.clear();
  ignored_ = 0;
  reply_by_ = now + options_.connect + options_.reply;
  request_.from = step_ == step::body ? blob_->size() : 0;
}

bool hub_job::on_head(const hub_head& head, time_point now) {
  if (state_ != state::transferring) return false;
  head_ = head;
  has_head_ = true;
  window_ends_ = now + options_.stall;
  window_bytes_ = 0;
  int status = head.status();
  if (status == 416 && step_ == step::body) return begin_body(now);
  takes_body_ = status >= 200 && status < 300 && !request_.head;
  if (!takes_body_) return true;
  if (!is_plain(head)) {
    end(unreachable("sends a compressed body, which was not asked for"));
    return false;
  }
  return step_ != step::body || begin_body(now);
}

// 206 goes on; 200 and 416 start over.
bool hub_job::begin_body(time_point) {
  progress_->stage = hub_stage::downloading;
  auto range = content_range_of(head_);
  auto length = head_.find("content-length");
  auto from = request_.from;
  bool goes_on = head_.status() == 206 && range && range->first == from &&
                 range->total.value_or(expectation_.size) == expectation_.size &&
                 range->last < expectation_.size;
  if (head_.status() == 206 && goes_on) return true;
  if (from > 0) {
    auto again = blob_->restart();
    if (!again) end(again.error());
    if (!again) return false;
    size_at_attempt_ = 0;
    from_before_ = false;
    show_progress();
  }
  if (head_.status() != 200) {
    broken_by_ = unreachable("answers with another part of the file than was asked for");
    return false;
  }
  auto number = length ? parse_decimal(*length) : std::optional<std::uint64_t>(expectation_.size);
  if (number && *number <= expectation_.size) return true;
  broken_by_ = about_this(mismatch(file_name() + " would have more than the " +
                                   std::to_string(expectation_.size) + " bytes that the Hub says it has"));
  return false;
}

bool hub_job::on_body(std::span<const std::byte> bytes, time_point) {
  if (state_ != state::transferring || broken_by_) return false;
  window_bytes_ += bytes.size();
  if (!takes_body_) {
    ignored_ += bytes.size();
    return ignored_ <= most_ignored;
  }
  if (step_ == step::body) {
    auto kept = blob_->append(bytes);
    show_progress();
    if (kept) return true;
    if (kept.error().reason != refusal::digest_mismatch) {
      end(kept.error());
      return false;
    }
    broken_by_ = about_this(kept.error());
    auto again = blob_->restart();
    if (!again) end(again.error());
    return false;
  }
  if (bytes.size() > most_body - body_.size()) {
    end(unreachable("answers with more than " + std::to_string(most_body) + " bytes"));
    return false;
  }
  body_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return true;
}

void hub_job::on_end(hub_outcome outcome, time_point now) {
  if (state_ != state::transferring) return;
  if (outcome == hub_outcome::refused_address)
    return end(refused(refusal::path_not_allowed,
                       "'" + wanted_.id +
                           "' cannot be fetched: the Hub redirects to an address inside a network, "
                           "which a redirect may not lead to"));
  if (outcome == hub_outcome::untrusted)
    return end(unreachable("does not prove by its certificate that it is the host that was asked"));
  end_of_reply(outcome, now);
}

void hub_job::retry(error why, time_point now, std::optional<std::chrono::seconds> wish) {
  // A cache that has the revision is better than waiting for a Hub that does not answer.
  if (step_ == step::revision && use_cache()) return;
  if (step_ == step::body) {
    if (blob_->size() >= size_at_attempt_ + progress_bytes) attempts_ = 0;
    size_at_attempt_ = blob_->size();
  }
  if (attempts_ >= options_.retries) return end(std::move(why));
  if (wish && *wish > options_.longest_retry_after)
    return end(unreachable("wants to be left alone for " + std::to_string(wish->count()) + " seconds"));
  auto pause = options_.back_off;
  for (unsigned i = 0; i < attempts_ && pause < options_.longest_back_off; ++i)
    pause *= 2;
  pause = std::min(pause, options_.longest_back_off);
  if (wish) pause = std::max<std::chrono::milliseconds>(pause, *wish);
  ++attempts_;
  // Where a redirect led may be gone; begin at the endpoint again.
  auto attempts = attempts_;
  if (step_ == step::body && location_) ask(resolve_url(), false);
  location_.reset();
  attempts_ = attempts;
  request_ = asked_;
  redirects_ = 0;
  wait_until(now + pause);
}

void hub_job::wait_until(time_point when) {
  wakes_at_ = when;
  state_ = state::waiting;
}

bool hub_job::tick(time_point now) {
  if (state_ == state::ended) return true;
  if (now >= ends_at_) {
    bool cut = state_ == state::transferring;
    end(fail(errc::timeout,
             "'" + wanted_.id + "' was not fetched within " + std::to_string(options_.total.count()) +
                 " seconds; what came is kept for the next attempt",
             std::string(refusal::load_timeout)));
    return !cut;
  }
  if (state_ == state::waiting && now >= wakes_at_)
    state_ = step_ == step::lock ? state::working : state::ready;
  if (state_ != state::transferring) return true;
  if (!has_head_) {
    if (now < reply_by_) return true;
    broken_by_ = unreachable("does not answer");
    return false;
  }
  if (now < window_ends_) return true;
  if (window_bytes_ < options_.min_bytes) {
    broken_by_ = unreachable("sends " + std::to_string(window_bytes_) + " bytes in " +
                             std::to_string(options_.stall.count()) + " ms, which is a standstill");
    return false;
  }
  window_ends_ = now + options_.stall;
  window_bytes_ = 0;
  return true;
}

hub_job::time_point hub_job::deadline() const noexcept {
  if (state_ == state::waiting) return std::min(ends_at_, wakes_at_);
  if (state_ == state::transferring) return std::min(ends_at_, has_head_ ? window_ends_ : reply_by_);
  return ends_at_;
}

void hub_job::cancel() {
  if (state_ != state::ended) end(fail(errc::cancelled, "the fetch of '" + wanted_.id + "' was cancelled"));
}

void hub_job::end(result<hub_snapshot> outcome) {
  result_ = std::move(outcome);
  state_ = state::ended;
  blob_.reset();
  progress_->stage = hub_stage::ended;
}

result<hub_snapshot> hub_job::take_result() {
  return std::move(*result_);
}

void hub_job::show_progress() {
  progress_->bytes = bytes_before_ + (blob_ ? blob_->size() : 0);
}

}  // namespace lorica
