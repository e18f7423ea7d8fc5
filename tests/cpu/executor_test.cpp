#include "cpu/executor.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/reader.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";

std::shared_ptr<const model_weights> small_model() {
  auto out = open_model(golden + "/models/llama-tied-gqa");
  REQUIRE(out);
  return *out;
}

cpu_options small_options() {
  cpu_options o;
  o.threads = 2;
  o.blocks = 8;
  o.max_sequences = 2;
  o.max_rows = 8;
  o.max_positions = 64;
  return o;
}

std::unique_ptr<executor> make(const cpu_options& o) {
  auto out = make_cpu_executor(small_model(), o);
  if (!out) FAIL(out.error().text);
  return *std::move(out);
}

/// One sequence in slot 0 with blocks 0 and 1.
batch one_sequence(std::vector<token_id> tokens, std::uint32_t context) {
  batch b;
  b.tokens = std::move(tokens);
  sequence_rows s;
  s.rows = static_cast<std::uint32_t>(b.tokens.size());
  s.context = context;
  s.blocks = 2;
  s.sample = true;
  b.sequences = {s};
  b.block_table = {0, 1};
  return b;
}

std::shared_ptr<const packed_adapter> adapter_for(const executor& e, const model_config& m,
                                                  const std::string& name = "r8-q-v") {
  auto loaded = read_adapter(golden + "/adapters/llama-tied-gqa/" + name, m, {}, {});
  REQUIRE(loaded);
  auto packed = e.packer().pack(loaded->weights, {});
  REQUIRE(packed);
  return *packed;
}

}  // namespace

