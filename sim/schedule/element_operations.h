#pragma once
/// Operations that the vector unit does for each element of a function. docs/energy.md has the table.
#include <cstdint>

#include "models/numerics/check.h"
#include "models/transformer/model.h"

namespace guardbit::sim {

/// Operations per element of a function of the vector unit (models/units/function_unit.cpp, activation_unit.cpp).
struct PerElement {
  std::uint64_t multiplies = 0;
  std::uint64_t adds = 0;
  std::uint64_t divides = 0;
  PerElement operator+(const PerElement& other) const {
    return {multiplies + other.multiplies, adds + other.adds, divides + other.divides};
  }
};
inline constexpr PerElement kExponential{.multiplies = 9, .adds = 10};  // nine fused steps and the shift's subtraction
inline constexpr PerElement kTableExponential{.multiplies = 2, .adds = 1};  // x log2 e, interpolation
inline constexpr PerElement kTimesSigmoid{.multiplies = 1, .adds = 1, .divides = 1};
inline constexpr PerElement kGeluArgument{.multiplies = 3, .adds = 1};
inline constexpr PerElement kNormalTail{.multiplies = 16, .adds = 12, .divides = 1};  // beside its two exponentials

inline PerElement activation_operations(transformer::ActivationKind kind) {
  switch (kind) {
    case transformer::ActivationKind::kGeluTanh: return kGeluArgument + kTimesSigmoid + kExponential;
    case transformer::ActivationKind::kGelu:
      return kNormalTail + kExponential + kExponential + PerElement{.multiplies = 1, .adds = 1};
    case transformer::ActivationKind::kSilu: return kTimesSigmoid + kExponential;
    case transformer::ActivationKind::kRelu: return {.adds = 1};
  }
  fail_check(__FILE__, __LINE__, "activation kind", "unknown enumerator");
}

}  // namespace guardbit::sim
