// How far a fast mode is from the exact one, on a text: perplexities, the distance of the distributions, and
// where a greedy choice differs. Both compute the same pieces of the text one after the other. A table goes
// to standard error, one line of JSON to standard output. Run: build/release/bin/lorica-bench-distance
// --model models/SmolLM2-135M-Instruct.Q4_1.gguf --adapter examples/adapters/text-to-sql

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>

#include "adapters/reader.hpp"
#include "bench/mode_flags.hpp"
#include "bench/must.hpp"
#include "core/json.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"
#include "text/tokenizer.hpp"

namespace {

using namespace lorica;
using bench::must;

struct settings {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  std::string text = "bench/data/text.txt";
  std::vector<std::string> adapters;
  bench::mode_flags how;
  std::uint32_t piece = 512;  ///< tokens
};

void add_flags(CLI::App& app, settings& s) {
  app.add_option("--model", s.model)->capture_default_str();
  app.add_option("--text", s.text)->capture_default_str();
  app.add_option("--adapter", s.adapters, "a directory; may be given again")->expected(1)->take_all();
  bench::add_dtype_flags(app, s.how);
  app.add_option("--piece", s.piece, "tokens")->check(CLI::Range(2, 65536))->capture_default_str();
}

/// Logits of the rows of one piece, by an executor of one mode.
class reader {
 public:
  reader(const std::shared_ptr<const model_weights>& weights, cpu_mode mode, std::uint32_t piece)
      : vocab_(weights->config().vocab), logits_(std::size_t{piece} * vocab_) {
    cpu_options o;
    o.mode = mode;
    o.blocks = (piece + 15) / 16;
    o.max_sequences = 1;
    o.max_rows = piece;
    o.max_positions = piece;
    o.observer = [this](std::uint32_t reading, std::span<const float> logits) {
      std::ranges::copy(logits, logits_.begin() + static_cast<std::ptrdiff_t>(std::size_t{reading} * vocab_));
    };
    engine_ = must(make_cpu_executor(weights, o));
  }

  executor& engine() { return *engine_; }

  void read(const std::vector<token_id>& tokens, const packed_adapter* adapter) {
    batch work;
    work.tokens = tokens;
    sequence_rows s;
    s.rows = s.prompt_tokens = static_cast<std::uint32_t>(tokens.size());
    s.blocks = (s.rows + 15) / 16;
    s.scored = s.rows - 1;
    for (std::uint32_t b = 0; b < s.blocks; ++b)
      work.block_table.push_back(b);
    s.sample = true;
    work.sequences.push_back(s);
    if (adapter) {
      work.segments.push_back({0, s.rows, 0, 1});
      work.uses.push_back({adapter, 1.0f});
    }
    must(engine_->execute(work));
  }

  /// The natural logarithms of the probabilities of row `row`.
  std::vector<double> logprobs(std::size_t row) const {
    const auto first = logits_.begin() + static_cast<std::ptrdiff_t>(row * vocab_);
    std::vector<double> out(first, first + static_cast<std::ptrdiff_t>(vocab_));
    const double peak = *std::ranges::max_element(out);
    double sum = 0;
    for (auto x : out)
      sum += std::exp(x - peak);
    for (auto& x : out)
      x -= peak + std::log(sum);
    return out;
  }