TEST_CASE("a batch that breaks its contract is refused and changes nothing") {
  auto engine = make(small_options());
  auto reference = make(small_options());
  auto before = engine->execute(one_sequence({5, 6, 7}, 0));
  REQUIRE(before);
  REQUIRE(reference->execute(one_sequence({5, 6, 7}, 0)));
  auto adapter = adapter_for(*engine, small_model()->config());
  REQUIRE(engine->attach(adapter));
  auto refused = [&](const char* what, auto change) {
    auto b = one_sequence({8, 9}, 3);
    change(b);
    auto r = engine->execute(b);
    INFO(what);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::internal);
    CHECK(r.error().text.find(what) != std::string::npos);
  };
  refused("no rows", [](batch& b) { b.tokens.clear(); });
  refused("max_rows", [](batch& b) { b.tokens.resize(9); });
  refused("max_sequences", [](batch& b) { b.sequences.resize(3); });
  refused("cover the rows", [](batch& b) { b.sequences[0].rows = 1; });
  refused("cover the rows", [](batch& b) { b.sequences[0].first_row = 1; });
  refused("cover the rows", [](batch& b) {
    b.sequences.push_back(b.sequences[0]);
    b.sequences[0].rows = 0;
    b.sequences[1].slot = 1;
  });
  refused("vocabulary", [](batch& b) { b.tokens[1] = 320; });
  refused("vocabulary", [](batch& b) { b.tokens[1] = -2; });
  refused("max_sequences", [](batch& b) { b.sequences[0].slot = 2; });
  refused("max_positions", [](batch& b) { b.sequences[0].context = 63; });
  refused("max_positions", [](batch& b) { b.sequences[0].context = ~0u; });
  refused("not seen", [](batch& b) { b.sequences[0].context = 4; });
  refused("outside the table", [](batch& b) { b.sequences[0].first_block = 1; });
  refused("too few blocks", [](batch& b) { b.sequences[0].blocks = 0; });
  refused("outside the pool", [](batch& b) { b.block_table[0] = 8; });
  refused("sampled_last", [](batch& b) { b.tokens[1] = sampled_last; });
  refused("sampled_last", [](batch& b) {
    b.tokens[0] = sampled_last;
    b.sequences[0].context = 0;
  });
  for (auto temperature : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf("")})
    refused("temperature", [&](batch& b) {
      b.sequences[0].sampling.sample = true;
      b.sequences[0].sampling.temperature = temperature;
    });
  refused("min_p", [](batch& b) { b.sequences[0].sampling.min_p = 1.5f; });
  refused("min_p", [](batch& b) { b.sequences[0].sampling.min_p = std::nanf(""); });
  refused("too many alternatives", [](batch& b) { b.sequences[0].top = 21; });
  auto scored = [&](const char* what, std::uint32_t first, std::uint32_t count, auto change) {
    refused(what, [&](batch& b) {
      b.sequences[0].sample = false;
      b.sequences[0].prompt_tokens = 6;
      b.sequences[0].first_scored = first;
      b.sequences[0].scored = count;
      change(b.sequences[0]);
    });
  };
  scored("outside the prompt", 1, 2, [](sequence_rows&) {});
  scored("outside the prompt", ~0u, 2, [](sequence_rows&) {});
  scored("outside the prompt", 0, 2, [](sequence_rows& s) { s.prompt_tokens = 5; });
  scored("scored and sampled", 1, 1, [](sequence_rows& s) { s.sample = true; });
  scored("vocabulary", 0, 2, [](sequence_rows& s) { s.behind = -1; });
  scored("vocabulary", 0, 2, [](sequence_rows& s) { s.behind = 320; });
  scored("too many alternatives", 0, 1, [](sequence_rows& s) { s.scored_top = 21; });
  refused("named twice", [](batch& b) {
    b.sequences.push_back(b.sequences[0]);
    b.sequences[0].rows = b.sequences[1].rows = 1;
    b.sequences[1].first_row = 1;
  });
  refused("two sequences write", [](batch& b) {
    b.sequences.push_back(b.sequences[0]);
    b.sequences[0].rows = b.sequences[1].rows = 1;
    b.sequences[1].first_row = 1;
    b.sequences[1].slot = 1;
    b.sequences[1].context = 0;
  });
  refused("outside the rows", [](batch& b) { b.segments = {{0, 3, 0, 1}}; });
  refused("not ascending", [](batch& b) { b.segments = {{0, 0, 0, 1}}; });
  refused("not ascending", [&](batch& b) {
    b.segments = {{0, 2, 0, 1}, {1, 1, 0, 1}};
    b.uses = {{adapter.get(), 1.0f}};
  });
  refused("uses outside", [](batch& b) { b.segments = {{0, 2, 0, 1}}; });
  refused("uses outside", [](batch& b) { b.segments = {{0, 2, 0, 0}}; });
  refused("not finite", [&](batch& b) {
    b.segments = {{0, 2, 0, 1}};
    b.uses = {{adapter.get(), std::nanf("")}};
  });
  refused("not attached", [](batch& b) {
    b.segments = {{0, 2, 0, 1}};
    b.uses = {{nullptr, 1.0f}};
  });
  auto alone = adapter_for(*engine, small_model()->config(), "dora");
  REQUIRE(engine->attach(alone));
  refused("stands alone beside", [&](batch& b) {
    b.segments = {{0, 2, 0, 2}};
    b.uses = {{adapter.get(), 1.0f}, {alone.get(), 1.0f}};
  });
  refused("a weight of an adapter that stands alone", [&](batch& b) {
    b.segments = {{0, 2, 0, 1}};
    b.uses = {{alone.get(), 0.5f}};
  });
  auto other = adapter_for(*engine, small_model()->config(), "bare-keys");
  auto biased = adapter_for(*engine, small_model()->config(), "lora-bias");
  for (auto& one : {other, biased})
    REQUIRE(engine->attach(one));
  for (auto* second : {alone.get(), biased.get()})
    refused(second == alone.get() ? "stands alone beside" : "cannot be merged", [&](batch& b) {
      b.segments = {{0, 2, 0, 2, combination::linear}};
      b.uses = {{adapter.get(), 1.0f}, {second, 1.0f}};
    });
  refused("cannot be merged", [&](batch& b) {
    b.segments = {{0, 2, 0, 2, combination::linear}};
    b.uses = {{other.get(), 1.0f}, {adapter.get(), 1.0f}};
  });
  refused("cannot be merged", [&](batch& b) {
    b.segments = {{0, 2, 0, 1, combination::linear}};
    b.uses = {{biased.get(), 1.0f}};
  });
  auto after = engine->execute(one_sequence({sampled_last, 9}, 3));
  auto expected = reference->execute(one_sequence({sampled_last, 9}, 3));
  REQUIRE(after);
  REQUIRE(expected);
  CHECK(after->tokens[0].token == expected->tokens[0].token);
  CHECK(after->tokens[0].logprob == expected->tokens[0].logprob);
}

