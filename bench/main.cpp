// lorica-bench: measurements of a running server. `lorica-bench serve --help`.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <cstdlib>

#include "bench/serve.hpp"
#include "bench/serve_flags.hpp"

namespace {

using namespace lorica;

std::string typed(int argc, char** argv) {
  std::string out = "lorica-bench";
  for (int i = 1; i < argc; ++i)
    out.append(" ").append(argv[i]);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measurements of a running server");
  app.require_subcommand(1);
  auto* command =
      app.add_subcommand("serve", "loads a server with /v1/completions streams and tells what they saw");
  auto flags = bench::add_serve_flags(*command);
  CLI11_PARSE(app, argc, argv);
  auto options = bench::options_of(*flags);
  if (options) {
    options->command = typed(argc, argv);
    if (auto key = std::getenv("OPENAI_API_KEY")) options->key = key;
    if (auto done = bench::serve(*std::move(options)); done)
      return EXIT_SUCCESS;
    else
      std::fprintf(stderr, "%s\n", done.error().text.c_str());
    return EXIT_FAILURE;
  }
  std::fprintf(stderr, "%s\n", options.error().text.c_str());
  return 2;
}
