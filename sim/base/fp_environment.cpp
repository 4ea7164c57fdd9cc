#include "sim/base/fp_environment.h"

#include <cfenv>
#include <cstring>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace guardbit::sim {

FpEnvironment::FpEnvironment() {
  static_assert(sizeof(std::fenv_t) <= sizeof(saved_.bytes));
  std::fenv_t environment;
  std::fegetenv(&environment);
  std::memcpy(saved_.bytes, &environment, sizeof environment);
  std::fesetenv(FE_DFL_ENV);
#if defined(__SSE2__)
  // FE_DFL_ENV need not clear flush-to-zero (bit 15) and denormals-are-zero (bit 6).
  constexpr unsigned kPowerUpMxcsr = 0x1F80;
  _mm_setcsr(kPowerUpMxcsr);
#endif
}

FpEnvironment::~FpEnvironment() {
  std::fenv_t environment;
  std::memcpy(&environment, saved_.bytes, sizeof environment);
  std::fesetenv(&environment);
}

bool has_default_fp_environment() {
  volatile float one = 1.0f;
  volatile float tiny = 0x1p-24f;       // half an ulp of 1: a tie, to even
  volatile float smallest = 0x1p-126f;  // smallest normal
  volatile float half = 0.5f;
  volatile float up = one + tiny;
  volatile float down = -one - tiny;
  volatile float subnormal = smallest * half;
  volatile float doubled = subnormal * 2.0f;
  return up == 1.0f && down == -1.0f && one - tiny * half == 1.0f && subnormal != 0.0f && doubled == smallest;
}

}  // namespace guardbit::sim
