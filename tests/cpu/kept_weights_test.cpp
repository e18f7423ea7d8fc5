#include "cpu/kept_weights.hpp"

#include <sys/resource.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "cpu/executor.hpp"
#include "tests/cpu/packed_model.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

/// The operator: keeps every line, and waits for one.
class told_lines {
 public:
  notice sink() {
    return [this](log_level level, const std::string& line) {
      const std::lock_guard lock(guard_);
      lines_.emplace_back(level, line);
      came_.notify_all();
    };
  }

  /// Whether a line with `text` comes within 30 s.
  bool wait_for(const std::string& text) {
    std::unique_lock lock(guard_);
    return came_.wait_for(lock, std::chrono::seconds(30), [&] { return count(text) > 0; });
  }

  std::size_t warnings() {
    const std::lock_guard lock(guard_);
    return static_cast<std::size_t>(
        std::ranges::count_if(lines_, [](auto& l) { return l.first == log_level::warn; }));
  }

  bool has(const std::string& text) {
    const std::lock_guard lock(guard_);
    return count(text) > 0;
  }

 private:
  std::ptrdiff_t count(const std::string& text) const {
    return std::ranges::count_if(lines_, [&](auto& l) { return l.second.find(text) != std::string::npos; });
  }

  std::mutex guard_;  // of `lines_`
  std::condition_variable came_;
  std::vector<std::pair<log_level, std::string>> lines_;
};

cpu_options small_options(std::optional<packed_cache> cache, told_lines& told) {
  cpu_options o;
  o.threads = 2;
  o.blocks = 8;
  o.max_sequences = 2;
  o.max_rows = 8;
  o.max_positions = 64;
  o.cache = std::move(cache);
  o.tell = told.sink();
  return o;
}

/// The first token after three, and its log-probability.
std::pair<token_id, float> answer_of(const std::shared_ptr<const model_weights>& model,
                                     const std::optional<packed_cache>& cache, told_lines& told,
                                     const std::string& then = {}) {
  auto engine = make_cpu_executor(model, small_options(cache, told));
  if (!engine) FAIL(engine.error().text);
  batch b;
  b.tokens = {5, 6, 7};
  sequence_rows s;
  s.rows = 3;
  s.blocks = 2;
  s.sample = true;
  b.sequences = {s};
  b.block_table = {0, 1};
  auto out = (*engine)->execute(b);
  REQUIRE(out);
  if (!then.empty()) REQUIRE(told.wait_for(then));
  return {out->tokens.at(0).token, out->tokens.at(0).logprob};
}

/// The only file of a directory.
fs::path only_file(const fs::path& place) {
  auto at = fs::directory_iterator(place);
  REQUIRE(at != fs::directory_iterator());
  auto out = at->path();
  REQUIRE(++at == fs::directory_iterator());
  return out;
}

void turn_a_bit_over(const fs::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(5000);
  const auto before = static_cast<char>(file.get());
  file.seekp(5000);
  file.put(static_cast<char>(before ^ 1));
}

}  // namespace

TEST_CASE("an executor keeps what it packed, and the next one reads it and answers the same") {
  scratch_directory scratch;
  const packed_cache cache(scratch.path().string());
  const auto model = golden_weights("llama-tied-gqa");
  told_lines none, first, second;
  const auto plain = answer_of(model, std::nullopt, none);
  CHECK(none.has("weights: packed in"));
  CHECK(answer_of(model, cache, first, "kept for the next start") == plain);
  CHECK(first.has("weights: packed in"));
  CHECK(answer_of(model, cache, second) == plain);
  CHECK(second.has("weights: read from the cache in"));
  CHECK_FALSE(second.has("packed in"));
  CHECK(none.warnings() + first.warnings() + second.warnings() == 0);
}

TEST_CASE("a damaged file is packed anew with a warning, and replaced") {
  scratch_directory scratch;
  const packed_cache cache(scratch.path().string());
  const auto model = golden_weights("llama-tied-gqa");
  told_lines first, second, third;
  const auto plain = answer_of(model, cache, first, "kept for the next start");
  turn_a_bit_over(only_file(scratch.path()));
  CHECK(answer_of(model, cache, second, "kept for the next start") == plain);
  CHECK(second.warnings() == 1);
  CHECK(second.has("packed anew: the kept file is damaged"));
  CHECK(answer_of(model, cache, third) == plain);
  CHECK(third.has("read from the cache"));
}

TEST_CASE("models that differ in one weight do not share a file") {
  scratch_directory scratch;
  const packed_cache cache((scratch.path() / "cache").string());
  const std::string from = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
  const auto copy = scratch.path() / "copy";
  fs::copy(from, copy);
  told_lines first, second, third;
  answer_of(golden_weights("llama-tied-gqa"), cache, first, "kept for the next start");
  auto open = [&] {
    auto out = open_model(copy.string());
    REQUIRE(out);
    return *out;
  };
  answer_of(open(), cache, second);
  CHECK(second.has("read from the cache"));  // a copy is the same model
  const auto weights = copy / "model.safetensors";
  fs::permissions(weights, fs::perms::owner_write, fs::perm_options::add);
  {
    std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(weights) / 2));
    file.put('\x11');
  }
  answer_of(open(), cache, third, "kept for the next start");
  CHECK(third.has("weights: packed in"));
}

TEST_CASE("a cache that cannot be written is one warning, and the executor works") {
  scratch_directory scratch;
  const packed_cache cache(scratch.write("file", "in the way") + "/packed");
  const auto model = golden_weights("llama-tied-gqa");
  told_lines none, told;
  const auto plain = answer_of(model, std::nullopt, none);
  CHECK(answer_of(model, cache, told, "not kept for the next start: something in the way") == plain);
  CHECK(told.warnings() == 1);
}

TEST_CASE("a limit on the size of files is one warning, not the end of the process") {
  scratch_directory scratch;
  const auto model = golden_weights("llama-tied-gqa");
  thread_team team(1);
  const auto packed = pack(*model, cpu_dtype::float32, team);
  told_lines told;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{1000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const weights_keeper keeper(packed_cache(scratch.path().string()), key_of(*model, cpu_dtype::float32),
                              *packed, told.sink());
  const bool came = told.wait_for("not kept for the next start: the file would be larger than is allowed");
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(came);
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("an executor that ends while its weights are being kept leaves a whole file or none") {
  const auto model = several_parts();
  thread_team team(1);
  const auto packed = pack(*model, cpu_dtype::float32, team);
  const auto key = key_of(*model, cpu_dtype::float32);
  scratch_directory scratch;
  const packed_cache cache(scratch.path().string());
  for (int round = 0; round < 8; ++round) {
    told_lines told;
    { const weights_keeper keeper(cache, key, *packed, told.sink()); }
    CHECK(told.warnings() == 0);
    auto read = cache.load(*model, key, team);
    REQUIRE(read);
    CHECK((!*read || same_packed(**read, *packed)));
    for (auto& entry : fs::directory_iterator(scratch.path()))
      CHECK(is_packed_file_name(entry.path().filename().string()));
  }
}
