#include "model/gguf_parts.hpp"

#include <functional>
#include <string>
#include <vector>

#include "files/read_file.hpp"
#include "model/weights.hpp"
#include "tests/catch.hpp"
#include "tests/files/gguf_copy.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/same_weights.hpp"

using namespace lorica;

namespace {

const std::string models = std::string(LORICA_TEST_DATA) + "/golden/models/";

std::string content(const std::string& path) {
  auto text = read_file(path, 1 << 20);
  if (!text) FAIL(text.error().text);
  return *text;
}

std::shared_ptr<const model_weights> accept(const std::string& path) {
  auto model = open_model(path);
  if (!model) FAIL(model.error().text);
  return *model;
}

std::string part_name(std::size_t number, std::size_t count) {
  auto digits = [](std::size_t n) {
    const auto text = std::to_string(n);
    return std::string(5 - text.size(), '0') + text;
  };
  return "tiny-" + digits(number) + "-of-" + digits(count) + ".gguf";
}

void add_place(gguf_file& part, std::size_t index, std::size_t count, std::size_t tensors) {
  part.entries.push_back({"split.no", 2, raw(static_cast<std::uint16_t>(index))});
  part.entries.push_back({"split.count", 2, raw(static_cast<std::uint16_t>(count))});
  part.entries.push_back({"split.tensors.count", 5, raw(static_cast<std::int32_t>(tensors))});
}

// The golden model with its first tensors in the first part, the next ones in the second, and so on.
std::vector<gguf_file> split(const std::vector<std::size_t>& sizes) {
  auto whole = copy_gguf(content(models + "llama-gguf-q4_1/model.gguf"));
  auto next = whole.tensors.begin();
  std::vector<gguf_file> out(sizes.size());
  out.front().entries = whole.entries;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t taken = 0; taken < sizes[i]; ++taken)
      out[i].tensors.push_back(*next++);
    add_place(out[i], i, sizes.size(), whole.tensors.size());
  }
  if (next != whole.tensors.end()) FAIL("the parts hold " << next - whole.tensors.begin() << " tensors");
  return out;
}

void write(const scratch_directory& to, const std::vector<gguf_file>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i)
    to.write(part_name(i + 1, parts.size()), parts[i].build());
}

std::string first_of(const scratch_directory& in, std::size_t count) {
  return (in.path() / part_name(1, count)).string();
}

gguf_file::entry& entry(gguf_file& file, std::string_view key) {
  for (auto& e : file.entries)
    if (e.key == key) return e;
  throw std::logic_error("no such key");
}

void forget(gguf_file& file, std::string_view key) {
  std::erase_if(file.entries, [&](auto& e) { return e.key == key; });
}

void set16(gguf_file& file, std::string_view key, std::uint16_t number) {
  entry(file, key).value = raw(number);
}

void set32(gguf_file& file, std::string_view key, std::int32_t number) {
  entry(file, key).value = raw(number);
}

}  // namespace

TEST_CASE("a split model shows the very same weights as the one file it was made of") {
  const std::vector<std::vector<std::size_t>> ways = {{7, 7, 6}, {0, 20},    {0, 19, 1},
                                                      {20, 0},   {1, 0, 19}, std::vector<std::size_t>(20, 1)};
  auto whole = accept(models + "llama-gguf-q4_1/model.gguf");
  for (auto& way : ways) {
    INFO(way.size() << " parts, " << way.front() << " tensors in the first");
    scratch_directory scratch;
    write(scratch, split(way));
    auto parts = accept(first_of(scratch, way.size()));
    check_same_weights(*whole, *parts);
    check_same_config(whole->config(), parts->config());
    CHECK(parts->config().name == whole->config().name);
  }
}

TEST_CASE("parts as the gguf package writes them show the weights of the one file") {
  auto parts = accept(std::string(LORICA_TEST_DATA) + "/golden/gguf_split/model-00001-of-00003.gguf");
  check_same_weights(*accept(models + "llama-gguf-q4_0/model.gguf"), *parts);
}

TEST_CASE("a split model without a name is called after its files, without the part's number") {
  scratch_directory scratch;
  auto parts = split({10, 10});
  forget(parts[0], "general.name");
  write(scratch, parts);
  CHECK(accept(first_of(scratch, 2))->config().name == "tiny");
}

TEST_CASE("a file that was put together again, or is the only part, is read under any name") {
  for (auto count : {std::uint16_t{0}, std::uint16_t{1}}) {
    auto file = split({20}).front();
    set16(file, "split.count", count);
    scratch_directory scratch;
    CHECK(accept(scratch.write("whole.gguf", file.build()))->layers().size() == 2);
  }
}

