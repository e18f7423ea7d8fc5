#include "bench/gpu/document_file.hpp"

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace lorica::bench {

result<void> write_document(const std::string& path, const std::string& text) {
  const auto bad = [] { return fail(errc::io, "--output: the file cannot be written"); };
  const auto beside = path + "." + std::to_string(getpid()) + ".part";
  {
    std::ofstream file(beside);
    if (!(file << text << "\n" << std::flush)) {
      std::remove(beside.c_str());
      return bad();
    }
  }
  if (std::rename(beside.c_str(), path.c_str()) == 0) return {};
  std::remove(beside.c_str());
  return bad();
}

}  // namespace lorica::bench
