// FP8 operands, fp16 accumulator: the sum of 4096 squares of 4 stalls at 32768, and every lost addend is counted.
#include <cstdio>

#include "models/kernels/gemm.h"
#include "models/units/arithmetic.h"

int main() {
  namespace gb = guardbit;
  const gb::numerics::Matrix<float> a(1, 4096, 4.0F), b(4096, 1, 4.0F);
  gb::numerics::Matrix<float> c(1, 1);
  gb::arith::AccumulationSpec spec;
  spec.inner = gb::units::conversion_spec("fp16");
  const auto e4m3 = *gb::numerics::parse_float_format("fp8_e4m3");
  gb::arith::AccumulationEvents events;
  gb::kernels::gemm(a.view(), b.view(), {e4m3, e4m3}, spec, {}, {}, c.view(), events);
  std::printf("%g, %llu swamped\n", c(0, 0),
              static_cast<unsigned long long>(events.inner[gb::numerics::Event::kSwamped]));
}
