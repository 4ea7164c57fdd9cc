#include "models/units/hadamard_matrix.h"

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

namespace guardbit::units {
namespace {

using numerics::Matrix;

/// First halves (index 0 .. order / 2, the rest by symmetry) of four symmetric +-1 sequences whose periodic
/// autocorrelations add up to 0 at every shift but 0. The ones of order 43 do not change when the index is multiplied
/// by 6 (mod 43), which leaves 7 free signs each: Williamson (1944) found his by the same symmetry.
struct WilliamsonSequences {
  int order;
  std::array<std::string_view, 4> halves;
};
constexpr WilliamsonSequences kWilliamson13 = {13, {"+--++++", "+++-+-+", "+-++--+", "+-+++--"}};
constexpr WilliamsonSequences kWilliamson43 = {
    43, {"+---++--++++-+-+++-++-", "++---++++-+--+--++----", "+++-+-++--+-+-++++-+--", "++-++++++----+-+--++-+"}};

/// Williamson's array: entry = sign and index of the circulant.
constexpr std::array<std::string_view, 4> kWilliamsonArray = {"+A+B+C+D", "-B+A-D+C", "-C+D+A-B", "-D-C+B+A"};

/// Baumert and Hall, "A new construction for Hadamard matrices", Bull. AMS 71 (1965).
constexpr std::array<std::string_view, 12> kBaumertHallArray = {
    "+A+A+A+B-B+C-C-D+B+C-D-D", "+A-A+B-A-B-D+D-C-B-D-C-C", "+A-B-A+A-D+D-B+B-C-D+C-C", "+B+A-A-A+D+D+D+C+C-B-B-C",
    "+B-D+D+D+A+A+A+C-C+B-C+B", "+B+C-D+D+A-A+C-A-D+C+B-B", "+D-C+B-B+A-C-A+A+B+C+D-D", "-C-D-C-D+C+A-A-A-D+B-B-B",
    "+D-C-B-B-B+C+C-D+A+A+A+D", "-D-B+C+C+C+B+B-D+A-A+D-A", "+C-B-C+C+D-B-D-B+A-D-A+A", "-C-D-D+C-C-B+B+B+D+A-A-A"};

bool is_prime(int n) {
  if (n < 2) return false;
  for (int divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return true;
}

/// Legendre symbols of 0 .. prime - 1.
std::vector<float> quadratic_character(int prime) {
  std::vector<float> character(static_cast<std::size_t>(prime), -1.0F);
  character[0] = 0;
  for (std::int64_t x = 1; x < prime; ++x) character[static_cast<std::size_t>(x * x % prime)] = 1;
  return character;
}

/// The bordered Jacobsthal matrix of order prime + 1: first row 0 1 .. 1, first column 0 `border` .. `border`, the rest
/// the character of i - j. Skew for primes 3 mod 4 with border -1, symmetric for 1 mod 4 with border 1.
Matrix<float> conference_matrix(int prime, float border) {
  const std::vector<float> character = quadratic_character(prime);
  const auto q = static_cast<std::size_t>(prime);
  Matrix<float> conference(q + 1, q + 1);
  for (std::size_t i = 0; i < q; ++i) {
    conference(0, i + 1) = 1;
    conference(i + 1, 0) = border;
    for (std::size_t j = 0; j < q; ++j) conference(i + 1, j + 1) = character[(i + q - j) % q];
  }
  return conference;
}

/// H = I + S, S skew with S S^T = q I.
Matrix<float> paley_one(int prime) {
  Matrix<float> h = conference_matrix(prime, -1);
  for (std::size_t i = 0; i < h.rows(); ++i) h(i, i) = 1;
  return h;
}

/// H = C (x) [1 1; 1 -1] + I (x) [1 -1; -1 -1], C symmetric with C C^T = q I.
Matrix<float> paley_two(int prime) {
  constexpr float kOfC[2][2] = {{1, 1}, {1, -1}};
  constexpr float kOfIdentity[2][2] = {{1, -1}, {-1, -1}};
  const Matrix<float> c = conference_matrix(prime, 1);
  Matrix<float> h(2 * c.rows(), 2 * c.rows());
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j < h.cols(); ++j) {
      h(i, j) = i / 2 == j / 2 ? kOfIdentity[i % 2][j % 2] : c(i / 2, j / 2) * kOfC[i % 2][j % 2];
    }
  }
  return h;
}

/// A block array over the circulants of the sequences.
template <std::size_t blocks>
Matrix<float> circulant_array(const std::array<std::string_view, blocks>& array, const WilliamsonSequences& sequences) {
  const auto order = static_cast<std::size_t>(sequences.order);
  Matrix<float> h(blocks * order, blocks * order);
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j < h.cols(); ++j) {
      const std::string_view entry = array[i / order].substr(2 * (j / order), 2);
      const std::size_t shift = (j % order + order - i % order) % order;
      const std::string_view half = sequences.halves[static_cast<std::size_t>(entry[1] - 'A')];
      h(i, j) = half[std::min(shift, order - shift)] == entry[0] ? 1.0F : -1.0F;
    }
  }
  return h;
}

