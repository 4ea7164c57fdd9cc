#pragma once
/// Arguments of methods, as in "gptq(group=128,act_order)": what a method takes is a table, what a variant gives is
/// checked against it.
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::calibration {

enum class ParameterKind { kInteger, kNumber, kFlag };

/// The default of a parameter that has none of its own: where it is not given, something else decides (its help says
/// what).
inline constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();

/// One argument that a method takes. Flags are 0 or 1 and written as `name`, `name=true` or `name=false`.
struct Parameter {
  std::string_view name;
  ParameterKind kind = ParameterKind::kNumber;
  double default_value = 0;
  double least = 0;
  double largest = 1;
  std::string_view help;  ///< one line
};

/// Values of all of a method's parameters. Asking for a name that the table does not have, or for another kind, is an
/// internal error.
class MethodArguments {
 public:
  /// Defaults of every parameter; `parameters` must outlive this object.
  explicit MethodArguments(std::span<const Parameter> parameters = {});

  int integer(std::string_view name) const;
  double number(std::string_view name) const;
  bool flag(std::string_view name) const;
  /// Whether it was written and has a value, for parameters with the default kNotGiven.
  bool given(std::string_view name) const;

  /// "(group=128,act_order)" in the order of the table, without what equals its default; "" if nothing is left.
  std::string canonical_text() const;

  /// Takes one argument "name" or "name=value". Throws std::invalid_argument for an unknown name (with the known ones
  /// and the nearest), one that was given before, and a value of another kind or out of range.
  /// Test: tests/unit/variant_test.cpp.
  void parse(std::string_view argument);

 private:
  std::size_t index_of(std::string_view name) const;
  double value(std::string_view name, ParameterKind kind) const;

  std::span<const Parameter> parameters_;
  std::vector<double> values_;
  std::vector<bool> given_;
};

/// "integer 1..256", "number 0..1", "flag".
std::string range_text(const Parameter& parameter);
/// A value as an argument is written: "128", "0.5", "true"; "none" for kNotGiven.
std::string value_text(const Parameter& parameter, double value);

}  // namespace guardbit::calibration
