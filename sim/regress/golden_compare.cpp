#include "sim/regress/golden_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"
#include "models/numerics/float_format.h"

namespace guardbit::sim {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

/// The keys of both, and the two values; `absent` stands for a missing one.
template <class Value, class Visit>
void visit_both(const std::map<std::string, Value>& golden, const std::map<std::string, Value>& now,
                const Value& absent, const Visit& visit) {
  std::set<std::string> keys;
  for (const auto& [key, value] : golden) keys.insert(key);
  for (const auto& [key, value] : now) keys.insert(key);
  for (const std::string& key : keys) {
    const auto before = golden.find(key);
    const auto after = now.find(key);
    visit(key, before == golden.end() ? absent : before->second, after == now.end() ? absent : after->second);
  }
}

void add_differences(const std::string& prefix, const Counts& golden, const Counts& now,
                     std::vector<CountDifference>& differences) {
  visit_both<std::uint64_t>(golden, now, 0, [&](const std::string& key, std::uint64_t before, std::uint64_t after) {
    if (before != after) differences.push_back({prefix + key, before, after});
  });
}

std::string shapes_text(const TensorGolden& tensor) {
  std::string text;
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < std::min(tensor.windows.size(), kShown); ++i) {
    text += fmt::format("{}{} x {}", i == 0 ? "" : ", ", tensor.windows[i].rows, tensor.windows[i].cols);
  }
  if (tensor.windows.size() > kShown) text += fmt::format(", ... ({} windows)", tensor.windows.size());
  return text;
}

std::string code_text(std::uint32_t code, const std::string& format_name, const numerics::FloatFormat& format) {
  const float value = numerics::to_carrier(code, format);
  return fmt::format("0x{:0{}x} ({}) = {}", code, (format.storage_bits() + 3) / 4, format_name, value);
}

/// Window and row of a row that is numbered over all windows.
struct RowPlace {
  std::uint64_t window = 0;
  std::uint64_t row = 0;
};

/// The first code that differs, in the rows that both have kept.
std::optional<ElementDifference> first_code(const TensorGolden& golden, const TensorGolden& now) {
  const numerics::FloatFormat before = *numerics::parse_float_format(golden.format);
  const numerics::FloatFormat after = *numerics::parse_float_format(now.format);
  const auto same = [&](std::uint32_t a, std::uint32_t b) {
    if (before == after) return a == b;
    return std::bit_cast<std::uint32_t>(numerics::to_carrier(a, before)) ==
           std::bit_cast<std::uint32_t>(numerics::to_carrier(b, after));
  };
  const std::size_t num_kept = std::min(golden.codes.size(), now.codes.size());
  std::size_t index = 0;
  for (std::size_t window = 0; window < golden.windows.size(); ++window) {
    const WindowShape& shape = golden.windows[window];
    for (std::uint64_t row = 0; row < shape.rows && index + shape.cols <= num_kept; ++row) {
      for (std::uint64_t col = 0; col < shape.cols; ++col, ++index) {
        const std::uint32_t a = golden.codes[index];
        const std::uint32_t b = now.codes[index];
        if (same(a, b)) continue;
        return ElementDifference{
            window, row, row,
            ElementDifference::Bits{col, code_text(a, golden.format, before), code_text(b, now.format, after)}};
      }
    }
  }
  return std::nullopt;
}

/// Rows of a window whose codes both have kept.
std::uint64_t kept_rows(const TensorGolden& golden, const TensorGolden& now, std::uint64_t wanted_window) {
  std::uint64_t left = std::min(golden.codes.size(), now.codes.size());
  for (std::uint64_t window = 0; window < golden.windows.size(); ++window) {
    const WindowShape& shape = golden.windows[window];
    const std::uint64_t kept = shape.cols == 0 ? shape.rows : std::min(shape.rows, left / shape.cols);
    if (window == wanted_window) return kept;
    if (kept < shape.rows) return 0;
    left -= shape.rows * shape.cols;
  }
  return 0;
}

/// The first rows whose digests differ; of those, the ones whose codes are kept are known to be equal.
std::optional<ElementDifference> first_rows(const TensorGolden& golden, const TensorGolden& now,
                                            const GoldenLimits& limits) {
  std::size_t offset = 0;
  for (std::uint64_t window = 0; window < golden.windows.size(); ++window) {
    const std::uint64_t num_rows = golden.windows[window].rows;
    for (std::uint64_t row = 0; row < num_rows; row += limits.rows_per_digest, offset += kRowDigestBytes) {
      if (golden.row_digests.compare(offset, kRowDigestBytes, now.row_digests, offset, kRowDigestBytes) == 0) continue;
      const std::uint64_t last = std::min(num_rows, row + limits.rows_per_digest) - 1;
      return ElementDifference{window, std::clamp(kept_rows(golden, now, window), row, last), last, std::nullopt};
    }
  }
  return std::nullopt;
}

