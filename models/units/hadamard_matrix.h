#pragma once
/// Hadamard matrices of the orders that transformer widths need. Offline rotations (models/calibration) and the rotate
/// unit take the same matrix from here.
#include "models/numerics/matrix.h"

namespace guardbit::units {

/// size = factor * 2^butterfly_stages: factor is 1 or 4 times an odd number.
struct HadamardFactors {
  int factor = 1;
  int butterfly_stages = 0;
};

/// True for 2^n, and for m * 2^n with m in 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 108, 124, 140, 148, 156, 172, 180.
bool hadamard_supported(int size);

/// Internal error unless hadamard_supported(size).
HadamardFactors hadamard_factors(int size);

/// H (size, size) with entries +1 and -1 and H H^T = size * I; not symmetric in general.
/// H = H_m (x) Sylvester(2^n): H[a * 2^n + b][c * 2^n + d] = H_m[a][c] * (-1)^popcount(b & d). H_m comes from
///   Paley's first construction where m - 1 is a prime (3 mod 4), his second where m/2 - 1 is a prime (1 mod 4),
///   else Williamson's array of four symmetric circulants (52, 172), or the Baumert-Hall array (156).
/// Test: tests/unit/hadamard_matrix_test.cpp.
numerics::Matrix<float> hadamard_matrix(int size);

}  // namespace guardbit::units
