#pragma once
/// From the outputs of an op, window by window, to what a golden keeps of them.
#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "sim/base/sha256.h"
#include "sim/regress/golden.h"

namespace guardbit::sim {

class TensorRecorder {
 public:
  explicit TensorRecorder(const GoldenLimits& limits) : limits_(limits) {}

  /// `format`: in which the values are stored. Values that it does not have (an integer KV cache's, an integer
  /// accumulator's) make the codes binary32 for all windows.
  void add_window(const numerics::FloatFormat& format, const numerics::Matrix<float>& values);
  /// Ends the recording.
  [[nodiscard]] TensorGolden finish();

 private:
  void add_digests(const numerics::Matrix<float>& values);
  bool fits(std::size_t num_cols) const;  ///< another row
  void add_codes(const numerics::Matrix<float>& values);
  void widen_to_fp32();

  GoldenLimits limits_;
  TensorGolden golden_;
  numerics::FloatFormat format_;
  std::uint64_t num_kept_rows_ = 0;
  bool is_full_ = false;  ///< a row did not fit: none behind it is kept
  Sha256 all_;
};

/// Bytes that a code of the format takes: 1, 2, 3 or 4.
[[nodiscard]] int code_bytes_of(const numerics::FloatFormat& format);

}  // namespace guardbit::sim
