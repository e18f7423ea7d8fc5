#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/embedding.hpp"
#include "cpu/kv_cache.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/step_plan.hpp"
#include "cpu/step_profile.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/workspace.hpp"

namespace lorica {

/// The layers of the model over all rows of a step. Every member of the team calls `layers` and `head`
/// together; between two barriers each writes only what it owns: rows, columns (blocks of outputs) or (row,
/// head) items.
class forward {
 public:
  forward(std::shared_ptr<const model_weights> model, std::unique_ptr<const packed_weights> weights,
          const kernel_table& kernels, cpu_mode mode, std::uint32_t block_tokens, kv_cache cache,
          workspace memory, std::uint32_t max_positions, thread_team& team, step_profile* profile);

  /// From tokens to the residual stream after the last layer. In that layer all rows get their keys and
  /// values, and only those of `read` the rest: of them the residual stream is what is left. `read` is `plan`
  /// or narrowed from it. Ends with a barrier.
  void layers(const step_plan& plan, const step_plan& read, unsigned member);

  /// Logits of readings [first, first + count) of what `layers` left, count <= head_rows, and their pieces
  /// into the workspace. Ends with a barrier.
  void head(const step_plan& read, std::uint32_t first, std::uint32_t count, unsigned member);

  workspace& memory() noexcept { return memory_; }

  /// Gives back the memory of all rows and of `empty` blocks (ascending), between steps.
  void give_back(std::span<const std::uint32_t> empty) noexcept {
    memory_.give_back();
    cache_.give_back(empty);
  }
  const packed_weights& weights() const noexcept { return *weights_; }
  const kv_cache& cache() const noexcept { return cache_; }

  /// The end of a part of the step: a barrier, told to the profile.
  void pass(step_phase phase, unsigned member);

 private:
  /// The inputs of a group of linear maps: normalised, and the low-rank ones. Ends with a barrier.
  void norm_rows(const step_plan& plan, std::uint32_t layer, lora_group group, const float* weight,
                 unsigned member);
  void norm_row(const step_plan& plan, const float* weight, std::uint32_t from, const linear_input& to,
                std::uint32_t row);
  /// Whether inputs of linear maps are read as values, not only as codes: by adapters.
  bool wants_values(const step_plan& plan) const noexcept;
  void keys_and_values(const step_plan& plan, std::uint32_t layer, unsigned member);
  /// Residual stream and queries of the rows of `read` alone, moved up.
  void keep_rows(const step_plan& read, unsigned member);
  void attention_layer(const step_plan& plan, std::uint32_t layer, unsigned member);
  /// The projection that ends a branch, added to the residual stream; `norm` is null where the model adds it
  /// as it is. The base's product goes by columns. What adapters add to it goes by rows, as the norm behind
  /// it does, so that nobody waits between shrink, product and expand; only the owner of a row knows then
  /// that it is complete.
  void add_branch(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                  const linear_input& x, const float* norm, unsigned member);
  void rope_rows(const step_plan& plan, std::uint32_t layer, unsigned member);
  /// What a head of a row sees in a layer.
  seen_tokens seen_by(const step_plan& plan, std::uint32_t layer, attention_item item) const;
  void attend(const step_plan& plan, std::uint32_t layer, unsigned member);
  /// Heads [from.head, to.head), which share a key-value head, of rows [from.row, to.row) of one sequence;
  /// `next` is read after it.
  void attend(const step_plan& plan, std::uint32_t layer, attention_item from, attention_item to,
              const seen_tokens& next);
  bool quantises_heads() const noexcept;
  void quantise_attended(std::uint32_t row, std::uint32_t first, std::uint32_t width);
  void feed_forward(const step_plan& plan, std::uint32_t layer, unsigned member);
  void gate_strip(const step_plan& plan, std::uint32_t layer, share rows, share blocks, unsigned member);

  /// The low-rank inputs of `rows`, of every segment.
  void shrink(const step_plan& plan, std::uint32_t layer, lora_group group, const linear_input& x,
              share rows);
  /// Those of one segment that are in `rows`.
  void shrink_segment(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                      const linear_input& x, share rows);
  void shrink_use(const packed_group& g, const segment& s, float weight, std::uint32_t column,
                  const linear_input& x, share rows);
  /// What `shrink_use` gave becomes the input of a merge.
  void merge_rows(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s, share rows);
  /// The same as codes.
  void quantise_low_rank(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                         share rows);
  input_group* low_rank_codes(std::uint32_t row) const noexcept;
  void logits(const step_plan& plan, std::uint32_t first, std::uint32_t count, share blocks);
  void summarise(std::uint32_t count, share pieces);
  const packed_matrix& head_matrix(const step_plan& plan, const segment& run, bool changed) const;
  template <class Work>
  static void for_head_runs(const step_plan& plan, std::uint32_t first, std::uint32_t count,
                            const Work& work);

