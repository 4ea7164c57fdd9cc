#pragma once
/// What a regression case must give, in plain data: digests, events and cycles of every op, and enough of its outputs'
/// bits to name the first element that differs. golden_file.h stores it, tensor_recorder.h and run_case.h fill it,
/// golden_compare.h compares two of them.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace guardbit::sim {

/// How much of an op's outputs is kept.
struct GoldenLimits {
  std::uint64_t rows_per_digest = 1;              ///< rows of a window that share a digest of 8 bytes; 1..2^20
  std::uint64_t kept_rows_per_op = 1ull << 20u;   ///< whose codes are kept, from the first window's first; 0..2^20
  std::uint64_t kept_bytes_per_op = 1ull << 16u;  ///< of these codes before compression, in whole rows; 0..2^26
  friend bool operator==(const GoldenLimits&, const GoldenLimits&) = default;
};
inline constexpr std::uint64_t kMaxRowsPerDigest = 1ull << 20u;
inline constexpr std::uint64_t kMaxKeptRowsPerOp = 1ull << 20u;
inline constexpr std::uint64_t kMaxKeptBytesPerOp = 1ull << 26u;

struct WindowShape {
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  friend bool operator==(const WindowShape&, const WindowShape&) = default;
};

/// An op's outputs in all windows, row major, one window after the other.
struct TensorGolden {
  std::string sha256;  ///< of the carriers (binary32, little endian)
  std::string format;  ///< of `codes`
  std::vector<WindowShape> windows;
  /// For each window ceil(rows / rows_per_digest) times the first 8 bytes of the SHA-256 over those rows' carriers.
  std::string row_digests;
  std::vector<std::uint32_t> codes;  ///< of the first elements: whole rows, as the limits say

  friend bool operator==(const TensorGolden&, const TensorGolden&) = default;
};
inline constexpr std::size_t kRowDigestBytes = 8;

struct OpGolden {
  std::string name;
  std::string kind;
  TensorGolden output;
  std::map<std::string, std::uint64_t> events;  ///< "stage.event", without zeros
  std::map<std::string, std::uint64_t> cycles;  ///< busy cycles by unit, without zeros
  friend bool operator==(const OpGolden&, const OpGolden&) = default;
};

struct VariantGolden {
  std::string name;
  std::string digest;                           ///< VariantResult::digest; a product: of C
  std::string perplexity;                       ///< six digits, for people: never compared; "" if there is none
  std::map<std::string, std::uint64_t> cycles;  ///< "total", "matrix.busy", ...
  std::vector<OpGolden> ops;
  friend bool operator==(const VariantGolden&, const VariantGolden&) = default;
};

struct CaseGolden {
  std::string name;
  GoldenLimits limits;
  /// What the results depend on: hashes of files, options, and the accelerator's keys that differ from their defaults.
  std::map<std::string, std::string> inputs;
  std::vector<VariantGolden> variants;
  friend bool operator==(const CaseGolden&, const CaseGolden&) = default;
};

}  // namespace guardbit::sim
