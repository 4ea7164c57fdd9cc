#include "sim/trace/reference_memory.h"

#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/base/memory.h"

namespace guardbit::sim {

void require_reference_memory(const transformer::ModelShape& shape, std::size_t num_tokens) {
  // Doubles: an estimate that cannot overflow.
  const double tokens = static_cast<double>(num_tokens);
  const double scores = 2.0 * shape.num_heads * tokens * tokens;              // and probabilities
  const double attention = 6.0 * shape.num_heads * shape.head_size * tokens;  // q, k, v, their rotations, values
  const double stream = 7.0 * shape.hidden_size * tokens;
  const double mlp = 3.0 * shape.intermediate_size * tokens;
  const double elements = shape.num_layers * (scores + attention + stream + mlp) +
                          (3.0 * shape.hidden_size + shape.vocabulary_size) * tokens;
  require_memory(elements * sizeof(float), fmt::format("the fp32 reference over {} tokens", num_tokens));
}

}  // namespace guardbit::sim