enum class Construction { kNone, kPaleyOne, kPaleyTwo, kWilliamson52, kWilliamson172, kBaumertHall156 };

/// For orders that are 4 times an odd number.
Construction construction_of(int order) {
  if (is_prime(order - 1)) return Construction::kPaleyOne;
  if (is_prime(order / 2 - 1) && (order / 2 - 1) % 4 == 1) return Construction::kPaleyTwo;
  if (order == 4 * 13) return Construction::kWilliamson52;
  if (order == 4 * 43) return Construction::kWilliamson172;
  if (order == 12 * 13) return Construction::kBaumertHall156;
  return Construction::kNone;
}

Matrix<float> odd_factor_matrix(int order) {
  if (order == 1) return Matrix<float>(1, 1, 1.0F);
  switch (construction_of(order)) {
    case Construction::kPaleyOne: return paley_one(order - 1);
    case Construction::kPaleyTwo: return paley_two(order / 2 - 1);
    case Construction::kWilliamson52: return circulant_array(kWilliamsonArray, kWilliamson13);
    case Construction::kWilliamson172: return circulant_array(kWilliamsonArray, kWilliamson43);
    case Construction::kBaumertHall156: return circulant_array(kBaumertHallArray, kWilliamson13);
    case Construction::kNone: break;
  }
  fail_check(__FILE__, __LINE__, "hadamard_supported(size)", "there is a construction for the order");
}

}  // namespace

bool hadamard_supported(int size) {
  if (size < 1) return false;
  const int twos = std::countr_zero(static_cast<unsigned>(size));
  const int odd = size >> twos;
  return odd == 1 || (twos >= 2 && construction_of(4 * odd) != Construction::kNone);
}

HadamardFactors hadamard_factors(int size) {
  GUARDBIT_CHECK(hadamard_supported(size), "there is a Hadamard matrix of order " + std::to_string(size));
  const int twos = std::countr_zero(static_cast<unsigned>(size));
  const int odd = size >> twos;
  if (odd == 1) return {1, twos};
  return {4 * odd, twos - 2};
}

Matrix<float> hadamard_matrix(int size) {
  const HadamardFactors factors = hadamard_factors(size);
  const Matrix<float> outer = odd_factor_matrix(factors.factor);
  const auto stages = static_cast<unsigned>(factors.butterfly_stages);
  const std::size_t mask = (std::size_t{1} << stages) - 1;
  const auto n = static_cast<std::size_t>(size);
  Matrix<float> h(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const bool negative = std::popcount(i & j & mask) % 2 != 0;
      h(i, j) = negative ? -outer(i >> stages, j >> stages) : outer(i >> stages, j >> stages);
    }
  }
  return h;
}

}  // namespace guardbit::units