TEST_CASE("sampled_last is what the slot sampled, and nothing once the slot begins anew") {
  auto engine = make(small_options());
  auto first = engine->execute(one_sequence({5, 6, 7}, 0));
  REQUIRE(first);
  auto literal = make(small_options());
  REQUIRE(literal->execute(one_sequence({5, 6, 7}, 0)));
  auto a = engine->execute(one_sequence({sampled_last}, 3));
  auto b = literal->execute(one_sequence({first->tokens[0].token}, 3));
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->tokens[0].logprob == b->tokens[0].logprob);
  auto unsampled = one_sequence({1}, 0);
  unsampled.sequences[0].sample = false;
  REQUIRE(engine->execute(unsampled));
  CHECK_FALSE(engine->execute(one_sequence({sampled_last}, 1)));
}

TEST_CASE("each slot has its own last sample") {
  auto engine = make(small_options());
  auto literal = make(small_options());
  auto both = [](token_id one, token_id other, std::uint32_t context) {
    auto b = one_sequence({one}, context);
    b.sequences.push_back(b.sequences[0]);
    b.sequences[1].first_row = 1;
    b.sequences[1].slot = 1;
    b.sequences[1].first_block = 2;
    b.tokens = {one, other};
    b.block_table = {0, 1, 2, 3};
    return b;
  };
  auto first = engine->execute(both(5, 90, 0));
  REQUIRE(first);
  REQUIRE(literal->execute(both(5, 90, 0)));
  REQUIRE(first->tokens[0].token != first->tokens[1].token);
  auto a = engine->execute(both(sampled_last, sampled_last, 1));
  auto b = literal->execute(both(first->tokens[0].token, first->tokens[1].token, 1));
  REQUIRE(a);
  REQUIRE(b);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(a->tokens[i].token == b->tokens[i].token);
    CHECK(a->tokens[i].logprob == b->tokens[i].logprob);
  }
}

TEST_CASE("penalties read the history of the slot, recomputed ones too") {
  auto engine = make(small_options());
  auto penalised = [](batch b) {
    b.sequences[0].sampling.repetition_penalty = 1e6f;
    b.sequences[0].prompt_tokens = 1;
    return b;
  };
  std::vector<token_id> seen = {62};
  for (std::uint32_t i = 0; i < 20; ++i) {
    auto r = engine->execute(penalised(one_sequence({i == 0 ? 62 : sampled_last}, i)));
    REQUIRE(r);
    auto token = r->tokens[0].token;
    CHECK(std::ranges::find(seen, token) == seen.end());
    seen.push_back(token);
  }
}

TEST_CASE("a composition adds its adapters in order, each by its weight") {
  auto options = small_options();
  options.mode = cpu_dtype::float32;
  auto weights = small_model();
  auto engine = make(options);
  auto adapter = adapter_for(*engine, weights->config());
  REQUIRE(engine->attach(adapter));
  auto logprob = [&](std::vector<adapter_use> uses) {
    auto b = one_sequence({5, 6, 7}, 0);
    b.uses = std::move(uses);
    if (!b.uses.empty()) b.segments = {{0, 3, 0, static_cast<std::uint32_t>(b.uses.size())}};
    auto r = engine->execute(b);
    REQUIRE(r);
    return r->tokens[0];
  };
  auto base = logprob({});
  auto whole = logprob({{adapter.get(), 1.0f}});
  auto halves = logprob({{adapter.get(), 0.5f}, {adapter.get(), 0.5f}});
  auto nothing = logprob({{adapter.get(), 0.0f}});
  CHECK(whole.logprob != base.logprob);
  CHECK(halves.token == whole.token);
  CHECK(halves.logprob == Approx(whole.logprob).margin(1e-4));
  CHECK(nothing.logprob == base.logprob);
  engine->detach(*adapter);
  auto b = one_sequence({5}, 0);
  b.segments = {{0, 1, 0, 1}};
  b.uses = {{adapter.get(), 1.0f}};
  CHECK_FALSE(engine->execute(b));
}

