#pragma once
// How many cases of a long differential test run: all of them in a release build, a part under the sanitizers. Values
// and counts are compared in the release build; what the sanitizers look for is found with fewer values of each shape.

namespace guardbit::tests {

#ifdef __SANITIZE_ADDRESS__
inline constexpr unsigned kTrialStride =
    11;  // coprime to the periods by which the tests choose their cases from a counter
#else
inline constexpr unsigned kTrialStride = 1;
#endif

/// Random cases to run of `cases`.
constexpr int trials(int cases) {
  return (cases + static_cast<int>(kTrialStride) - 1) / static_cast<int>(kTrialStride);
}

/// Whether the case with this running number is one of those that run.
constexpr bool is_trial(unsigned number) { return number % kTrialStride == 0; }

}  // namespace guardbit::tests
