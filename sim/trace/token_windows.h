#pragma once
/// Windows of token ids: from files that hold ids, and from one long sequence that is cut into windows.
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// Windows of a JSON file: {"windows": [...]} or {"documents": [...]}, each window an array of ids or an object with
/// such an array as "tokens". Other keys are ignored here and only here: reference outputs often lie beside the ids.
/// Every window has window_limits() ids below the vocabulary size.
[[nodiscard]] std::vector<Trace::Window> read_windows(const std::filesystem::path& tokens_file,
                                                      const transformer::ModelShape& shape);

/// A file that read_windows() reads: the ids of the windows, one window a line.
[[nodiscard]] std::string windows_json(const std::vector<Trace::Window>& windows);

/// UserError kMalformedInput, with `place` and the windows' indices, if a window of one text is one of the other: what
/// is calibrated on the text that it is judged by looks better than it is.
void require_other_windows(const std::vector<Trace::Window>& calibration, const std::vector<Trace::Window>& evaluation,
                           const std::string& place);

/// How a sequence is cut. 0: the default.
struct Cutting {
  std::size_t context = 0;  ///< inputs of a window; default: the model's context, at most 2048
  std::size_t stride = 0;   ///< from window to window, at most `context`; default: context (no overlap)
};

/// `cutting` with its defaults for a model of this shape. UserError kUsage for a context beyond the model's and a
/// stride beyond the context.
[[nodiscard]] Cutting resolved(const Cutting& cutting, const transformer::ModelShape& shape);

/// Ids of an integer .npy file: (windows, ids) are windows as they are, (ids) one sequence that is cut.
/// UserError kMalformedInput naming file and element for other element types or ranks, ids outside the vocabulary and
/// rows that are no windows; kUsage for a cutting that windows of a 2-D file do not have.
[[nodiscard]] std::vector<Trace::Window> read_npy_windows(const std::filesystem::path& tokens_file,
                                                          const transformer::ModelShape& shape, const Cutting& cutting);

/// Cuts a sequence of at least window_limits().least ids (UserError kMalformedInput naming `source` otherwise). A
/// decoder's windows predict every token but the first exactly once: a window's targets that the one before has
/// predicted are unscored. The last window may be shorter. UserError kUsage as resolved().
[[nodiscard]] std::vector<Trace::Window> cut_windows(const std::vector<int>& ids, const transformer::ModelShape& shape,
                                                     const Cutting& cutting, const std::filesystem::path& source);

}  // namespace guardbit::sim
