#pragma once
/// The writers behind report_registry.cpp. Pure functions of the result: no clock, no locale, no terminal.
#include <string>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// Text of at most about 100 columns that explains itself (reports/table.cpp).
[[nodiscard]] std::string write_table(const ReplayResult& result);

/// One object, indented by two. Keys and their order are fixed, counters are exact integers, reals have six significant
/// digits (libm differs between hosts). JSON has no NaN or infinity, they are null: a perplexity is null if the logits
/// were not all finite, a sqnr_db if simulated and reference outputs are equal (+infinity) or one of them is not
/// finite.
///
///     {"schema": "guardbit-replay/1", "provenance": {...},
///      "trace": {"name", "windows", "tokens", "mode", "residual_gain", "channel_gain", "channels",
///                "context", "stride", "scored_tokens"},
///      "accelerator": {"name", "clock_mhz", "area_um2": {part: um2}, "keys": {...}}, "reference": {"perplexity"},
///      "variants": [{"name", "perplexity", "sqnr_db", "top1_agreement", "events": {ten totals}, "cycles", "macs",
///                    "utilization", "digest",
///                    "units": {unit: {"busy", "input_stall", "output_stall", "token_wait", "idle"}},
///                    "overheads": {overhead: {"cycles", "against_none" (if there is a variant none)}},
///                    "purposes": {purpose: {unit: busy cycles, if not 0}},
///                    "stalls": [{"unit", "state", "op", "cause", "producer", "producer_op", "what" (the last three for
///                                cause token), "cycles"}],
///                    "memory": {"scratchpad_peak_bytes", "accumulator_peak_bytes"},
///                    "energy": {"total_pj", "units": {unit: pJ}, "operations": [{"operation", "format",
///                               "second_format" (if it is another), "count", "pj_each", "pj"}]},
///                    "ops": [{"name", "kind", "events": {ten totals}, "stages": {stage: {event: count, if not 0}},
///                             "start", "end", "cycles", "units": {unit: busy cycles}, "macs", "dram_bytes",
///                             "energy_pj": {unit: pJ}, "tile": null or {"rows", "cols", "scratchpad_bytes",
///                             "accumulator_bytes", "weight_passes", "double_buffered"}, "sqnr_db", "max_abs",
///                             "reference_max_abs", "output_sha256", "norm_scale" (if one is applied), "layer",
///                             and where the op has them "exponent_histogram", "quantizers", "norm", "outliers",
///                             "group_scales"}],
///                    "phases" (if tokens were decoded), "layers" (with values)}]}
///
/// docs/result.md describes every key.
///
/// A unit's stalls sum to its three stall counters, the units of all purposes to its busy cycles. In mode no_values
/// events, stages, errors and digests are null.
[[nodiscard]] std::string write_json(const ReplayResult& result);

/// The variants of write_json, one per line, each with "schema": "guardbit-replay-variant/1", "trace", "accelerator"
/// (their names), "mode", "residual_gain", "channel_gain", "channels", "context", "stride", "scored_tokens" and
/// "reference_perplexity" before the variant's own keys.
[[nodiscard]] std::string write_jsonl(const ReplayResult& result);

/// RFC 4180 with LF line ends and the header
///     trace,accelerator,variant,op,kind,stage,overflow,underflow,saturated,invalid,flushed,swamped,inexact,clipped,
///     zeroed,wrapped
/// Stages without any event have no line.
[[nodiscard]] std::string write_csv(const ReplayResult& result);

/// RFC 4180, one line per variant and op:
///     trace,accelerator,variant,op,kind,start,end,cycles,<unit>_cycles (six),macs,dram_bytes,energy_pj,block_rows,
///     block_cols,block_bytes,weight_passes
/// start and end are those of the first window, the rest of all; no block: zeros.
[[nodiscard]] std::string write_ops_csv(const ReplayResult& result);

/// RFC 4180, one line per variant and op of a replay with values: the figures of docs/result.md that are not lists. A
/// field is empty where an op has no such figure or the figure is not finite.
[[nodiscard]] std::string write_values_csv(const ReplayResult& result);

/// Text: every op with its cycles, bytes, energy and block; every stall; operations and what each costs; area; by
/// variant its layers, norms, quantizers, outliers and group scales.
[[nodiscard]] std::string write_details(const ReplayResult& result);

}  // namespace guardbit::sim
