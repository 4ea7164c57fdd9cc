/// Runtime smoothing (arXiv 2409.20361, "rs") and rotated runtime smoothing ("rrs"): switches for the smooth unit,
/// which finds its scales while it runs. Smoothed are o, gate, up and down, with `qkv` (or options.smooth_qkv) q, k and
/// v too; never the head.
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"

namespace guardbit::calibration {

template <class T>
void apply_rotate(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_rotate(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);

namespace {

template <class T>
void smooth_inputs(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  const bool smooth_qkv = options.smooth_qkv || arguments.flag("qkv");
  for (Op& op : model.ops) {
    if (op.kind != OpKind::kLinear || op.operand_class != transformer::OperandClass::kLinear) continue;
    const bool is_qkv = op.name.ends_with(".attn.q") || op.name.ends_with(".attn.k") || op.name.ends_with(".attn.v");
    op.smooth = !is_qkv || smooth_qkv;
  }
}

}  // namespace

template <class T>
void apply_rs(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  smooth_inputs(model, arguments, options);
}
void outline_rs(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  smooth_inputs(model, arguments, options);
}

template <class T>
void apply_rrs(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  apply_rotate(model, arguments, options);
  apply_rs(model, arguments, options);
}
void outline_rrs(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  outline_rotate(model, arguments, options);
  outline_rs(model, arguments, options);
}

template void apply_rs(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_rs(Model<double>&, const MethodArguments&, const CalibrationOptions&);
template void apply_rrs(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_rrs(Model<double>&, const MethodArguments&, const CalibrationOptions&);

}  // namespace guardbit::calibration
