#include "engine/prefix_cache.hpp"

#include <map>
#include <random>

#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

using namespace lorica;
using lorica::testing::fake_adapter;
using lorica::testing::fake_device;
using lorica::testing::version_of;

namespace {

using tokens = std::vector<token_id>;

/// A pool of four blocks of two tokens, and its cache.
struct shelf {
  kv_blocks pool{4, 2};
  prefix_cache cache{pool};
  prefix_domain base;
  shelf() { pool.set_keeper(&cache); }

  /// A table with the blocks of `text`, computed and noted.
  kv_table table(const tokens& text) {
    kv_table out(pool);
    REQUIRE(out.grow(text.size()));
    prefix_cache::node* at = nullptr;
    for (std::uint32_t i = 0; (i + 1) * 2 <= text.size(); ++i)
      at = cache.add(base, at, std::span(text).subspan(i * 2, 2), out.ids()[i]);
    return out;
  }

  std::size_t found(const tokens& text, const prefix_domain& domain) const {
    std::size_t blocks = 0;
    prefix_cache::node* at = nullptr;
    while ((blocks + 1) * 2 <= text.size() &&
           (at = cache.find(domain, at, std::span(text).subspan(blocks * 2, 2))))
      ++blocks;
    return blocks;
  }
  std::size_t found(const tokens& text) const { return found(text, base); }
};

sequence asking(sequence_id id, tokens prompt, std::uint32_t max_new = 3) {
  sequence s;
  s.id = id;
  s.prompt = std::move(prompt);
  s.max_new_tokens = max_new;
  s.ignore_eos = true;
  s.sampling.seed = 7;  // the same answers to the same prompts
  return s;
}

tokens counting(std::size_t count, token_id first = 100) {
  tokens out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(first + static_cast<token_id>(i));
  return out;
}

/// A planner over the device that reads tokens through block tables only.
struct bench_top {
  explicit bench_top(planner_options o) : plan(o), device(o) {}

  /// Rows of the step by sequence, in the order of arrival.
  std::vector<std::uint32_t> step() {
    auto planned = plan.next_step();
    if (!planned) return {};
    std::map<std::uint32_t, std::uint32_t> rows;
    for (auto& s : planned->work->sequences)
      rows[s.slot] = s.rows;
    known = planned->work->known;
    auto out = plan.complete(device.execute(*planned->work));
    for (auto& t : out.tokens)
      answers[t.id].push_back(t.token);
    std::vector<std::uint32_t> list;
    for (auto& [slot, count] : rows)
      list.push_back(count);
    return list;
  }
  void run() {
    while (!step().empty()) {
    }
  }

  planner plan;
  fake_device device;
  tokens known;
  std::map<sequence_id, tokens> answers;
};

planner_options options() {
  return {
      .block_tokens = 4, .blocks = 64, .max_sequences = 4, .max_rows = 32, .max_positions = 64, .eos = {0}};
}

}  // namespace

TEST_CASE("blocks are found by all tokens before them, and by what computed them") {
  shelf s;
  auto t = s.table({1, 2, 3, 4, 5});
  CHECK(s.cache.size() == 2);
  CHECK(s.found({1, 2, 3, 4}) == 2);
  CHECK(s.found({1, 2, 9, 4}) == 1);
  CHECK(s.found({3, 4}) == 0);
  CHECK(s.found({1, 2, 3}) == 1);
  sequence other;
  other.composition = {{version_of(1), 1.0f}};
  CHECK(s.found({1, 2}, domain_of(other)) == 0);
  auto weighted = other;
  weighted.composition[0].weight = 0.5f;
  CHECK(domain_of(weighted) != domain_of(other));
  auto salted = other;
  salted.cache_salt = std::string("theirs");
  CHECK(domain_of(salted) != domain_of(other));
  auto merged = other;
  merged.combine = combination::linear;
  CHECK(domain_of(merged) != domain_of(other));
}

