#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lorica {

/// Addresses [begin, end) of one mapping.
struct mapped_range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool operator==(const mapped_range&) const = default;
};

/// The mappings of `smaps` (the text of `/proc/self/smaps`, proc(5)) that cannot be written and are as their
/// file is: what of them is in memory can be read again. A mapping with a page of its own (relocated,
/// patched, or with a debugger's breakpoint) is not among them.
std::vector<mapped_range> unchanged_mappings(std::string_view smaps);

/// Gives back to the system what the process has and does not use: free memory of the heap, and pages of the
/// program, its libraries and other files, which stay in the system's cache and come back when they are used.
/// Takes milliseconds; may throw `std::bad_alloc`. Any thread.
void give_back_unused_memory();

}  // namespace lorica