  /// Rows and blocks of a product.
  struct part_of_product {
    share rows, blocks;
  };

  /// Base and adapters: the products of the first row and block go to the beginning of `y`. Where they are
  /// added and an adapter rescales them (DoRA), its rows are computed apart first.
  void multiply(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                const linear_input& x, part_of_product part, gemm_into into, float* y, std::size_t y_stride,
                unsigned member);
  /// The base's part of `multiply` for `rows`, the first of which is `y`.
  void product(const packed_matrix& matrix, const linear_input& x, share rows, share blocks, gemm_into into,
               float* y, std::size_t y_stride, const memory_ahead* ahead = nullptr,
               std::span<const low_rank_term> terms = {});
  /// What the adapters of the one segment that all rows of a product belong to add to it, for the product to
  /// take with it; nothing where rows or kernels are not of that kind.
  struct taken_terms {
    static constexpr std::size_t most = 24;
    std::array<low_rank_term, most> of = {};
    std::size_t count = 0;
    bool all = false;  ///< nothing is left to be added behind the product
  };
  taken_terms terms_of(const step_plan& plan, std::uint32_t layer, lora_group group,
                       const packed_matrix& matrix, part_of_product part) const;
  /// What of the adapters is read behind a product: B of its rows and blocks, and of the A that is read next
  /// what falls to these blocks.
  void ask_ahead(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                 part_of_product part, unsigned member, memory_ahead& out) const;
  void ask_for_b(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                 part_of_product part, memory_ahead& out) const;
  /// A member computes the low-rank inputs of its share of the rows: part `part` of `parts` of their A.
  void ask_for_next_a(const step_plan& plan, std::uint32_t layer, lora_group group, share part,
                      std::uint32_t parts, unsigned member, memory_ahead& out) const;
  /// Adapters of segments that have rows in `rows`.
  template <class Work>
  void for_adapters(const step_plan& plan, share rows, const Work& work) const;
  /// Bytes of a block of B, and of all of A.
  std::size_t bytes_of_b(const packed_site& site) const noexcept;
  std::size_t bytes_of_a(const packed_group& group) const noexcept;
  /// `multiply` of one segment, added to its rows, the first of which is `y`.
  void rescaled(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                const packed_matrix& matrix, const linear_input& x, share blocks, float* y,
                std::size_t y_stride, unsigned member);
  /// The adapters' part for a segment, the first row of which is `y`.
  void expand(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
              const packed_matrix& matrix, share blocks, float* y, std::size_t y_stride);
  void expand_site(const segment& s, const packed_site& site, share part, std::uint32_t column,
                   std::uint32_t codes, float* y, std::size_t y_stride);
  void change_outputs(const segment& s, const packed_site& site, share part, float weight,
                      const packed_matrix& matrix, float* y, std::size_t y_stride);

  /// What of a segment lies within `rows`; none of its rows where nothing does.
  static segment within(segment s, share rows) noexcept;
  /// Whether an adapter changes outputs of the base by a factor (DoRA) here.
  bool rescales(const step_plan& plan, std::uint32_t layer, lora_group group) const noexcept;
  /// The base's part of `linear`.
  void base_linear(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                   const linear_input& x, gemm_into into, const row_buffer& y, unsigned member);
  /// The adapters' part of all outputs of `rows`.
  void expand_rows(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
                   share rows, const row_buffer& y);

  /// `multiply` of a member's own blocks into `y`.
  void linear(const step_plan& plan, std::uint32_t layer, lora_group group, const packed_matrix& matrix,
              const linear_input& x, gemm_into into, const row_buffer& y, unsigned member);

  std::shared_ptr<const model_weights> model_;
  std::unique_ptr<const packed_weights> weights_;
  const kernel_table& kernels_;
  cpu_mode mode_;
  cpu_dtype dtype_;  // of `mode_`
  std::uint32_t block_tokens_;
  kv_cache cache_;
  workspace memory_;
  thread_team& team_;
  step_profile* profile_;  // may be null
  embedding_rule embedding_;
};

}  // namespace lorica
