#include "sim/probe/truths/known_truths.h"

#include "sim/probe/truths/truths.h"

namespace guardbit::sim {
namespace {

constexpr KnownTruth kTruths[] = {
    {"format_limits", "A format ends half a step above its largest value, and what follows depends on the format.",
     "With ties to even 65,520 would round to 65,536 in fp16, so every value below it becomes 65,504 and it itself "
     "overflows; 61,440 likewise in E5M2. The 448 of E4M3 is even (its 480 would be the NaN), so that the tie 464 "
     "still gives 448, and what is above gives NaN, the format having no infinity (OCP OFP8, non-saturating). FP4 has "
     "neither and saturates.",
     measure_format_limits},
    {"double_rounding",
     "fp16 arithmetic in fp32 with a second rounding is right for products and sums, and wrong for fused "
     "multiply-adds.",
     "Twice the 11 bits of fp16 and two more fit in fp32's 24, which makes a second rounding harmless after one "
     "addition or multiplication (Figueroa 1995). A fused sum may need more than 24 bits: where fp32 rounds it to a "
     "tie of fp16, the direction is lost. Addends are N(0, 1) x N(0, 1), sums N(0, 64^2).",
     measure_double_rounding},
    {"topology",
     "The sum of 4,096 squares of 4.0 in fp16 is 32,768 without any overflow if it is sequential, with 2,048 addends "
     "swallowed; a tree of 16 gives infinity.",
     "16 is half a step of fp16 from 32,768 on, and the tie goes to the even sum: half of the addends vanish, and no "
     "flag is raised. The tree adds 256 at a time, arrives at 65,536 and overflows. An fp32 accumulator behind chunks "
     "of 128 is exact. Both failures are silent unless they are counted, each by its own event. The vector kernel and "
     "the reference agree here in bits and events, or this command ends with an internal error.",
     measure_topology},
    {"stall", "A sequential sum of equal addends stalls at 2^p of them, p being the accumulator's significant bits.",
     "From 2^p on an addend is half a step, and ties to even leave an even sum as it is. No scale cures that: sums "
     "and addends shrink together. fp32 has room for 2^24.",
     measure_stall},
    {"stochastic", "Stochastic rounding does not stall: its sums are right on average.",
     "1 + 4,096 * 2^-12 is 2. Each addend is a quarter of a step of fp16 at 1: to nearest it always vanishes, "
     "stochastically a quarter of them add a whole step. A sum's deviation is 0.03, that of the mean 0.001.",
     measure_stochastic},
    {"tensor_core",
     "Hopper's FP8 tensor cores have an rms error of 1.4e-3 at K = 4,096 for N(0, 1) operands; promotion to fp32 every "
     "128 products brings it to 1.2e-4.",
     "Products are aligned to the largest and cut off 13 bits below it (arXiv 2511.10909, 2412.19437). Errors are rms "
     "of the difference over rms of the exact sums, of 32 x 32 outputs; a factor of 1.5 either way is allowed, "
     "less than the 2 that one bit more or less would make. A fixed-point register is exact up to its one rounding to "
     "fp32.",
     measure_tensor_core},
    {"integer_groups", "128 products of INT4 need an accumulator of 15 bits.",
     "(-8)(-8) * 128 = 8,192, one more than the largest int14.", measure_integer_groups},
    {"scale_invariance",
     "A norm of x / s has the bits of the norm of x for every power of two s, if epsilon is divided by s^2 and nothing "
     "overflows or underflows.",
     "s = 2^k; every accumulator format keeps its significand under a power of two. A row of 64 values between 1 and "
     "2, "
     "RMSNorm, everything but the accumulator in fp32: the least k is where the sum of squares, about 93 * 2^-2k, "
     "meets the format's largest value, the largest k where the squares leave its normal range. The range is found "
     "from the counted events. Just beyond it gradual underflow still loses little, while flush to zero loses nearly "
     "all. With the unscaled epsilon no other s gives the same bits.",
     measure_scale_invariance},
    {"norm_overflow", "The fp16 norm of 4,096 values of 4.0 is 0 behind 16 lanes, and right with the static scale 4.",
     "The sum is the tree's above: infinite, and 1 / sqrt(infinity) = 0 wipes the row out. Divided by 4 the same row "
     "sums to 4,096.",
     measure_norm_overflow},
    {"wrong_scale", "A static scale that is far too large is worse than none where subnormals are flushed to zero.",
     "4 rows of 4,096 N(0, 1) values, norm 64, need no scale in fp16. s = 8 costs nothing. At s = 256 every square of "
     "a "
     "value below 2 becomes zero, about three quarters of their sum, and outputs come out twice as large as they "
     "should; "
     "at s = 4,096 nothing is left and the row is divided by the root of epsilon. With subnormals kept s = 256 "
     "only doubles the rounding error.",
     measure_wrong_scale},
    {"target_norm",
     "Scaling rows to norm 1 loses 3 % of the sum of squares at d = 4,096 and 20 % at d = 16,384 under flush to zero; "
     "norm 8 loses less than 0.05 %.",
     "A square is lost if the value is below 2^-7: half a standard deviation at d = 4,096, one at 16,384, and the "
     "normal distribution has 3.08 % and 19.87 % of its second moment inside. Norm 8 at d = 16,384 loses what lies "
     "within an eighth of a deviation, 0.0514 % in theory: slightly above the stated bound, which holds at d = 4,096. "
     "Only the squares are rounded here, their sum is exact.",
     measure_target_norm},
    {"cancellation", "One-pass statistics of LayerNorm lose the variance of a row far from zero; two passes keep it.",
     "Mean 4,096, deviation 1: the mean square is 2^24 + 1, and fp32 has 24 bits. Welford's update keeps it as well.",
     measure_cancellation},
    {"smoothing_orders",
     "Outliers of constant sign: RRS beats rotation. Spikes: rotation beats RS. Without the sort the gain is lost.",
     "INT4 x INT4 products of 128 tokens and K = 1,024, N(0, 1) and outliers, through the rotate, smooth, quantize and "
     "matrix units with groups of 128; the mean over tokens of a token's relative error against binary64 products "
     "with the same INT4 weights. Constant sign: 16 channels have 50 added in every token; rotation spreads them into "
     "an offset that is the same in every token, and smoothing divides it out. Where their sign changes from token to "
     "token there is no such offset, and smoothing adds nothing to rotation; RS alone is the best then. Not sorted, "
     "every group holds an outlier: RS is then no better than round to nearest, RRS loses half of what it gained over "
     "rotation. Spikes: 8 tokens have one value of 1,000, and the sort brings the 8 channels together with 120 "
     "others, whose values all round to zero in every other token. Scales per token already confine a spike to its "
     "token, so that round to nearest is the best here by this measure; rotation is within 6 % of it.",
     measure_smoothing_orders},
    {"group_order",
     "Adding the groups of RRS in ascending order of their scales lowers the outer accumulator's error 1.05 to 3.9 "
     "times.",
     "Small sums first keep the running sum, and with it the step of its format, small for longer. K = 4,096, 32 "
     "groups whose magnitudes fall by so many binades from the first to the last; rms of the outer accumulator minus "
     "the same integer sums and scales in binary64. The gain grows with the spread of the scales.",
     measure_group_order},
};

}  // namespace

std::span<const KnownTruth> known_truths() { return kTruths; }

TruthResult measure(const KnownTruth& truth) {
  return {std::string(truth.name), std::string(truth.claim), std::string(truth.reason), truth.measure()};
}

}  // namespace guardbit::sim
