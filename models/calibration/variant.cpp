#include "models/calibration/variant.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "models/calibration/spelling.h"
#include "models/numerics/edit_distance.h"

namespace guardbit::calibration {
namespace {

using transformer::Model;

[[noreturn]] void fail(std::string_view variant, const std::string& problem) {
  throw std::invalid_argument("variant \"" + std::string(variant) + "\": " + problem);
}

/// Pieces between separators that stand outside parentheses; at least one.
std::vector<std::string_view> split_outside_parentheses(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] != separator || depth > 0) continue;
    pieces.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

/// The number behind `name` at the front of `text`, both taken off; null if it does not begin so.
std::optional<int> take_width(std::string_view name, std::string_view& text) {
  if (!text.starts_with(name)) return std::nullopt;
  int value = 0;
  const char* const digits = text.data() + name.size();
  const auto [end, error] = std::from_chars(digits, text.data() + text.size(), value);
  if (error != std::errc() || *digits == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

constexpr std::string_view kStaticWord = "static";

struct WidthWord {
  std::string_view name;
  std::optional<int> VariantWidths::*bits;
  int least;
  int largest;
  std::string_view expected;
};

constexpr WidthWord kWidthWords[] = {
    {"w", &VariantWidths::weight, 2, 8, "w2 to w8, or w16"},
    {"a", &VariantWidths::activation, 3, 8, "a3 to a8, or a16"},
    {"kv", &VariantWidths::kv_cache, 4, 8, "kv4, kv8 or kv16"},
};

bool is_valid_width(const WidthWord& word, int bits) {
  if (word.name == "kv" && bits != 4 && bits != 8 && bits != 16) return false;
  return bits == 16 || (bits >= word.least && bits <= word.largest);
}

/// Whether `part` is widths; takes them if so.
bool parse_widths(std::string_view variant, std::string_view part, VariantWidths& widths) {
  std::string_view rest = part;
  VariantWidths taken;
  std::string problem;
  while (!rest.empty() && rest != "_fp16") {
    const WidthWord* found = nullptr;
    std::optional<int> bits;
    for (const WidthWord& word : kWidthWords) {
      bits = take_width(word.name, rest);
      if (bits) found = &word;
      if (bits) break;
    }
    if (found == nullptr) return false;
    const std::string text = std::string(found->name) + std::to_string(*bits);
    if (problem.empty() && !is_valid_width(*found, *bits)) {
      problem = "got width " + text + "; expected " + std::string(found->expected);
    }
    if (problem.empty() && (taken.*found->bits || widths.*found->bits)) {
      problem = "width \"" + std::string(found->name) + "\" is given twice";
    }
    taken.*found->bits = bits;
  }
  if (!taken.any()) return false;
  if (!problem.empty()) fail(variant, problem);
  for (const WidthWord& word : kWidthWords) {
    if (taken.*word.bits) widths.*word.bits = taken.*word.bits;
  }
  widths.fp16_codes = widths.fp16_codes || rest == "_fp16";
  return true;
}

/// Whether two methods cannot be in one variant.
bool exclude(const Method& a, const Method& b) {
  return &a == &b || a.effects == 0 || b.effects == 0 || (a.effects & b.effects) != 0;
}

MethodArguments parse_arguments(std::string_view variant, const Method& method, std::string_view list) {
  MethodArguments arguments(method.parameters);
  if (list.empty()) return arguments;
  for (const std::string_view argument : split_outside_parentheses(list, ',')) {
    try {
      arguments.parse(argument);
    } catch (const std::invalid_argument& error) {
      fail(variant, std::string(method.name) + ": " + error.what());
    }
  }
  return arguments;
}

/// What a part that is no method means if it is "static" spelled otherwise, or joined to what it belongs beside:
/// "static" for "STATIC", "a8+static" for "a8static"; "" for anything else.
std::string meant_with_static(std::string_view part) {
  std::string before = lower_case(part);
  if (!before.ends_with(kStaticWord)) {
    return numerics::edit_distance(before, kStaticWord) <= 2 ? std::string(kStaticWord) : "";
  }
  before.resize(before.size() - kStaticWord.size());
  while (before.ends_with('_') || before.ends_with('-')) before.pop_back();
  return (before.empty() ? "" : before + "+") + std::string(kStaticWord);
}

VariantPart parse_method(std::string_view variant, std::string_view part) {
  const std::size_t open = part.find('(');
  const std::string_view name = part.substr(0, open);
  const Method* const method = find_method(name);
  if (method == nullptr) {
    std::vector<std::string_view> names;
    for (const Method& known : methods()) names.push_back(known.name);
    const std::string meant = meant_with_static(part);
    fail(variant, "no method \"" + std::string(name) + "\"" +
                      (meant.empty() ? known_names(name, names) : "; did you mean \"" + meant + "\"?"));
  }
  std::string_view list;
  if (open != std::string_view::npos) {
    const bool is_closed = part.find(')') == part.size() - 1 && part.find('(', open + 1) == std::string_view::npos;
    if (!is_closed) fail(variant, "got \"" + std::string(part) + "\"; expected name or name(argument,...)");
    list = part.substr(open + 1, part.size() - open - 2);
  }
  VariantPart parsed{method, parse_arguments(variant, *method, list)};
  if (method->check == nullptr) return parsed;
  try {
    method->check(parsed.arguments);
  } catch (const std::invalid_argument& error) {
    fail(variant, std::string(name) + ": " + error.what());
  }
  return parsed;
}

/// Runs what a method of the variant does to a model; its refusals name the method.
template <class Action>
void run_method(const Variant& variant, const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    fail(variant.canonical_text(), error.what());
  }
}

void apply(const VariantPart& part, Model<float>& model, const CalibrationOptions& options) {
  part.method->apply_float(model, part.arguments, options);
}
void apply(const VariantPart& part, Model<double>& model, const CalibrationOptions& options) {
  part.method->apply_double(model, part.arguments, options);
}

}  // namespace

std::string Variant::canonical_text() const {
  std::string text;
  for (const VariantPart& part : parts) {
    text += (text.empty() ? "" : "+") + std::string(part.method->name) + part.arguments.canonical_text();
  }
  std::string words;
  for (const WidthWord& word : kWidthWords) {
    if (widths.*word.bits) words += std::string(word.name) + std::to_string(*(widths.*word.bits));
  }
  if (widths.fp16_codes) words += "_fp16";
  text += (text.empty() || words.empty() ? "" : "+") + words;
  if (!widths.static_scales) return text;
  return text + (text.empty() ? "" : "+") + std::string(kStaticWord);
}

const VariantPart* Variant::part_with(MethodEffect effect) const {
  for (const VariantPart& part : parts) {
    if ((part.method->effects & effect) != 0) return &part;
  }
  return nullptr;
}

Variant parse_variant(std::string_view text) {
  Variant variant;
  if (text.empty()) fail(text, "got nothing; expected methods and widths, or none: the model as it is");
  for (const std::string_view part : split_outside_parentheses(text, '+')) {
    if (part.empty()) fail(text, "got nothing beside a +; expected a method or widths");
    if (part == kStaticWord) {
      if (variant.widths.static_scales) fail(text, "\"static\" is given twice");
      variant.widths.static_scales = true;
      continue;
    }
    if (parse_widths(text, part, variant.widths)) continue;
    VariantPart parsed = parse_method(text, part);
    for (const VariantPart& other : variant.parts) {
      if (!exclude(*other.method, *parsed.method)) continue;
      fail(text, "\"" + std::string(other.method->name) + "\" and \"" + std::string(parsed.method->name) +
                     "\" exclude one another");
    }
    variant.parts.push_back(std::move(parsed));
  }
  std::sort(variant.parts.begin(), variant.parts.end(), [](const VariantPart& a, const VariantPart& b) {
    return a.method->effects < b.method->effects;  // never equal: they would exclude one another
  });
  const VariantWidths& widths = variant.widths;
  if (widths.fp16_codes && (widths.weight.value_or(16) > 8 || widths.activation != 16)) {
    fail(text, "\"_fp16\" is for integer weights and 16-bit activations, as in w4a16_fp16");
  }
  return variant;
}

std::vector<std::string> split_variants(std::string_view list) {
  std::vector<std::string> variants;
  for (const std::string_view variant : split_outside_parentheses(list, ',')) variants.emplace_back(variant);
  return variants;
}

template <class T>
void apply_variant(const Variant& variant, Model<T>& model, const CalibrationOptions& options,
                   const VariantProgress& progress) {
  for (const VariantPart& part : variant.parts) {
    if (!part.method->needs_activations || options.data != nullptr) continue;
    fail(variant.canonical_text(), std::string(part.method->name) + " needs activations of a calibration text");
  }
  for (const VariantPart& part : variant.parts) {
    CalibrationOptions own = options;
    if (progress) {
      own.progress = [&](std::size_t done, std::size_t total) { progress(part.method->name, done, total); };
    }
    run_method(variant, [&] { apply(part, model, own); });
  }
}

template <class T>
void apply_variant(std::string_view text, Model<T>& model, const CalibrationOptions& options) {
  apply_variant(parse_variant(text), model, options);
}

void outline_variant(const Variant& variant, Model<float>& model, const CalibrationOptions& options) {
  for (const VariantPart& part : variant.parts) {
    run_method(variant, [&] { part.method->outline(model, part.arguments, options); });
  }
}

void outline_variant(std::string_view text, Model<float>& model, const CalibrationOptions& options) {
  outline_variant(parse_variant(text), model, options);
}

bool time_needs_weights(const Variant& variant, const CalibrationOptions& options) {
  // Static scales come from weights; dynamic ones are of every row.
  return !options.pow2_scales && std::any_of(variant.parts.begin(), variant.parts.end(), [](const VariantPart& part) {
    return (part.method->effects & kScalesNorms) != 0 && !part.method->finds_scales_at_run_time;
  });
}

bool time_needs_weights(std::string_view text, const CalibrationOptions& options) {
  return time_needs_weights(parse_variant(text), options);
}

template void apply_variant(const Variant&, Model<float>&, const CalibrationOptions&, const VariantProgress&);
template void apply_variant(const Variant&, Model<double>&, const CalibrationOptions&, const VariantProgress&);
template void apply_variant(std::string_view, Model<float>&, const CalibrationOptions&);
template void apply_variant(std::string_view, Model<double>&, const CalibrationOptions&);

}  // namespace guardbit::calibration
