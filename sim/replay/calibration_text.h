#pragma once
/// The text on which a replay's methods look at activations: which windows, from where, under which hash.
#include <filesystem>
#include <map>
#include <string>

#include "models/calibration/calibration_data.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

struct CalibrationText {
  std::string name;    ///< for the provenance: "kjv-gpt2/calibration.json"
  std::string sha256;  ///< of that file; of trace.json for the windows of another trace
  std::string origin;  ///< of that other trace; empty otherwise
  calibration::CalibrationData data;
};

/// Windows for the methods that need them.
///   given = ""           the trace's own calibration windows
///   a directory          the windows of another trace of the same model
///   .npy or JSON file    token ids, as `guardbit capture --tokens` takes them
/// `max_windows`: the first ones only; 0: all.
/// UserError kUsage if there are none or the other trace is of another model; kMalformedInput, kMissingInput as the
/// readers; kMalformedInput if a window is one of the trace's own.
[[nodiscard]] CalibrationText load_calibration_text(const Trace& trace, const std::filesystem::path& given,
                                                    std::size_t max_windows);

/// Entries "calibration", "calibration_sha256", "calibration_windows" and "calibration_tokens"; "calibration_origin" if
/// there is one.
void add_provenance(const CalibrationText& text, std::map<std::string, std::string>& entries);

}  // namespace guardbit::sim
