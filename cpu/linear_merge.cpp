#include "cpu/linear_merge.hpp"

#include "cpu/stored_number.hpp"

namespace lorica {

void merge_inputs(std::span<const merged_input> of, std::uint32_t rank, float scaling,
                  const row_buffer& low_rank, share rows) noexcept {
  const auto size = low_rank.element_size;
  for (auto row = rows.first; row < rows.last; ++row) {
    auto* u = low_rank.row(row);
    for (std::uint32_t k = 0; k < rank; ++k) {
      float sum = 0;
      for (auto& input : of)
        sum += read_number(u, size, std::size_t{input.column} + k);
      for (auto& input : of)
        write_number(sum * (scaling * input.weight), u, size, std::size_t{input.column} + k);
    }
  }
}

}  // namespace lorica
