#include <array>

#include "models/calibration/method.h"

namespace guardbit::calibration {

using transformer::Model;

template <class T>
void apply_awq(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_dynamic_norm(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_gptq(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_rotate(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_rrs(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_rs(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_rtn(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_slanc(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_slanc_residual(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
template <class T>
void apply_smoothquant(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void check_rtn(const MethodArguments& arguments);
void outline_awq(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_dynamic_norm(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_gptq(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_rotate(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_rrs(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_rs(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_rtn(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_slanc_residual(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);
void outline_smoothquant(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options);

namespace {

template <class T>
void apply_none(Model<T>&, const MethodArguments&, const CalibrationOptions&) {}
void outline_as_it_is(Model<float>&, const MethodArguments&, const CalibrationOptions&) {}

/// A method that sees the model alone, or, if `needs_activations`, a calibration text as well.
template <Rewrite<float> kFloat, Rewrite<double> kDouble, Rewrite<float> kOutline = outline_as_it_is>
constexpr Method make_method(std::string_view name, unsigned effects, std::span<const Parameter> parameters,
                             std::string_view summary, bool needs_activations = false) {
  return {.name = name,
          .summary = summary,
          .effects = effects,
          .parameters = parameters,
          .needs_activations = needs_activations,
          .apply_float = kFloat,
          .apply_double = kDouble,
          .outline = kOutline};
}

constexpr Method with_scales_at_run_time(Method method) {
  method.finds_scales_at_run_time = true;
  return method;
}

constexpr std::span<const Parameter> kNoParameters;
constexpr std::array kSmoothQuantParameters = {
    Parameter{"alpha", ParameterKind::kNumber, 0.5, 0, 1, "how much of the outliers moves into the weights"},
};
constexpr std::array kSlancParameters = {
    Parameter{"target", ParameterKind::kNumber, kNotGiven, 1e-6, 1e6,
              "norm that rows are scaled to; without it --slanc-target's"},
};
constexpr std::array kSmoothParameters = {
    Parameter{"qkv", ParameterKind::kFlag, 0, 0, 1, "smooth the inputs of q, k and v as well"},
};
/// What quantizer_of() reads.
constexpr Parameter kGroupParameter{
    "group", ParameterKind::kInteger, 0, 0, 65536, "input channels that share a scale; 0: all of an output channel's"};
constexpr Parameter kAsymParameter{"asym", ParameterKind::kFlag, 0, 0, 1, "asymmetric, with zero points"};
constexpr Parameter kClipParameter{
    "clip", ParameterKind::kFlag, 0, 0, 1, "search the clip ratio (1, 0.975, ..., 0.4) with the least squared error"};
constexpr std::array kAwqParameters = {
    Parameter{"grid", ParameterKind::kInteger, 20, 1, 1000, "exponents tried: 0, 1/grid, ... below 1"},
    Parameter{"clip", ParameterKind::kFlag, 0, 0, 1, "clip the largest weights where that lowers the output error"},
    kGroupParameter, kAsymParameter};
constexpr std::array kGptqParameters = {
    kGroupParameter,
    Parameter{"act_order", ParameterKind::kFlag, 0, 0, 1, "channels by falling input power; groups stay as they lie"},
    Parameter{"damp", ParameterKind::kNumber, 0.01, 0, 1, "added to the second moment's diagonal, times its mean"},
    Parameter{"block", ParameterKind::kInteger, 128, 1, 65536, "channels corrected together; changes no result"},
    kAsymParameter,
    kClipParameter};
constexpr std::array kRtnParameters = {
    kGroupParameter, kAsymParameter, kClipParameter,
    Parameter{"tensor", ParameterKind::kFlag, 0, 0, 1, "one scale for the whole matrix"}};

constexpr std::array kMethods = {
    make_method<apply_awq<float>, apply_awq<double>, outline_awq>(
        "awq", kSmooths | kQuantizesWeights, kAwqParameters,
        "input channels scaled by a searched power of their mean magnitude, weights to nearest",
        /*needs_activations=*/true),
    with_scales_at_run_time(make_method<apply_dynamic_norm<float>, apply_dynamic_norm<double>, outline_dynamic_norm>(
        "dynamic_norm", kScalesNorms, kNoParameters,
        "norms divide each row by its largest magnitude, found in an extra pass")),
    make_method<apply_gptq<float>, apply_gptq<double>, outline_gptq>(
        "gptq", kQuantizesWeights, kGptqParameters,
        "weights rounded one after the other, the rest taking up each error", /*needs_activations=*/true),
    Method{.name = "none",
           .summary = "the model as it is; quantization rounds to nearest",
           .parameters = {},
           .apply_float = apply_none<float>,
           .apply_double = apply_none<double>,
           .outline = outline_as_it_is},
    make_method<apply_rotate<float>, apply_rotate<double>, outline_rotate>(
        "rotate", kRotates, kNoParameters, "QuaRot: Hadamard rotations of weights and activations"),
    make_method<apply_rrs<float>, apply_rrs<double>, outline_rrs>("rrs", kRotates | kSmooths, kSmoothParameters,
                                                                  "rotated runtime smooth: rotate, then rs"),
    make_method<apply_rs<float>, apply_rs<double>, outline_rs>("rs", kSmooths, kSmoothParameters,
                                                               "runtime smooth: channel scales found while running"),
    Method{.name = "rtn",
           .summary = "weights rounded to nearest, per tensor, output channel or group",
           .effects = kQuantizesWeights,
           .parameters = kRtnParameters,
           .check = check_rtn,
           .apply_float = apply_rtn<float>,
           .apply_double = apply_rtn<double>,
           .outline = outline_rtn},
    make_method<apply_slanc<float>, apply_slanc<double>>("slanc", kScalesNorms, kSlancParameters,
                                                         "static norm scales from weights, as published"),
    make_method<apply_slanc_residual<float>, apply_slanc_residual<double>, outline_slanc_residual>(
        "slanc_residual", kScalesNorms, kSlancParameters,
        "static norm scales from the residual stream's accumulated power"),
    make_method<apply_smoothquant<float>, apply_smoothquant<double>, outline_smoothquant>(
        "smoothquant", kSmooths, kSmoothQuantParameters,
        "outlier channels divided by a static scale, weights multiplied", /*needs_activations=*/true),
};

}  // namespace

std::span<const Method> methods() { return kMethods; }

const Method* find_method(std::string_view name) {
  for (const Method& method : kMethods)
    if (method.name == name) return &method;
  return nullptr;
}

}  // namespace guardbit::calibration
