#pragma once
/// Under the address sanitizer SystemC 2.3.4 announces every switch to a process's stack, but leaves the bounds of the
/// main stack wrong when sc_start() returns; the next exception there would be reported as a stack overflow
/// (google/sanitizers issue 189), and the leak check would crash. In other builds nothing happens here.
#ifdef __SANITIZE_ADDRESS__
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace guardbit::sim {

/// Call on the main stack after every sc_start().
inline void restore_sanitizer_stack_bounds() {
#ifdef __SANITIZE_ADDRESS__
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  std::size_t size_bytes = 0;
  pthread_attr_getstack(&attributes, &lowest, &size_bytes);
  pthread_attr_destroy(&attributes);
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, lowest, size_bytes);
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

}  // namespace guardbit::sim
