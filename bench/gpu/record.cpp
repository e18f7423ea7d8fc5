#include "bench/gpu/record.hpp"

#include <charconv>
#include <cstdint>
#include <vector>

namespace lorica::bench {
namespace {

/// A line of words, the first of them says of what; words keep tabs and ends of lines.
class line_writer {
 public:
  explicit line_writer(std::string_view kind) : out_(kind) {}

  line_writer& text(std::string_view word) {
    out_ += '\t';
    for (const char c : word)
      if (c == '\t')
        out_ += "\\t";
      else if (c == '\n')
        out_ += "\\n";
      else if (c == '\\')
        out_ += "\\\\";
      else
        out_ += c;
    return *this;
  }

  template <class Number>
  line_writer& number(Number value) {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return text({digits, static_cast<std::size_t>(end - digits)});
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Its words in order; what is not there, or no number, is remembered.
class line_words {
 public:
  explicit line_words(std::string_view line) {
    words_.emplace_back();
    for (std::size_t i = 0; i < line.size(); ++i)
      if (line[i] == '\t')
        words_.emplace_back();
      else if (line[i] == '\\' && i + 1 < line.size())
        words_.back() += line[++i] == 't' ? '\t' : line[i] == 'n' ? '\n' : '\\';
      else
        words_.back() += line[i];
  }

  bool more() const noexcept { return next_ < words_.size(); }
  bool good() const noexcept { return good_; }

  std::string text() {
    if (more()) return words_[next_++];
    good_ = false;
    return {};
  }

  template <class Number>
  Number number() {
    const auto word = text();
    Number out{};
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), out);
    good_ = good_ && problem == std::errc() && end == word.data() + word.size();
    return out;
  }
  bool flag() { return number<int>() != 0; }

 private:
  std::vector<std::string> words_;
  std::size_t next_ = 0;
  bool good_ = true;
};

constexpr std::string_view of_row = "row", of_card = "card", of_copies = "copies", of_products = "products";
// Parts of a row.
constexpr std::string_view size = "size", figure = "figure", time_of = "time", graphs = "graphs",
                           wanted = "wanted", missing = "missing", cut = "cut";

void read_part(line_words& from, row& to) {
  const auto part = from.text();
  if (part == size || part == figure) {
    auto name = from.text();
    (part == size ? to.sizes : to.figures).emplace_back(std::move(name), from.number<double>());
  } else if (part == time_of) {
    auto& t = to.time.emplace();
    t.mean = from.number<double>();
    t.median = from.number<double>();
    t.best = from.number<double>();
    t.runs = from.number<std::uint32_t>();
  } else if (part == graphs) {
    to.graphs = from.flag();
  } else if (part == wanted) {
    auto& t = to.targets.emplace_back();
    t.figure = from.text();
    t.which = from.flag() ? target::side::at_least : target::side::at_most;
    t.limit = from.number<double>();
  } else if (part == missing) {
    to.missing = from.text();
    to.out_of_room = from.flag();
    to.out_of_time = from.flag();
  } else {
    to.cut = from.text();
  }
}

row row_in(line_words& from) {
  row out;
  out.suite = from.text();
  out.name = from.text();
  while (from.more())
    read_part(from, out);
  return out;
}

card card_in(line_words& from) {
  card out;
  auto& p = out.properties;
  p.index = from.number<int>();
  p.name = from.text();
  p.memory_bytes = from.number<std::uint64_t>();
  p.multiprocessors = from.number<std::uint32_t>();
  p.major = from.number<std::uint32_t>();
  p.minor = from.number<std::uint32_t>();
  p.shared_bytes = from.number<std::uint32_t>();
  p.l2_bytes = from.number<std::uint64_t>();
  out.driver = from.text();
  out.runtime = from.text();
  out.clock_mhz = from.number<double>();
  out.memory_clock_mhz = from.number<double>();
  return out;
}

product_times products_in(line_words& from) {
  product_times out;
  out.rows = from.number<std::uint32_t>();
  out.read = from.number<std::uint32_t>();
  out.weights = from.flag() ? gpu::weight_format::fp8 : gpu::weight_format::bfloat16;
  out.qkv = from.number<double>();
  out.later = from.number<double>();
  out.head = from.number<double>();
  return out;
}

}  // namespace

std::string record_of(const row& r) {
  line_writer out(of_row);
  out.text(r.suite).text(r.name);
  for (auto& [name, value] : r.sizes)
    out.text(size).text(name).number(value);
  for (auto& [name, value] : r.figures)
    out.text(figure).text(name).number(value);
  if (r.time) {
    out.text(time_of).number(r.time->mean).number(r.time->median).number(r.time->best);
    out.number(r.time->runs);
  }
  if (r.graphs) out.text(graphs).number(int{*r.graphs});
  for (auto& t : r.targets)
    out.text(wanted).text(t.figure).number(int{t.which == target::side::at_least}).number(t.limit);
  if (!r.missing.empty())
    out.text(missing).text(r.missing).number(int{r.out_of_room}).number(int{r.out_of_time});
  if (!r.cut.empty()) out.text(cut).text(r.cut);
  return out.take();
}

std::string record_of(const card& c) {
  const auto& p = c.properties;
  line_writer out(of_card);
  out.number(p.index).text(p.name).number(p.memory_bytes).number(p.multiprocessors);
  out.number(p.major).number(p.minor).number(p.shared_bytes).number(p.l2_bytes);
  out.text(c.driver).text(c.runtime).number(c.clock_mhz).number(c.memory_clock_mhz);
  return out.take();
}

std::string record_of(const copy_rates& c) {
  return line_writer(of_copies).number(c.device).number(c.to_device).take();
}

std::string record_of(const product_times& t) {
  line_writer out(of_products);
  out.number(t.rows).number(t.read).number(int{t.weights == gpu::weight_format::fp8});
  out.number(t.qkv).number(t.later).number(t.head);
  return out.take();
}

result<void> record_reader::read(std::string_view line) {
  line_words words(line);
  const auto kind = words.text();
  const auto give = [&](auto read_one) -> result<void> {
    auto one = read_one(words);
    if (!words.good() || words.more()) return fail(errc::malformed, "a case's process tells a broken record");
    take(std::move(one));
    return {};
  };
  if (kind == of_row) return give(row_in);
  if (kind == of_card) return give(card_in);
  if (kind == of_products) return give(products_in);
  if (kind == of_copies)
    return give([](line_words& from) {
      const double device = from.number<double>();
      return copy_rates{device, from.number<double>()};
    });
  return fail(errc::malformed, "a case's process tells something unknown");
}

}  // namespace lorica::bench