TEST_CASE("logits that are not finite are told of their own sequence and touch no other") {
  auto options = small_options();
  options.mode.int8_kv = GENERATE(false, true);
  auto engine = make(options);
  auto adapter = adapter_for(*engine, small_model()->config());
  REQUIRE(engine->attach(adapter));
  auto alone = engine->execute(one_sequence({5, 6, 7}, 0));
  REQUIRE(alone);
  auto both = one_sequence({5, 6, 7, 8, 9}, 0);
  both.sequences[0].rows = 3;
  both.sequences.push_back(both.sequences[0]);
  both.sequences[1].first_row = 3;
  both.sequences[1].rows = 2;
  both.sequences[1].slot = 1;
  both.sequences[1].first_block = 2;
  both.block_table = {0, 1, 2, 3};
  both.segments = {{3, 2, 0, 1}};
  both.uses = {{adapter.get(), 3e38f}};
  auto mixed = engine->execute(both);
  REQUIRE(mixed);
  CHECK(std::isnan(mixed->tokens[1].logprob));
  CHECK(mixed->tokens[0].token == alone->tokens[0].token);
  CHECK(mixed->tokens[0].logprob == alone->tokens[0].logprob);
  // What is left in the blocks does not reach the next sequence that is given them.
  auto next = one_sequence({5, 6, 7}, 0);
  next.block_table = {2, 3};
  auto after = engine->execute(next);
  REQUIRE(after);
  CHECK(after->tokens[0].logprob == alone->tokens[0].logprob);
}

TEST_CASE("an adapter of another format is not attached") {
  auto options = small_options();
  auto engine = make(options);
  options.mode = cpu_dtype::float32;
  auto other = make(options);
  CHECK_FALSE(engine->attach(adapter_for(*other, small_model()->config())));
}

TEST_CASE("options that cannot work are refused by name") {
  auto refused = [](const char* what, auto change) {
    auto o = small_options();
    change(o);
    auto r = make_cpu_executor(small_model(), o);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::bad_config);
    CHECK(r.error().text.find(what) != std::string::npos);
  };
  refused("block_tokens", [](cpu_options& o) { o.block_tokens = 8; });
  refused("blocks", [](cpu_options& o) { o.blocks = 0; });
  refused("max_rows", [](cpu_options& o) { o.max_rows = 0; });
  refused("max_positions", [](cpu_options& o) { o.max_positions = 513; });
  refused("threads", [](cpu_options& o) { o.threads = 257; });
  refused("int8_kv", [](cpu_options& o) { o.mode = cpu_dtype::float32, o.mode.int8_kv = true; });
}

TEST_CASE("limits tell the bytes of keys and values as codes") {
  auto options = small_options();
  options.mode.int8_kv = true;
  options.blocks = 4096;
  const auto wanted = kv_bytes_per_token(small_model()->config(), options.mode) * 16 * 4096;
  const auto given = make(options)->limits().kv_bytes;
  CHECK(given >= wanted);
  CHECK(given <= wanted + (std::uint64_t{2} << 20));  // whole pages
}

TEST_CASE("limits tell what was allocated, and packing reports its progress") {
  auto options = small_options();
  std::uint64_t last = 0;
  std::uint64_t all = 0;
  options.progress = [&](std::uint64_t done, std::uint64_t whole) {
    CHECK(done > last);
    last = done;
    all = whole;
  };
  auto engine = make(options);
  CHECK(last == all);
  auto& l = engine->limits();
  CHECK(l.blocks == 8);
  CHECK(l.weight_bytes >= all);
  CHECK(l.kv_bytes >= kv_bytes_per_token(small_model()->config(), options.mode) * 16 * 8);
  CHECK(l.workspace_bytes > 0);
  CHECK(engine->description().find("bfloat16") == 0);
}

TEST_CASE(
    "after a rest sequences go on from the blocks that were kept, and new ones find what a fresh engine "
    "has") {
  auto rested = make(small_options()), reference = make(small_options());
  auto same = [&](const batch& b) {
    auto got = rested->execute(b), want = reference->execute(b);
    REQUIRE(got);
    REQUIRE(want);
    CHECK(got->tokens.at(0).token == want->tokens.at(0).token);
    CHECK(got->tokens.at(0).logprob == want->tokens.at(0).logprob);
  };
  auto adapter = adapter_for(*rested, small_model()->config());
  REQUIRE(rested->attach(adapter));
  REQUIRE(reference->attach(adapter));
  auto adapted = [&](std::vector<token_id> tokens, std::uint32_t context) {
    auto b = one_sequence(std::move(tokens), context);
    b.uses = {{adapter.get(), 1.0f}};
    b.segments = {{0, b.sequences[0].rows, 0, 1}};
    return b;
  };
  same(adapted({5, 6, 7, 8}, 0));
  rested->rest(std::vector<std::uint32_t>{2, 3, 4, 5, 6, 7});
  same(adapted({9, 10}, 4));
  rested->rest(std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  same(one_sequence({11, 12, 13}, 0));
  same(adapted({14}, 3));
}
