#pragma once
/// The floating-point environment that every kernel's proof assumes: round to nearest, subnormals kept (FTZ and DAZ
/// off), exceptions masked. A library built with -ffast-math, or a caller, may have set it otherwise.
#include <cfenv>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace guardbit::kernels {

/// Sets the environment of the calling thread for its lifetime and restores the former one.
/// Every worker body of a kernel begins with one: threads do not inherit it.
/// Test: tests/differential/float_gemm_test.cpp.
class FloatEnvironment {
 public:
  FloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetround(FE_TONEAREST);
#if defined(__SSE__)
    constexpr unsigned kMaskedNearestNoFlush = 0x1F80;  // MXCSR after reset
    _mm_setcsr(kMaskedNearestNoFlush);
#endif
  }
  ~FloatEnvironment() { std::fesetenv(&saved_); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  std::fenv_t saved_;  ///< includes MXCSR
};

}  // namespace guardbit::kernels
