#include "bench/gpu/card.hpp"

#include "gpu/cuda_error.hpp"

namespace lorica::bench {
namespace {

std::string version_text(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

result<double> megahertz(cudaDeviceAttr what, int device) {
  int kilohertz = 0;
  if (auto ok = gpu::checked(cudaDeviceGetAttribute(&kilohertz, what, device), "reading a clock"); !ok)
    return ok.error();
  return kilohertz / 1e3;
}

}  // namespace

result<card> card_at(int device) {
  auto opened = gpu::device::open(device);
  if (!opened) return opened.error();
  card out;
  out.properties = opened->properties();
  int driver = 0, runtime = 0;
  if (auto ok = gpu::checked(cudaDriverGetVersion(&driver), "asking for the driver's version"); !ok)
    return ok.error();
  if (auto ok = gpu::checked(cudaRuntimeGetVersion(&runtime), "asking for the runtime's version"); !ok)
    return ok.error();
  out.driver = version_text(driver);
  out.runtime = version_text(runtime);
  auto clock = megahertz(cudaDevAttrClockRate, device);
  if (!clock) return clock.error();
  auto memory = megahertz(cudaDevAttrMemoryClockRate, device);
  if (!memory) return memory.error();
  out.clock_mhz = *clock;
  out.memory_clock_mhz = *memory;
  return out;
}

}  // namespace lorica::bench
