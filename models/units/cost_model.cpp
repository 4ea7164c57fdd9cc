#include "models/units/cost_model.h"

#include <algorithm>
#include <cmath>

#include "models/numerics/check.h"
#include "models/numerics/fixed_format.h"

namespace guardbit::units {
namespace {

/// What of a format decides its cost.
struct Width {
  bool integer = false;
  bool wide = false;  ///< beyond the smaller entry of its kind: more than 8 bits, or more than 16 of a float
  double bits = 0;    ///< of an integer, or of a float's significand with its leading bit
};

Width width_of(std::string_view name) {
  constexpr int kNarrowInteger = 8;
  constexpr int kNarrowFloat = 16;
  if (const auto integer = numerics::parse_int_format(name)) {
    return {true, integer->bits > kNarrowInteger, static_cast<double>(integer->bits)};
  }
  if (const auto fixed = numerics::parse_fixed_format(name)) {
    return {true, fixed->bits() > kNarrowInteger, static_cast<double>(fixed->bits())};
  }
  const auto format = numerics::parse_float_format(name);
  GUARDBIT_CHECK(format.has_value(), "unknown format " + std::string(name));
  return {false, format->storage_bits() > kNarrowFloat, static_cast<double>(format->precision_bits())};
}

/// An entry of a table and the bits it is for.
struct Entry {
  double cost;
  double bits;
};

template <class Table>
Entry adder(const Table& table, const Width& width) {
  if (width.integer) return width.wide ? Entry{table.int32_add, 32} : Entry{table.int8_add, 8};
  return width.wide ? Entry{table.fp32_add, 24} : Entry{table.fp16_add, 11};
}

template <class Table>
Entry multiplier(const Table& table, const Width& a, const Width& b) {
  const bool wide = a.wide || b.wide;
  if (a.integer && b.integer) return wide ? Entry{table.int32_multiply, 32} : Entry{table.int8_multiply, 8};
  return wide ? Entry{table.fp32_multiply, 24} : Entry{table.fp16_multiply, 11};
}

}  // namespace

template <class Table>
double arithmetic_cost(const Table& table, const OperationKey& key) {
  const Width a = width_of(key.a);
  const Width b = key.b.empty() ? a : width_of(key.b);
  const Entry add = adder(table, a);
  const Entry multiply = multiplier(table, a, b);
  const double sum = add.cost * a.bits / add.bits;
  const double product = multiply.cost * a.bits * b.bits / (multiply.bits * multiply.bits);
  switch (key.operation) {
    case Operation::kMultiply: return product;
    case Operation::kAdd: return sum;
    case Operation::kDivide: return table.divide_multiply_adds * (product + sum);
    case Operation::kScratchpadByte:
    case Operation::kAccumulatorByte:
    case Operation::kDramByte: break;
  }
  fail_check(__FILE__, __LINE__, "arithmetic", "a byte has no format");
}

template double arithmetic_cost(const EnergyConfig&, const OperationKey&);
template double arithmetic_cost(const AreaConfig&, const OperationKey&);

double sram_byte_energy(const EnergyConfig& energy, std::int64_t bytes, std::int64_t banks) {
  constexpr double kEntryBytes = 8192;
  return energy.sram_8kib_byte * std::sqrt(static_cast<double>(bytes) / static_cast<double>(banks) / kEntryBytes);
}

}  // namespace guardbit::units