OpDifference compare_outputs(const OpGolden& golden, const OpGolden& now, const GoldenLimits& limits) {
  OpDifference difference{.op = now.name, .kind = now.kind, .shapes = "", .element = std::nullopt};
  if (golden.output.windows != now.output.windows) {
    difference.shapes = fmt::format("golden {}, now {}", shapes_text(golden.output), shapes_text(now.output));
    return difference;
  }
  difference.element = first_code(golden.output, now.output);
  if (!difference.element) difference.element = first_rows(golden.output, now.output, limits);
  return difference;
}

/// What keeps the ops from being compared one by one.
std::string other_ops(const VariantGolden& golden, const VariantGolden& now) {
  if (golden.ops.size() != now.ops.size()) {
    return fmt::format("golden has {} ops, now {}", golden.ops.size(), now.ops.size());
  }
  for (std::size_t op = 0; op < golden.ops.size(); ++op) {
    if (golden.ops[op].name == now.ops[op].name) continue;
    return fmt::format("op {}: golden {}, now {}", op, golden.ops[op].name, now.ops[op].name);
  }
  return {};
}

VariantDifference compare_variants(const VariantGolden& golden, const VariantGolden& now, const GoldenLimits& limits) {
  VariantDifference difference;
  difference.variant = now.name;
  difference.num_ops = now.ops.size();
  difference.golden_digest = golden.digest;
  difference.now_digest = now.digest;
  difference.golden_perplexity = golden.perplexity;
  difference.now_perplexity = now.perplexity;
  add_differences("", golden.cycles, now.cycles, difference.cycles);
  difference.structure = other_ops(golden, now);
  if (!difference.structure.empty()) return difference;
  for (std::size_t op = 0; op < now.ops.size(); ++op) {
    const OpGolden& before = golden.ops[op];
    const OpGolden& after = now.ops[op];
    add_differences(after.name + " ", before.events, after.events, difference.events);
    add_differences(after.name + " ", before.cycles, after.cycles, difference.cycles);
    if (before.output.sha256 == after.output.sha256 && before.output.windows == after.output.windows) continue;
    ++difference.num_differing_ops;
    if (!difference.first) difference.first = compare_outputs(before, after, limits);
  }
  return difference;
}

const VariantGolden* find_variant(const CaseGolden& golden, const std::string& name) {
  const auto found = std::find_if(golden.variants.begin(), golden.variants.end(),
                                  [&name](const VariantGolden& variant) { return variant.name == name; });
  return found == golden.variants.end() ? nullptr : &*found;
}

VariantDifference unpaired(const std::string& variant, const char* structure) {
  VariantDifference difference;
  difference.variant = variant;
  difference.structure = structure;
  return difference;
}

}  // namespace

bool CaseDifference::any() const {
  return !inputs.empty() ||
         std::any_of(variants.begin(), variants.end(), [](const auto& variant) { return variant.any(); });
}

CaseDifference compare_goldens(const CaseGolden& golden, const CaseGolden& now) {
  GUARDBIT_CHECK(golden.limits == now.limits, "recordings that are compared keep the same");
  CaseDifference difference{.name = now.name, .inputs = {}, .variants = {}};
  visit_both<std::string>(
      golden.inputs, now.inputs, "", [&](const std::string& key, const std::string& before, const std::string& after) {
        if (before == after) return;
        const auto shown = [](const std::string& value) { return value.empty() ? "the default" : value; };
        difference.inputs.push_back(fmt::format("{}: golden {}, now {}", key, shown(before), shown(after)));
      });
  for (const VariantGolden& variant : now.variants) {
    const VariantGolden* before = find_variant(golden, variant.name);
    difference.variants.push_back(before == nullptr ? unpaired(variant.name, "the golden does not have it")
                                                    : compare_variants(*before, variant, golden.limits));
  }
  for (const VariantGolden& variant : golden.variants) {
    if (find_variant(now, variant.name) == nullptr) {
      difference.variants.push_back(unpaired(variant.name, "only the golden has it"));
    }
  }
  return difference;
}

}  // namespace guardbit::sim
