/// Dynamic max scaling, the baseline that SLaNC is compared with: every norm finds the largest magnitude of each row in
/// a pass of its own and works on the row divided by it (norm_unit.h, step 0). A switch for the norm unit; weights
/// stay.
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"

namespace guardbit::calibration {

namespace {

template <class T>
void scale_rows(Model<T>& model) {
  for (Op& op : model.ops) {
    if (op.kind == OpKind::kNorm) op.dynamic_input_scale = true;
  }
}

}  // namespace

template <class T>
void apply_dynamic_norm(Model<T>& model, const MethodArguments&, const CalibrationOptions&) {
  scale_rows(model);
}
template void apply_dynamic_norm(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_dynamic_norm(Model<double>&, const MethodArguments&, const CalibrationOptions&);

void outline_dynamic_norm(Model<float>& model, const MethodArguments&, const CalibrationOptions&) { scale_rows(model); }

}  // namespace guardbit::calibration