TEST_CASE(
    "a block that no table holds is kept until the pool is short, leaves first, the longest unused first") {
  shelf s;
  { auto t = s.table({1, 2, 3, 4}); }
  { auto t = s.table({5, 6}); }
  CHECK(s.pool.used() == 0);
  CHECK(s.pool.free() == 4);
  CHECK(s.cache.kept() == 3);
  kv_table first(s.pool);
  REQUIRE(first.grow(2));  // the empty block
  CHECK(s.cache.kept() == 3);
  kv_table second(s.pool);
  REQUIRE(second.grow(2));
  CHECK(s.found({1, 2, 3, 4}) == 1);  // its leaf was let go first
  CHECK(s.found({5, 6}) == 1);
  REQUIRE(second.grow(4));
  CHECK(s.found({1, 2, 3, 4}) == 0);  // alone by then, and unused for longer
  CHECK(s.found({5, 6}) == 1);
  REQUIRE(second.grow(6));
  CHECK(s.cache.size() == 0);
  CHECK_FALSE(second.grow(8));
}

TEST_CASE("a shared block goes back when its last table lets go of it") {
  shelf s;
  auto a = s.table({1, 2, 3});
  kv_table b(s.pool);
  b.share(0, a.ids()[0]);
  CHECK(s.pool.holders(a.ids()[0]) == 2);
  CHECK(s.pool.used() == 2);
  a.clear();
  CHECK(s.pool.used() == 1);
  CHECK(s.cache.kept() == 0);
  b.clear();
  CHECK(s.pool.used() == 0);
  CHECK(s.cache.kept() == 1);
  // Of two that computed the same the first stays, and the second's own block is free.
  auto c = s.table({1, 2});
  auto node = s.cache.find(s.base, nullptr, tokens{1, 2});
  REQUIRE(node);
  CHECK(prefix_cache::block_of(*node) != c.ids()[0]);
  c.share(0, prefix_cache::block_of(*node));
  CHECK(s.pool.used() == 1);
}

TEST_CASE("at any time a block is free, kept, or in as many tables as hold it") {
  std::mt19937 random(5);
  kv_blocks pool(40, 2);
  prefix_cache cache(pool);
  pool.set_keeper(&cache);
  std::vector<kv_table> tables;
  for (int i = 0; i < 8; ++i)
    tables.emplace_back(pool);
  for (int i = 0; i < 20'000; ++i) {
    auto& t = tables[random() % tables.size()];
    t.clear();
    tokens text;
    for (auto left = random() % 12; left > 0; --left)
      text.push_back(static_cast<token_id>(random() % 2));
    prefix_cache::node* at = nullptr;
    std::uint32_t shared = 0;
    while ((shared + 1) * 2 <= text.size()) {
      auto next = cache.find({}, at, std::span(text).subspan(shared * 2, 2));
      if (!next) break;
      t.share(shared++, prefix_cache::block_of(*(at = next)));
    }
    if (!t.grow(text.size())) continue;
    for (; (shared + 1) * 2 <= text.size(); ++shared) {
      at = cache.add({}, at, std::span(text).subspan(shared * 2, 2), t.ids()[shared]);
      if (prefix_cache::block_of(*at) != t.ids()[shared]) FAIL("what is not found is added");
    }
    std::vector<std::uint32_t> holders(pool.total());
    for (auto& table : tables)
      for (auto id : table.ids())
        ++holders.at(id);
    std::uint32_t used = 0;
    for (std::uint32_t id = 0; id < pool.total(); ++id) {
      if (holders[id] != pool.holders(id)) FAIL("holders are the tables");
      used += holders[id] != 0 ? 1 : 0;
    }
    if (used != pool.used()) FAIL("used blocks are those that tables hold");
  }
}

TEST_CASE("a prompt that begins as an earlier one computes what is new, and answers the same") {
  bench_top b(options());
  REQUIRE(b.plan.submit(asking(1, counting(10))));
  b.run();
  REQUIRE(b.plan.submit(asking(2, counting(10))));
  CHECK(b.step() == std::vector<std::uint32_t>{2});  // two blocks of four are there
  CHECK(b.known == counting(8));
  b.run();
  CHECK(b.answers[2] == b.answers[1]);
  CHECK(b.plan.stats().prefix_hits == 8);
  CHECK(b.plan.stats().prefix_queries == 20);
  // What was generated is there too: a conversation goes on behind its last answer.
  auto longer = counting(10);
  longer.insert(longer.end(), b.answers[1].begin(), b.answers[1].begin() + 2);
  longer.push_back(5);
  REQUIRE(b.plan.submit(asking(3, longer)));
  CHECK(b.step() == std::vector<std::uint32_t>{1});
  b.run();
  CHECK(b.plan.stats().blocks_used == 0);
}

