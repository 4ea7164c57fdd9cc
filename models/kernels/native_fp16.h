#pragma once
/// GUARDBIT_NATIVE_FP16 is defined where this build has the AVX512-FP16 kernels. Clang 14 declares their intrinsics
/// only in files that are compiled for that target as a whole.
#if defined(__x86_64__) && !defined(__clang__)
#define GUARDBIT_NATIVE_FP16
#endif
