#pragma once
/// The decision of a search after a rung: which points are worth a longer replay.
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace guardbit::sim {

/// What a short replay says of an objective; smaller is better.
struct Estimate {
  double value = 0;
  std::vector<double> errors = {};  ///< by block of tokens, in the unit of `value` (token_errors.h)
};

struct Candidate {
  std::vector<double> costs;  ///< exact; smaller is better
  std::vector<Estimate> estimates;
  std::string tokens = {};  ///< that were replayed: candidates of equal text have errors of the same tokens
};

struct Promise {
  std::size_t keep = 3;  ///< at least one of how many goes on
  double slack = 2.5;    ///< and all that are beaten by at most so many standard errors
  std::size_t at_most = std::numeric_limits<std::size_t>::max();  ///< and no more than this
  double replayed = 0;  ///< share of the last rung's tokens that the estimates are of, below 1
};

/// Which candidates go on, as ascending indices.
///
/// A candidate's margin is the largest by which one of no higher costs is better in every estimate (0: none is),
/// measured in that estimate's standard error. The smallest margins go on: ceil(number / keep) with all that tie with
/// the last, and all up to `slack`; of these the first `at_most` by margin, then index.
///
/// An estimate's standard error is the median over the candidates of that of their difference to the best candidate of
/// no higher costs. Errors of the same tokens are subtracted before their spread is taken: what is hard for both does
/// not count. One for all, not each pair's own: a pair of twins differs by little and by always the same, and would be
/// told apart by a margin that the next tokens turn round.
///
/// It is multiplied by sqrt(1 + replayed): what the last rung will say has an error of its own. A difference d of two
/// candidates with variance v a token is estimated by the mean of n tokens, variance v/n, and decided by that of
/// n / replayed tokens, variance v replayed/n. If the two means are independent, their difference has variance
/// v/n (1 + replayed). If the first tokens came out in the long replay as in the short one, it would be
/// v/n (1 - replayed); they do not where tokens share anything (a dynamic scale, a group of smoothing), and the larger
/// one is right for those and careful for the rest.
///
/// A candidate that a cheaper one equals in every estimate, value and errors (the same arithmetic, as far as it has
/// been tried, on a slower machine), comes after all others and has no slack. O(candidates^2). Test:
/// tests/unit/search_decision_test.cpp.
[[nodiscard]] std::vector<std::size_t> promising(const std::vector<Candidate>& candidates, const Promise& promise);

}  // namespace guardbit::sim
