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

/// True for 2^n and for m * 2^n, where m is 4 times an odd number and one of these constructions gives H_m:
///   Paley I                  m - 1 is a prime (then it is 3 mod 4): 12, 20, 44, 60, 68, 84, 108, 132, 140, 164, ...
///   Paley II                 m/2 - 1 is a prime, 1 mod 4: 28, 36, 76, 124, 148, ...
///   Williamson               four symmetric circulants of order m / 4 on file: 52, 172
///   Baumert and Hall (1965)  the array of order 12 on Williamson's circulants of order 13: 156
/// The first that applies is taken.
bool hadamard_supported(int size);

/// Internal error unless hadamard_supported(size).
HadamardFactors hadamard_factors(int size);

/// H (size, size) with entries +1 and -1 and H H^T = size * I; not symmetric in general.
/// H = H_m (x) Sylvester(2^n): H[a * 2^n + b][c * 2^n + d] = H_m[a][c] * (-1)^popcount(b & d).
/// Internal error unless hadamard_supported(size). Test: tests/unit/hadamard_matrix_unit_test.cpp.
numerics::Matrix<float> hadamard_matrix(int size);

}  // namespace guardbit::units
