#include "app/admin/run.hpp"

#include <algorithm>

#include "app/admin/help.hpp"

namespace lorica::admin {
namespace {

constexpr const char* usual_url = "http://127.0.0.1:3000";

result<http_client_options> address_of(const call& what, const read_environment& environment) {
  http_client_options out;
  auto url = environment("LORICA_URL").value_or("");
  out.url = what.text("--url", url.empty() ? usual_url : url);
  if (what.has("--cacert") && what.has("--insecure"))
    return fail(errc::bad_config, "--cacert and --insecure are both given; give one of them");
  out.ca_file = what.text("--cacert", environment("LORICA_CACERT").value_or(""));
  if (what.has("--insecure")) out.trust = server_trust::anybody;
  auto key = find_key(what, environment);
  if (!key) return key.error();
  out.key = *std::move(key);
  auto seconds = what.number("--timeout", 1, 3600, 10);
  if (!seconds) return seconds.error();
  out.timeout = std::chrono::seconds(*seconds);
  return out;
}

}  // namespace

exit_code run(std::span<const std::string> arguments, const surroundings& here) {
  bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  console out(here.out, here.err, json ? output_form::json : output_form::text, here.live);
  auto what = parse_arguments(arguments);
  if (!what) return out.refuse(what.error());
  if (what->has("--help") || what->has("--version")) {
    auto text = what->has("--version") ? here.version + "\n" : what->command ? help(*what->command) : help();
    out.answer(value(value::object{{what->has("--version") ? "version" : "help", value(text)}}), text);
    return exit_code::done;
  }
  auto address = address_of(*what, here.environment);
  if (!address) return out.refuse(address.error());
  auto server = server_link::open(*address);
  if (!server) return out.refuse(server.error());
  task t{*what, *address, *server, out, here.stop};
  return what->command->run(t);
}

}  // namespace lorica::admin
