#include "models/transformer/model.h"

namespace guardbit::transformer {

std::string_view name_of(OpKind kind) {
  switch (kind) {
    case OpKind::kEmbed: return "embed";
    case OpKind::kNorm: return "norm";
    case OpKind::kLinear: return "linear";
    case OpKind::kRope: return "rope";
    case OpKind::kScores: return "scores";
    case OpKind::kSoftmax: return "softmax";
    case OpKind::kValues: return "values";
    case OpKind::kActivation: return "activation";
    case OpKind::kGate: return "gate";
    case OpKind::kResidual: return "residual";
  }
  GUARDBIT_CHECK(false, "OpKind is a closed set");
}

}  // namespace guardbit::transformer
