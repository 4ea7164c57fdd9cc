#pragma once
/// The floating-point state that every result is computed in, whatever a host program or a library linked with
/// -ffast-math has set before: round to nearest even, subnormals kept, no traps.

namespace guardbit::sim {

/// Sets the default state on this thread for its lifetime and restores the previous one.
class FpEnvironment {
 public:
  FpEnvironment();
  ~FpEnvironment();
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;

 private:
  struct alignas(16) Saved {
    unsigned char bytes[64];
  } saved_;
};

/// Whether this thread rounds to nearest and keeps subnormals, by computing.
[[nodiscard]] bool has_default_fp_environment();

}  // namespace guardbit::sim