 private:
  std::size_t vocab_;
  std::vector<float> logits_;
  std::unique_ptr<executor> engine_;
};

struct distance {
  std::uint32_t rows = 0;
  double exact_loss = 0, fast_loss = 0;  ///< sums of -log p of the text
  double divergence = 0, worst = 0;      ///< sum and maximum of KL(exact || fast)
  std::uint32_t same = 0;                ///< greedy choices
  std::vector<double> margins;           ///< of the exact mode's two likeliest, where choices differ
};

void compare(const std::vector<double>& exact, const std::vector<double>& fast, token_id next,
             distance& out) {
  double divergence = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    divergence += std::exp(exact[i]) * (exact[i] - fast[i]);
  const auto best = std::ranges::max_element(exact) - exact.begin();
  const auto chosen = std::ranges::max_element(fast) - fast.begin();
  ++out.rows;
  out.exact_loss -= exact[static_cast<std::size_t>(next)];
  out.fast_loss -= fast[static_cast<std::size_t>(next)];
  out.divergence += divergence;
  out.worst = std::max(out.worst, divergence);
  if (best == chosen)
    ++out.same;
  else
    out.margins.push_back(exact[static_cast<std::size_t>(best)] - exact[static_cast<std::size_t>(chosen)]);
}

distance measure(reader& exact, reader& fast, const std::vector<token_id>& text, std::uint32_t piece,
                 const packed_adapter* for_exact, const packed_adapter* for_fast) {
  distance out;
  for (std::size_t at = 0; at + 2 <= text.size(); at += piece) {
    const auto last = std::min(text.size(), at + piece);
    const std::vector<token_id> tokens(text.begin() + static_cast<std::ptrdiff_t>(at),
                                       text.begin() + static_cast<std::ptrdiff_t>(last));
    exact.read(tokens, for_exact);
    fast.read(tokens, for_fast);
    for (std::size_t row = 0; row + 1 < tokens.size(); ++row)
      compare(exact.logprobs(row), fast.logprobs(row), tokens[row + 1], out);
  }
  return out;
}

void write(json_writer& json, const std::string& name, distance d) {
  const double rows = d.rows;
  const double exact = std::exp(d.exact_loss / rows), fast = std::exp(d.fast_loss / rows);
  std::ranges::sort(d.margins);
  const auto close = std::ranges::lower_bound(d.margins, 0.5) - d.margins.begin();
  const double widest = d.margins.empty() ? 0 : d.margins.back();
  const double within =
      d.margins.empty() ? 1 : static_cast<double>(close) / static_cast<double>(d.margins.size());
  std::fprintf(stderr, "%-20s %6u %9.3f %9.3f %+7.2f %% %8.5f %8.4f %7.2f %% %7.1f %% %8.3f\n", name.c_str(),
               d.rows, exact, fast, 100 * (fast / exact - 1), d.divergence / rows, d.worst,
               100.0 * d.same / rows, 100 * within, widest);
  json.begin_object().key("name").string(name).key("tokens").unsigned_integer(d.rows);
  json.key("perplexity_exact").number(exact).key("perplexity").number(fast);
  json.key("mean_kl").number(d.divergence / rows).key("largest_kl").number(d.worst);
  json.key("same_choice").number(d.same / rows).key("differences_below_half_nat").number(within);
  json.key("largest_margin").number(widest).end_object();
}

void measure_all(const settings& s) {
  std::ifstream file(s.text);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) throw std::runtime_error("--text: cannot be read, or is empty");
  auto weights = must(open_model(s.model));
  const auto tokens = must(must(open_tokenizer(s.model))->encode(text, false));
  reader exact(weights, cpu_dtype::float32, s.piece), fast(weights, s.how.mode(), s.piece);
  std::fprintf(stderr, "%s: %s beside %s, %zu tokens in pieces of %u\n", weights->config().name.c_str(),
               fast.engine().description().c_str(), exact.engine().description().c_str(), tokens.size(),
               s.piece);
  std::fprintf(stderr, "%-20s %6s %9s %9s %9s %8s %8s %9s %9s %8s\n", "", "tokens", "exact", "fast", "",
               "mean KL", "largest", "same", "<0.5 nat", "widest");
  json_writer json;
  json.begin_object().key("model").string(weights->config().name).key("mode");
  json.string(std::string(to_string(s.how.mode()))).key("results").begin_array();
  write(json, "base", measure(exact, fast, tokens, s.piece, nullptr, nullptr));
  for (auto& path : s.adapters) {
    auto loaded = must(read_adapter(path, weights->config(), reader_limits{}, std::stop_token{}));
    auto for_exact = must(exact.engine().packer().pack(loaded.weights, {}));
    auto for_fast = must(fast.engine().packer().pack(loaded.weights, {}));
    must(exact.engine().attach(for_exact));
    must(fast.engine().attach(for_fast));
    write(json, path.substr(path.find_last_of('/') + 1),
          measure(exact, fast, tokens, s.piece, for_exact.get(), for_fast.get()));
  }
  json.end_array().end_object();
  std::printf("%s\n", json.take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("How far a fast mode is from the exact one, on a text");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  try {
    measure_all(s);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-distance: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
