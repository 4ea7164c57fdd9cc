#pragma once
/// What an operation of any format costs, from the table entries of cost_config.h. Entries are published figures; what
/// follows from them for other widths is a model, not a measurement:
///
///   multiply   the array of partial products: entry * bits_a * bits_b / (entry's bits)^2; integers of up to 8 bits
///   from
///              int8, wider from int32; floats (bits: of the significand) of up to 16 from fp16 (11), wider from fp32
///              (24)
///   add        entry * bits / entry's bits, from the same entries
///   divide     divide_multiply_adds * (multiply + add)
///   SRAM byte  entry * sqrt(bank bytes / 8192): Horowitz' 10, 20, 100 pJ at 8 KiB, 32 KiB, 1 MiB follow this within 15
///   %
///
/// Fixed-point numbers q<I>.<F> count as integers of I + F bits. An integer times a float counts as floats of the
/// integer's width. Test: tests/unit/cost_model_test.cpp.
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/units/cost_config.h"

namespace guardbit::units {

enum class Operation : std::uint8_t { kMultiply, kAdd, kDivide, kScratchpadByte, kAccumulatorByte, kDramByte };
inline constexpr std::array<std::string_view, 6> kOperationNames = {
    "multiply", "add", "divide", "scratchpad_byte", "accumulator_byte", "dram_byte"};

/// An operation and the formats of its operands: registered floats, eXmY, intN or qI.F; `b` of a product's second
/// operand (empty: as the first), none for bytes.
struct OperationKey {
  Operation operation = Operation::kMultiply;
  std::string a;
  std::string b;
  friend auto operator<=>(const OperationKey&, const OperationKey&) = default;
};

/// Cost of arithmetic by either table.
template <class Table>
double arithmetic_cost(const Table& table, const OperationKey& key);
extern template double arithmetic_cost(const EnergyConfig&, const OperationKey&);
extern template double arithmetic_cost(const AreaConfig&, const OperationKey&);

/// pJ of a byte of a memory of `bytes` in `banks` banks.
double sram_byte_energy(const EnergyConfig& energy, std::int64_t bytes, std::int64_t banks);

}  // namespace guardbit::units
