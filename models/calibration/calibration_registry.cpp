#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/calibration/method.h"

namespace guardbit::calibration {

using transformer::Model;

template <class T>
void apply_dynamic_norm(Model<T>& model, const CalibrationOptions& options);
template <class T>
void apply_rotate(Model<T>& model, const CalibrationOptions& options);
template <class T>
void apply_rrs(Model<T>& model, const CalibrationOptions& options);
template <class T>
void apply_rs(Model<T>& model, const CalibrationOptions& options);
template <class T>
void apply_slanc(Model<T>& model, const CalibrationOptions& options);
template <class T>
void apply_slanc_residual(Model<T>& model, const CalibrationOptions& options);
void outline_dynamic_norm(Model<float>& model, const CalibrationOptions& options);
void outline_rotate(Model<float>& model, const CalibrationOptions& options);
void outline_rrs(Model<float>& model, const CalibrationOptions& options);
void outline_rs(Model<float>& model, const CalibrationOptions& options);
void outline_slanc_residual(Model<float>& model, const CalibrationOptions& options);

namespace {

template <class T>
void apply_none(Model<T>&, const CalibrationOptions&) {}
void outline_as_it_is(Model<float>&, const CalibrationOptions&) {}

using Rewrite = void (*)(Model<float>&, const CalibrationOptions&);
template <Rewrite kApply, void (*kApplyDouble)(Model<double>&, const CalibrationOptions&),
          Rewrite kOutline = outline_as_it_is>
constexpr Method make_method(std::string_view name, unsigned effects, std::string_view summary) {
  return {name, summary, effects, kApply, kApplyDouble, kOutline};
}

constexpr std::array kMethods = {
    make_method<apply_dynamic_norm<float>, apply_dynamic_norm<double>, outline_dynamic_norm>(
        "dynamic_norm", kScalesNorms, "norms divide each row by its largest magnitude, found in an extra pass"),
    Method{"none", "the model as it is; quantization rounds to nearest", 0, apply_none<float>, apply_none<double>,
           outline_as_it_is},
    make_method<apply_rotate<float>, apply_rotate<double>, outline_rotate>(
        "rotate", kRotates, "QuaRot: Hadamard rotations of weights and activations"),
    make_method<apply_rrs<float>, apply_rrs<double>, outline_rrs>("rrs", kRotates | kSmooths,
                                                                  "rotated runtime smooth: rotate, then rs"),
    make_method<apply_rs<float>, apply_rs<double>, outline_rs>("rs", kSmooths,
                                                               "runtime smooth: channel scales found while running"),
    make_method<apply_slanc<float>, apply_slanc<double>>("slanc", kScalesNorms,
                                                         "static norm scales from weights, as published"),
    make_method<apply_slanc_residual<float>, apply_slanc_residual<double>, outline_slanc_residual>(
        "slanc_residual", kScalesNorms, "static norm scales from the residual stream's accumulated power"),
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

[[noreturn]] void fail(std::string_view variant, const std::string& problem) {
  throw std::invalid_argument("variant \"" + std::string(variant) + "\": " + problem);
}

[[noreturn]] void fail_unknown(std::string_view variant, std::string_view part) {
  std::string known;
  const Method* nearest = nullptr;
  std::size_t nearest_distance = 3;  // further away is no typing error
  for (const Method& method : kMethods) {
    known += (known.empty() ? "" : ", ") + std::string(method.name);
    const std::size_t distance = edit_distance(part, method.name);
    if (distance >= nearest_distance) continue;
    nearest = &method;
    nearest_distance = distance;
  }
  fail(variant, "no method \"" + std::string(part) + "\"; known: " + known +
                    (nearest == nullptr ? "" : "; did you mean \"" + std::string(nearest->name) + "\"?"));
}

std::vector<const Method*> parse_variant(std::string_view variant) {
  std::vector<const Method*> parts;
  for (std::size_t begin = 0; begin <= variant.size();) {
    const std::size_t end = std::min(variant.find('+', begin), variant.size());
    const std::string_view part = variant.substr(begin, end - begin);
    const Method* const method = find_method(part);
    if (method == nullptr) fail_unknown(variant, part);
    for (const Method* const other : parts)
      if (other == method || other->effects == 0 || method->effects == 0 || (other->effects & method->effects) != 0)
        fail(variant,
             "\"" + std::string(other->name) + "\" and \"" + std::string(method->name) + "\" exclude one another");
    parts.push_back(method);
    begin = end + 1;
  }
  std::sort(parts.begin(), parts.end(), [](const Method* a, const Method* b) { return a->effects < b->effects; });
  return parts;
}

void apply(const Method& method, Model<float>& model, const CalibrationOptions& options) {
  method.apply_float(model, options);
}
void apply(const Method& method, Model<double>& model, const CalibrationOptions& options) {
  method.apply_double(model, options);
}

}  // namespace

std::span<const Method> methods() { return kMethods; }

const Method* find_method(std::string_view name) {
  for (const Method& method : kMethods)
    if (method.name == name) return &method;
  return nullptr;
}

void check_variant(std::string_view variant) { (void)parse_variant(variant); }

template <class T>
void apply_variant(std::string_view variant, Model<T>& model, const CalibrationOptions& options) {
  for (const Method* const method : parse_variant(variant)) apply(*method, model, options);
}

void outline_variant(std::string_view variant, Model<float>& model, const CalibrationOptions& options) {
  for (const Method* const method : parse_variant(variant)) method->outline(model, options);
}

bool time_needs_weights(std::string_view variant, const CalibrationOptions& options) {
  const std::vector<const Method*> parts = parse_variant(variant);
  // Static scales come from weights; dynamic ones are of every row.
  return !options.pow2_scales && std::any_of(parts.begin(), parts.end(), [](const Method* method) {
    return (method->effects & kScalesNorms) != 0 && method->outline != outline_dynamic_norm;
  });
}

template void apply_variant(std::string_view, Model<float>&, const CalibrationOptions&);
template void apply_variant(std::string_view, Model<double>&, const CalibrationOptions&);

}  // namespace guardbit::calibration