TEST_CASE("parts that do not make one model are refused with the file at fault") {
  struct refusal {
    const char* what;
    std::function<void(std::vector<gguf_file>&)> change;
    const char* text;
  };
  const refusal table[] = {
      {"a tensor in two parts", [](auto& p) { p[2].tensors[1] = p[0].tensors[3]; },
       "tiny-00003-of-00003.gguf: tensor blk.0.attn_q.weight is in an earlier part too"},
      {"a tensor too few", [](auto& p) { p[2].tensors.pop_back(); },
       "tiny-00001-of-00003.gguf: the parts hold 19 tensors, split.tensors.count is 20"},
      {"a tensor too many", [](auto& p) { p[1].add_f32_tensor("more", {1}, {1}); },
       "tiny-00003-of-00003.gguf: the parts up to this one hold 21 tensors, split.tensors.count is 20"},
      {"another total in the first part", [](auto& p) { set32(p[0], "split.tensors.count", 19); },
       "tiny-00002-of-00003.gguf: split.tensors.count is 20, the first part says 19"},
      {"another total in the last part", [](auto& p) { set32(p[2], "split.tensors.count", 21); },
       "tiny-00003-of-00003.gguf: split.tensors.count is 21, the first part says 20"},
      {"a negative total", [](auto& p) { set32(p[0], "split.tensors.count", -1); },
       "tiny-00001-of-00003.gguf: split.tensors.count is not a whole number >= 0"},
      {"an absurd total", [](auto& p) { set32(p[0], "split.tensors.count", 65'537); },
       "split.tensors.count is missing or above 65536"},
      {"no total", [](auto& p) { forget(p[0], "split.tensors.count"); },
       "tiny-00001-of-00003.gguf: split.tensors.count is missing"},
      {"no number in a later part", [](auto& p) { forget(p[1], "split.no"); },
       "tiny-00002-of-00003.gguf: split.no or split.count is missing; part 2 of 3 is expected"},
      {"no count in a later part", [](auto& p) { forget(p[1], "split.count"); },
       "tiny-00002-of-00003.gguf: split.no or split.count is missing"},
      {"two parts swapped", [](auto& p) { std::swap(p[1], p[2]); },
       "tiny-00002-of-00003.gguf: split.no is 2 and split.count 3; part 2 of 3 is expected"},
      {"a part of a set of four", [](auto& p) { set16(p[2], "split.count", 4); },
       "tiny-00003-of-00003.gguf: split.no is 2 and split.count 4; part 3 of 3 is expected"},
      {"a first part that says it is the second", [](auto& p) { set16(p[0], "split.no", 1); },
       "tiny-00001-of-00003.gguf: the file is part 2 of 3; name the first part"},
      {"a number beyond the count", [](auto& p) { set16(p[0], "split.no", 3); },
       "tiny-00001-of-00003.gguf: split.no is 3, but split.count is 3"},
      {"a number in words",
       [](auto& p) {
         entry(p[1], "split.no") = {"split.no", 8, gguf_file::text("1")};
       },
       "tiny-00002-of-00003.gguf: split.no is not a whole number >= 0"},
      {"a count of 4 in the first part", [](auto& p) { set16(p[0], "split.count", 4); },
       "tiny-00001-of-00003.gguf: the file is part 1 of 4, so its name must end with -00001-of-00004.gguf"},
      {"65535 parts", [](auto& p) { set16(p[0], "split.count", 65'535); },
       "split.count is 65535; at most 1024 parts are read"},
      {"a later part that is cut off", [](auto& p) { p[1].tensors.back().data.resize(1); },
       "tiny-00002-of-00003.gguf: GGUF: tensor "},
      {"a later part of another version", [](auto& p) { p[1].version = 4; },
       "tiny-00002-of-00003.gguf: GGUF: version 4"},
      {"a tensor the model has no use for", [](auto& p) { p[1].tensors[0].name = std::string("stray"); },
       "tiny-00001-of-00003.gguf: tensor blk.0.ffn_gate.weight is missing"},
  };
  for (auto& r : table) {
    INFO(r.what);
    auto parts = split({7, 7, 6});
    r.change(parts);
    scratch_directory scratch;
    write(scratch, parts);
    auto model = open_model(first_of(scratch, 3));
    REQUIRE_FALSE(model);
    INFO(model.error().text);
    CHECK(model.error().code == errc::bad_model);
    CHECK(model.error().text.find(r.text) != std::string::npos);
    CHECK(model.error().text.find('/') == std::string::npos);
  }
}

TEST_CASE("a part that is missing, no file, or the first one again is refused by name") {
  const auto third = part_name(3, 3);
  auto refusal = [&](const std::function<void(const std::filesystem::path&)>& change) {
    scratch_directory scratch;
    write(scratch, split({7, 7, 6}));
    std::filesystem::remove(scratch.path() / third);
    change(scratch.path() / third);
    auto model = open_model(first_of(scratch, 3));
    REQUIRE_FALSE(model);
    CHECK(model.error().code == errc::bad_model);
    CHECK(model.error().text.find(scratch.path().string()) == std::string::npos);
    return model.error().text;
  };
  CHECK(refusal([](auto&) {}) ==
        part_name(1, 3) + ": the model has 3 parts, but file " + third + " does not exist");
  CHECK(refusal([](auto& at) { std::filesystem::create_directory(at); }) ==
        part_name(1, 3) + ": the model has 3 parts, but " + third + " is not a regular file");
  CHECK(refusal([](auto& at) { std::filesystem::create_symlink(at.filename(), at); }) ==
        part_name(1, 3) + ": the model has 3 parts, but file " + third + " cannot be opened");
  CHECK(refusal([](auto& at) { std::filesystem::create_symlink(part_name(1, 3), at); }) ==
        third + ": split.no is 0 and split.count 3; part 3 of 3 is expected under this name");
}

TEST_CASE("another part than the first is refused with the first one's name") {
  scratch_directory scratch;
  auto parts = split({7, 7, 6});
  write(scratch, parts);
  auto second = open_model((scratch.path() / part_name(2, 3)).string());
  REQUIRE_FALSE(second);
  CHECK(second.error().text ==
        part_name(2, 3) + ": the file is part 2 of 3; name the first part, " + part_name(1, 3));
  auto renamed = open_model(scratch.write("other.gguf", parts[1].build()));
  REQUIRE_FALSE(renamed);
  CHECK(renamed.error().text ==
        "other.gguf: the file is part 2 of 3; name the first part, the file that ends with "
        "-00001-of-00003.gguf");
}
