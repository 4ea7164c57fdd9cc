#include "models/units/accelerator_config.h"

#include <algorithm>
#include <bit>

#include "models/numerics/codec.h"

namespace guardbit::units {
namespace {

using numerics::FloatFormat;
using numerics::parse_float_format;
using numerics::parse_int_format;

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

/// Collects problems, as "got ...; expected ...".
class Problems {
 public:
  void add(std::string key, const std::string& got, const std::string& expected) {
    list_.push_back({std::move(key), "got " + got + "; expected " + expected});
  }
  std::vector<ConfigProblem> take() { return std::move(list_); }

 private:
  std::vector<ConfigProblem> list_;
};

bool is_power_of_two(std::int64_t value) { return std::has_single_bit(static_cast<std::uint64_t>(value)); }

/// An overflow policy that the format cannot express.
void check_overflow(const std::string& key, std::string_view overflow, std::string_view format_name,
                    Problems& problems) {
  const auto format = parse_float_format(format_name);
  if (!format) return;
  const bool impossible =
      (overflow == "infinity" && !format->has_infinity()) || (overflow == "nan" && !format->has_nan());
  if (!impossible) return;
  problems.add(key, quoted(overflow) + " for " + std::string(format_name) + ", which has none",
               format->has_nan() ? "\"saturate\" or \"nan\"" : "\"saturate\"");
}

/// One class of matrix products with the names of its sections.
struct ProductSections {
  const ArrayConfig& array;
  const OperandConfig& operands;
  const AccumulatorConfig& accumulator;
  std::string operand_section;
  std::string accumulator_section;

