#pragma once

namespace lorica {

/// Where an actor's handlers run: blocking ones get a thread of their own, tests with virtual time share.
enum class placement { own_thread, shared_threads };

}  // namespace lorica