TEST_CASE("the last token is always computed, and nobody shares with another composition or salt") {
  bench_top b(options());
  REQUIRE(b.plan.submit(asking(1, counting(8))));
  b.run();
  REQUIRE(b.plan.submit(asking(2, counting(8))));
  CHECK(b.step() == std::vector<std::uint32_t>{4});
  auto salted = asking(3, counting(8));
  salted.cache_salt = std::string("mine");
  REQUIRE(b.plan.submit(salted));
  b.step();
  b.run();
  auto adapted = asking(4, counting(8));
  adapted.composition = {{version_of(1), 1.0f}};
  auto hits = b.plan.stats().prefix_hits;
  REQUIRE(b.plan.submit(adapted));
  static_cast<void>(b.plan.next_step());
  REQUIRE(b.plan.lease_wanted().size() == 1);
  static_cast<void>(b.plan.lease_granted(version_of(1), std::make_shared<fake_adapter>(version_of(1))));
  CHECK(b.step() == std::vector<std::uint32_t>{8});
  CHECK(b.plan.stats().prefix_hits == hits);
  auto told = asking(5, counting(8));
  told.prompt_logprobs = 0;
  REQUIRE(b.plan.submit(told));
  b.step();
  CHECK(b.plan.stats().prefix_hits == hits);
}

TEST_CASE("of several that begin alike at once one computes the beginning, and the others wait for it") {
  auto o = options();
  o.max_prefill_tokens = 8;
  bench_top b(o);
  for (sequence_id id = 1; id <= 3; ++id)
    REQUIRE(b.plan.submit(asking(id, counting(18))));
  CHECK(b.step() == std::vector<std::uint32_t>{8});
  CHECK(b.step() == std::vector<std::uint32_t>{8});
  CHECK(b.step() == std::vector<std::uint32_t>{2, 2, 2});
  b.run();
  CHECK(b.answers[1].size() == 3);
  CHECK(b.answers[2] == b.answers[1]);
  CHECK(b.answers[3] == b.answers[1]);
}

TEST_CASE("with rows for all, only the first one has some while the others wait") {
  bench_top b(options());
  for (sequence_id id = 1; id <= 2; ++id)
    REQUIRE(b.plan.submit(asking(id, counting(14))));
  auto other = counting(6, 300);
  REQUIRE(b.plan.submit(asking(3, other)));
  CHECK(b.step() == std::vector<std::uint32_t>{14, 6});
  CHECK(b.step() == std::vector<std::uint32_t>{1, 2, 1});
  b.run();
  CHECK(b.answers[2] == b.answers[1]);
}

TEST_CASE("who waits for a block goes on alone when the one that computes it leaves") {
  auto o = options();
  o.max_prefill_tokens = 3;
  bench_top b(o);
  REQUIRE(b.plan.submit(asking(1, counting(18))));
  REQUIRE(b.plan.submit(asking(2, counting(18))));
  CHECK(b.step() == std::vector<std::uint32_t>{3});
  static_cast<void>(b.plan.cancel(1));
  CHECK(b.step() == std::vector<std::uint32_t>{3});
  b.run();
  CHECK(b.answers[2].size() == 3);
}

TEST_CASE("many with one beginning fit where they would not fit alone") {
  auto o = options();
  o.blocks = 12;
  o.max_sequences = 4;
  bench_top b(o);
  REQUIRE(b.plan.submit(asking(1, counting(24), 8)));
  b.step();
  for (sequence_id id = 2; id <= 4; ++id)
    REQUIRE(b.plan.submit(asking(id, counting(24), 8)));
  b.step();
  b.step();
  CHECK(b.plan.stats().running == 3);  // six blocks are shared; alone they would take 18 and more
  b.run();
  CHECK(b.answers[4] == b.answers[1]);
  CHECK(b.plan.stats().preemptions == 0);
}