  std::string operand_key(const char* key) const { return operand_section + "." + key; }
  std::string accumulator_key(const char* key) const { return accumulator_section + "." + key; }
  std::string buffer_key(const char* key) const { return accumulator_section + ".buffer." + key; }
};

void check_operands(const ProductSections& s, Problems& problems) {
  constexpr int kWidestOperand = 8;
  const auto activation = parse_int_format(s.operands.activation);
  const auto weight = parse_int_format(s.operands.weight);
  if (activation.has_value() != weight.has_value()) {
    problems.add(s.operand_key("weight"),
                 quoted(s.operands.weight) + " with activation " + quoted(s.operands.activation),
                 "integers on both sides or floats on both sides");
  }
  if (activation && activation->bits > kWidestOperand) {
    problems.add(s.operand_key("activation"), quoted(s.operands.activation), "int2 to int8, or a float format");
  }
  if (weight && weight->bits > kWidestOperand) {
    problems.add(s.operand_key("weight"), quoted(s.operands.weight), "int2 to int8, or a float format");
  }
  const double operand_max = s.operands.operand_max;
  if (operand_max > 0 && (s.operands.scale == "none" || activation || weight)) {
    problems.add(s.operand_key("operand_max"), std::to_string(operand_max) + " for operands without a float scale",
                 "0, or float operands and " + s.operand_key("scale") + " = \"dynamic\"");
    return;
  }
  for (const std::string& name : {s.operands.activation, s.operands.weight}) {
    const auto format = parse_float_format(name);
    if (!format || operand_max <= numerics::max_finite(*format)) continue;
    problems.add(s.operand_key("operand_max"), std::to_string(operand_max) + " for " + name,
                 "at most the format's largest finite value, " + std::to_string(numerics::max_finite(*format)));
  }
}

void check_integer_accumulator(const ProductSections& s, Problems& problems) {
  const auto activation = parse_int_format(s.operands.activation);
  const auto weight = parse_int_format(s.operands.weight);
  const auto accumulator = parse_int_format(s.accumulator.format);
  if (accumulator.has_value() != (activation.has_value() && weight.has_value())) {
    const std::string operands = quoted(s.operands.activation) + " and " + quoted(s.operands.weight);
    problems.add(s.accumulator_key("format"), quoted(s.accumulator.format) + " for operands " + operands,
                 accumulator ? "a float format, as the operands are not both integers"
                             : "int2 to int32, as the operands are integers");
    return;
  }
  if (!accumulator) return;
  const int product_bits = activation->bits + weight->bits;
  if (accumulator->bits < product_bits) {
    problems.add(s.accumulator_key("format"),
                 quoted(s.accumulator.format) + " for products of " + std::to_string(product_bits) + " bits",
                 "int" + std::to_string(product_bits) + " or wider, so that a single product fits");
  }
  if (s.accumulator.product != "exact") {
    problems.add(s.accumulator_key("product"), quoted(s.accumulator.product) + " with integer operands",
                 "\"exact\": integer products are not rounded");
  }
  if (s.accumulator.reduce != "sequential") {
    problems.add(s.accumulator_key("reduce"), quoted(s.accumulator.reduce) + " with an integer accumulator",
                 "\"sequential\": every product is added to the accumulator in turn");
  }
  if (s.accumulator.interleave != 1) {
    problems.add(s.accumulator_key("interleave"),
                 std::to_string(s.accumulator.interleave) + " with an integer accumulator", "1");
  }
}

void check_float_accumulator(const ProductSections& s, Problems& problems) {
  if (parse_int_format(s.accumulator.format)) return;
  check_overflow(s.accumulator_key("overflow"), s.accumulator.overflow, s.accumulator.format, problems);
  if (s.accumulator.product != "exact" && s.accumulator.product != s.accumulator.format) {
    check_overflow(s.accumulator_key("overflow"), s.accumulator.overflow, s.accumulator.product, problems);
  }
  if (s.accumulator.reduce == "tree" && s.array.dot_width == 1) {
    problems.add(s.accumulator_key("reduce"), "\"tree\" with array.dot_width = 1",
                 "array.dot_width of at least 2, or \"sequential\"");
  }
  if (s.array.sums_flow_down() && s.accumulator.interleave != 1) {
    problems.add(s.accumulator_key("interleave"),
                 std::to_string(s.accumulator.interleave) + " with array.dataflow = " + quoted(s.array.dataflow),
                 "1: a sum that flows down a column has one accumulator");
  }
  const bool chain = s.accumulator.reduce == "sequential" || s.accumulator.reduce == "fixed";
  if (chain && s.array.dot_width > 1 && s.accumulator.interleave != 1) {
    problems.add(s.accumulator_key("interleave"),
                 std::to_string(s.accumulator.interleave) + " with " + s.accumulator.reduce +
                     " reduction of array.dot_width = " + std::to_string(s.array.dot_width) + " products a step",
                 "1: the chain of adders has one accumulator; or reduce = \"tree\" or \"aligned\"");
  }
}

/// Keys of a kind of reduction that is not the chosen one.
void check_reduction_keys(const ProductSections& s, Problems& problems) {
  const AccumulatorConfig defaults;
  const AccumulatorConfig& a = s.accumulator;
  const auto only_with = [&](const char* kind, const char* key, const std::string& got, const std::string& expected) {
    if (a.reduce == kind || got == expected) return;
    problems.add(s.accumulator_key(key), got + " with reduce = " + quoted(a.reduce),
                 expected + ", the default, or reduce = " + quoted(kind));
  };
  const auto word = [](bool value) { return value ? "true" : "false"; };
  only_with("aligned", "extra_bits", std::to_string(a.extra_bits), std::to_string(defaults.extra_bits));
  only_with("aligned", "align_rounding", quoted(a.align_rounding), quoted(defaults.align_rounding));
  only_with("aligned", "align_accumulator", word(a.align_accumulator), word(defaults.align_accumulator));
  only_with("fixed", "fixed_format", quoted(a.fixed_format), quoted(defaults.fixed_format));
  only_with("fixed", "fixed_rounding", quoted(a.fixed_rounding), quoted(defaults.fixed_rounding));
  only_with("fixed", "fixed_overflow", quoted(a.fixed_overflow), quoted(defaults.fixed_overflow));
}

void check_buffer(const ProductSections& s, Problems& problems) {
  const BufferConfig& buffer = s.accumulator.buffer;
  const bool flows_down = s.array.sums_flow_down();
  if (!buffer.format.empty()) check_overflow(s.buffer_key("overflow"), buffer.overflow, buffer.format, problems);
  if (buffer.format.empty() && flows_down) {
    problems.add(s.buffer_key("format"), "none with array.dataflow = " + quoted(s.array.dataflow),
                 "a float format: the sum of each pass down a column is added to the buffer");
  } else if (buffer.format.empty() && buffer.promote_every > 0) {
    problems.add(s.buffer_key("promote_every"), std::to_string(buffer.promote_every) + " without a buffer",
                 "0, or a " + s.buffer_key("format"));
  }
  const std::int64_t turns = s.accumulator.interleave * (s.accumulator.reduce == "sequential" ? 1 : s.array.dot_width);
  if (!flows_down && s.accumulator.interleave > 1 && buffer.promote_every % turns != 0) {
    problems.add(s.buffer_key("promote_every"),
                 std::to_string(buffer.promote_every) + " with " + s.accumulator_key("interleave") + " = " +
                     std::to_string(s.accumulator.interleave),
                 "a multiple of " + std::to_string(turns) + ", so that every accumulator gets as many products");
  }
  const std::int64_t column = s.array.column_products();
  if (flows_down && buffer.promote_every > 0 && buffer.promote_every != column) {
    problems.add(s.buffer_key("promote_every"),
                 std::to_string(buffer.promote_every) + " with array.dataflow = " + quoted(s.array.dataflow),
                 "0 or array.rows * array.dot_width = " + std::to_string(column) + ", the products of one column");
  }
}

void check_array(const AcceleratorConfig& config, Problems& problems) {
  const ArrayConfig& array = config.array;
  if (!is_power_of_two(array.dot_width)) {
    problems.add("array.dot_width", std::to_string(array.dot_width), "a power of two");
  }
  const std::int64_t group = config.smooth.group;
  const std::int64_t chunk = std::min(array.column_products(), group);
  if (array.sums_flow_down() && group % chunk != 0) {
    problems.add("smooth.group",
                 std::to_string(group) + " with array.dataflow = " + quoted(array.dataflow) + " and columns of " +
                     std::to_string(chunk) + " products (array.rows * array.dot_width)",
                 "a multiple of them, so that one scale applies to each pass down a column");
  }
}

void check_activations(const AcceleratorConfig& config, Problems& problems) {
  const bool by_tensor = config.activations.scale == "tensor";
  if (by_tensor && config.activations.group != 0) {
    problems.add("array.activation_group",
                 std::to_string(config.activations.group) + " with array.activation_scale = \"tensor\"",
                 "0, or \"token\"");
  }
  const std::int64_t group = config.activations.group;
  const std::int64_t chunk = std::min(config.array.column_products(), group);
  if (config.array.sums_flow_down() && group > 0 && group % chunk != 0) {
    problems.add("array.activation_group",
                 std::to_string(group) + " with array.dataflow = " + quoted(config.array.dataflow) +
                     " and columns of " + std::to_string(chunk) + " products (array.rows * array.dot_width)",
                 "a multiple of them, so that one scale applies to each pass down a column");
  }
  if (parse_int_format(config.linear.activation)) return;
  const std::string with = " with array.activation = " + quoted(config.linear.activation);
  if (by_tensor) problems.add("array.activation_scale", "\"tensor\"" + with, "\"token\", or integer activations");
  if (config.activations.group != 0) {
    problems.add("array.activation_group", std::to_string(config.activations.group) + with,
                 "0, or integer activations");
  }
  if (config.activations.zero_point) {
    problems.add("array.activation_zero_point", "true" + with, "false, or integer activations");
  }
}

void check_norm(const NormConfig& norm, Problems& problems) {
  if (!is_power_of_two(norm.lanes)) problems.add("norm.lanes", std::to_string(norm.lanes), "a power of two");
  check_overflow("norm.accumulator.overflow", norm.accumulator.overflow, norm.accumulator.format, problems);
  if (norm.accumulator.rounding == "stochastic") {
    problems.add("norm.accumulator.rounding", "\"stochastic\"",
                 "a deterministic rounding: the norm unit has no random generator");
  }
}

void check_storage(const StorageConfig& storage, Problems& problems) {
  constexpr int kWidestCode = 8;
  const auto integer = parse_int_format(storage.kv_cache);
  if (integer && integer->bits > kWidestCode) {
    problems.add("storage.kv_cache", quoted(storage.kv_cache), "int2 to int8, or a float format");
  }
  if (storage.kv_cache_zero_point && !integer) {
    problems.add("storage.kv_cache_zero_point", "true with storage.kv_cache = " + quoted(storage.kv_cache),
                 "false, or an integer cache");
  }
}

}  // namespace

std::vector<ConfigProblem> AcceleratorConfig::cross_field_problems() const {
  Problems problems;
  check_array(*this, problems);
  for (const ProductSections& sections :
       {ProductSections{array, linear, accumulator, "array", "accumulator"},
        ProductSections{array, attention, attention_accumulator, "attention", "attention.accumulator"},
        ProductSections{array, head, head_accumulator, "head", "head.accumulator"}}) {
    check_operands(sections, problems);
    check_integer_accumulator(sections, problems);
    check_float_accumulator(sections, problems);
    check_reduction_keys(sections, problems);
    check_buffer(sections, problems);
  }
  check_activations(*this, problems);
  check_norm(norm, problems);
  check_storage(storage, problems);
  return problems.take();
}

}  // namespace guardbit::units
