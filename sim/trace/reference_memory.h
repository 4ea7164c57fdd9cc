#pragma once
/// Refusing a forward pass that does not fit in memory, before it allocates.
#include <cstddef>

#include "models/transformer/model.h"

namespace guardbit::sim {

/// UserError kRefused, with both numbers, if the fp32 reference over `num_tokens` tokens (weights and the outputs of
/// all ops, which it keeps) needs more than the memory that is available now.
void require_reference_memory(const transformer::ModelShape& shape, std::size_t num_tokens);

}  // namespace guardbit::sim
