#pragma once
/// The results of `guardbit gemm` and `guardbit quantize` as text.
#include <string>

#include "sim/stats/probe_result.h"

namespace guardbit::sim {

[[nodiscard]] std::string gemm_table(const GemmResult& result);
/// {"schema": "guardbit-gemm/1", "provenance", "gemm": {"m", "n", "k", "a", "b"}, "accelerator": {"name", "preset",
/// "keys"}, "result": null or {"digest", "format", "events": {stage: {event: count}}, "error": null or {"against",
/// "compared", "left_out", "exact", "max_abs", "rms", "max_relative", "relative_rms"}, "exponent_histogram":
/// {"exponents": {e: count}, "zeros", "infinities", "nans"}, "headroom_bits", "footroom_bits", "equals_reference"},
/// "timing": {"fidelity", "policy", "edge", "dataflow", "memory": "unlimited", "folds", "cycles_per_fold", "cycles",
/// "pe_cycles", "total_cycles", "utilisation": {"macs", "mac_slots_per_cycle", "mapped", "mapping_slots", "of_cycles",
/// "of_total_cycles", "mapping", "denominators": {utilisation: how it is formed}}, "pe_updates" (fidelity pe)}}.
/// Events: stages with any count; every event that was counted, zero or not.
[[nodiscard]] std::string gemm_json(const GemmResult& result);

/// {stage: {event: count}} of any unit, as "events" in gemm_json().
[[nodiscard]] std::string ledger_json(const numerics::EventLedger& ledger);

[[nodiscard]] std::string quantize_table(const QuantizeResult& result);
/// {"schema": "guardbit-quantize/1", "provenance", "input", "output", "format", "rounding", "overflow", "subnormals",
/// "scale", "least_exponent", "largest_exponent", "tensors": [{"name", "shape", "events": {event: count}, "error",
/// "scales": {"count", "min", "max"}, "below_range", "above_range", "inputs": histogram, "outputs": histogram}]}
[[nodiscard]] std::string quantize_json(const QuantizeResult& result);

}  // namespace guardbit::sim
