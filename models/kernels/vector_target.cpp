#include "models/kernels/vector_target.h"

#include <array>
#include <atomic>
#include <cstdint>

#include "hwy/highway.h"
#include "models/kernels/native_fp16.h"
#include "models/numerics/check.h"

#if defined(GUARDBIT_NATIVE_FP16)
#include <cpuid.h>
#endif

namespace guardbit::kernels {
namespace {

struct Target {
  std::string_view name;
  std::int64_t highway_target;  ///< the Highway target that the generic kernels use
  bool native_fp16;
};

// Ordered: every row has the instructions of those before it.
constexpr std::array kTargets = {
    Target{"scalar", HWY_SCALAR, false}, Target{"sse4", HWY_SSE4, false},      Target{"avx2", HWY_AVX2, false},
    Target{"avx512", HWY_AVX3, false},   Target{"avx512fp16", HWY_AVX3, true},
};

std::atomic<bool> native_fp16_allowed{true};

bool detect_native_fp16() {
#if defined(GUARDBIT_NATIVE_FP16)
  constexpr unsigned kExtendedFeatures = 7;
  constexpr unsigned kAvx512Fp16Bit = 1u << 23;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(kExtendedFeatures, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAvx512Fp16Bit) != 0;
#else
  return false;
#endif
}

/// Asked once: the instruction traps on virtual machines, and every product of a few rows wants to know.
bool cpu_has_native_fp16() {
  static const bool has = detect_native_fp16();
  return has;
}

/// Targets that this build has code for and this CPU can run, whatever limit is set.
std::vector<Target> usable_targets(std::int64_t supported) {
  std::vector<Target> usable;
  for (const Target& target : kTargets) {
    if ((supported & HWY_TARGETS & target.highway_target) == 0) continue;
    if (target.native_fp16 && !cpu_has_native_fp16()) continue;
    usable.push_back(target);
  }
  return usable;
}

/// What the CPU supports, asked before any limit is set.
std::int64_t cpu_targets() {
  static const std::int64_t targets = hwy::SupportedTargets() | HWY_SCALAR;
  return targets;
}

}  // namespace

std::vector<std::string> vector_targets() {
  std::vector<std::string> names;
  for (const Target& target : usable_targets(cpu_targets())) names.emplace_back(target.name);
  return names;
}

void limit_vector_target(std::string_view name) {
  std::int64_t allowed = 0;
  for (const Target& target : usable_targets(cpu_targets())) {
    allowed |= target.highway_target;
    native_fp16_allowed = target.native_fp16;
    if (target.name == name) {
      hwy::SetSupportedTargetsForTest(allowed);
      return;
    }
  }
  GUARDBIT_CHECK(name == "best", "vector target " + std::string(name) + " is not available");
  hwy::SetSupportedTargetsForTest(0);
}

std::string vector_target() {
  const std::vector<Target> usable = usable_targets(hwy::SupportedTargets() | HWY_SCALAR);
  for (auto target = usable.rbegin(); target != usable.rend(); ++target) {
    if (!target->native_fp16 || native_fp16_allowed) return std::string(target->name);
  }
  fail_check(__FILE__, __LINE__, "a target is usable", "the scalar target is always there");
}

bool has_native_fp16() {
  const Target& widest = kTargets.back();
  return native_fp16_allowed && cpu_has_native_fp16() &&
         (hwy::SupportedTargets() & HWY_TARGETS & widest.highway_target) != 0;
}

}  // namespace guardbit::kernels
