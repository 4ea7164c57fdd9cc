// Vector files: the name tells the layout, so every input is read in every layout.
#include <array>
#include <filesystem>

#include "sim/base/error.h"
#include "sim/conform/conform.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

void fuzz_conform(std::string_view bytes) {
  static const TemporaryDirectory directory;
  for (const char* name : {"f16_add_RNE", "f16_mulAdd_RTZ", "f32_to_bf16_RUP", "fp8_e4m3_add_rne", "fp8_e5m2_fma",
                           "fp8_e4m3_from_fp32", "fp8_e4m3_from_fp32_sr", "fp8_e5m2_decode", "mixfma_e4m3_fp16_rne",
                           "trap_e4m3_products_acc_e5m2", "gemm_small"}) {
    const std::array files = {directory.write(name, bytes)};
    try {
      (void)sim::conform(files, {});
    } catch (const sim::UserError& error) {
      if (error.code() != sim::ExitCode::kMalformedInput) throw;  // kUsage: a name above that means nothing
    }
    std::filesystem::remove(files[0]);
  }
}

}  // namespace guardbit::tests
