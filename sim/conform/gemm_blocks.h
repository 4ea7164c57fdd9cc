#pragma once
/// Blocks of whole products (gemm_8x8x64): operands, then what each of ten accumulators makes of them. Every
/// accumulator is checked twice, by the reference (models/arith) and by the fast kernels (models/kernels).
///
///   case <title> src=<fp8> M=<rows> N=<columns> K=<depth> ...
///   A<i> <K codes>          i = 0 .. M-1
///   B<k> <N codes>          k = 0 .. K-1
///   <accumulator> of=<n> uf=<n> nx=<n> <M words of N codes>       of=- where the producer has no flags
///   end
#include "models/arith/accumulation_spec.h"
#include "models/numerics/matrix.h"
#include "sim/conform/vector_reader.h"
#include "sim/stats/conform_result.h"

namespace guardbit::sim {

inline constexpr std::uint64_t kMaxBlockSize = 512;  ///< of M, N and K

/// Reads lines one by one and checks accumulator lines as they come.
class GemmBlockChecker {
 public:
  explicit GemmBlockChecker(ConformFileResult& result) : result_(result) {}
  /// UserError kMalformedInput for a line that does not belong here.
  void check(const VectorLine& line);
  /// The file must not end inside a block.
  void finish(const std::filesystem::path& file) const;

 private:
  void start_block(const VectorLine& line);
  void read_operand_row(const VectorLine& line);
  void check_accumulator(const VectorLine& line);

  ConformFileResult& result_;
  bool in_block_ = false;
  std::string title_;
  numerics::FloatFormat operands_;
  numerics::Matrix<float> a_;      // (M, K), carriers
  numerics::Matrix<float> b_;      // (K, N), carriers
  std::size_t num_rows_read_ = 0;  ///< of A, then of B
};

/// What the name of an accumulator line means for `depth` products; nothing if it is not one of them.
[[nodiscard]] std::optional<arith::AccumulationSpec> block_accumulator(std::string_view name, std::size_t depth);

}  // namespace guardbit::sim
