#pragma once
/// Which instruction set the vector kernels run on. Results and events are the same on every one; tests and users who
/// want to see that choose here.
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::kernels {

/// Targets of this build that the CPU has, slowest first: of "scalar", "sse4", "avx2", "avx512", "avx512fp16".
std::vector<std::string> vector_targets();

/// Use at most that target from now on, in all threads; "best" lifts the limit. Internal error for a name that is not
/// in vector_targets(). Not to be called while kernels run.
void limit_vector_target(std::string_view name);

/// The target in use.
std::string vector_target();

/// True if the fp16 kernels may use AVX512-FP16 instructions.
bool has_native_fp16();

}  // namespace guardbit::kernels
