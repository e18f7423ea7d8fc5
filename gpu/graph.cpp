#include "gpu/graph.hpp"

#include "gpu/cuda_error.hpp"

namespace lorica::gpu {

void graph::destroy::operator()(CUgraphExec_st* g) const noexcept {
  static_cast<void>(cudaGraphExecDestroy(g));
}

result<graph> graph::capture(const stream& origin, const std::function<result<void>()>& body) {
  if (auto ok = checked(cudaStreamBeginCapture(origin.native(), cudaStreamCaptureModeThreadLocal),
                        "beginning to record a graph");
      !ok)
    return ok.error();
  auto recorded = body();
  cudaGraph_t raw = nullptr;
  auto ended = checked(cudaStreamEndCapture(origin.native(), &raw), "recording a graph");
  std::unique_ptr<CUgraph_st, decltype([](CUgraph_st* g) { static_cast<void>(cudaGraphDestroy(g)); })> held(
      raw);
  if (!recorded) return recorded.error();
  if (!ended) return ended.error();
  cudaGraphExec_t out = nullptr;
  if (auto ok = checked(cudaGraphInstantiate(&out, raw, 0), "making a graph"); !ok) return ok.error();
  return graph(out);
}

result<void> graph::launch(const stream& s) const {
  return checked(cudaGraphLaunch(native_.get(), s.native()), "starting a graph");
}

}  // namespace lorica::gpu
