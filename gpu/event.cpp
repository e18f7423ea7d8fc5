#include "gpu/event.hpp"

#include "gpu/cuda_error.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

void event::destroy::operator()(CUevent_st* e) const noexcept {
  static_cast<void>(cudaEventDestroy(e));
}

result<event> event::create(unsigned flags) {
  cudaEvent_t e = nullptr;
  if (auto ok = checked(cudaEventCreateWithFlags(&e, flags), "creating an event"); !ok) return ok.error();
  return event(e);
}

result<event> event::create() {
  return create(cudaEventDisableTiming);
}
result<event> event::create_timed() {
  return create(cudaEventDefault);
}

result<void> event::record(const stream& s) {
  return checked(cudaEventRecord(native(), s.native()), "recording an event");
}

result<bool> event::reached() const {
  const auto code = cudaEventQuery(native());
  if (code == cudaErrorNotReady) return false;
  if (auto ok = checked(code, "asking for an event"); !ok) return ok.error();
  return true;
}

result<void> event::wait() const {
  return checked(cudaEventSynchronize(native()), "waiting for an event");
}

result<float> event::milliseconds(const event& from, const event& to) {
  float out = 0;
  if (auto ok = checked(cudaEventElapsedTime(&out, from.native(), to.native()), "reading the time of events");
      !ok)
    return ok.error();
  return out;
}

}  // namespace lorica::gpu
