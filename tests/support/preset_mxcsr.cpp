// A library that sets the processor's floating-point state before main, as one that is linked with -ffast-math does:
// to be preloaded. GUARDBIT_TEST_MXCSR is the state in hexadecimal digits.
#include <cstdlib>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

__attribute__((constructor)) static void preset_mxcsr() {
#if defined(__x86_64__)
  const char* state = std::getenv("GUARDBIT_TEST_MXCSR");
  if (state != nullptr) _mm_setcsr(static_cast<unsigned>(std::strtoul(state, nullptr, 16)));
#endif
}
