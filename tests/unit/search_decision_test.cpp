// What a search decides from short replays, and the errors by token that it decides with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "sim/sweep/promising.h"
#include "sim/sweep/token_errors.h"

namespace guardbit::sim {
namespace {

using testing::ElementsAre;

Candidate candidate(double cost, std::vector<double> values) {
  Candidate made{.costs = {cost}, .estimates = {}};
  for (const double value : values) made.estimates.push_back({.value = value});
  return made;
}

/// Errors whose mean is the value.
Candidate noisy(double cost, const std::vector<double>& errors) {
  double sum = 0;
  for (const double error : errors) sum += error;
  return {.costs = {cost}, .estimates = {{.value = sum / static_cast<double>(errors.size()), .errors = errors}}};
}

TEST(PromisingTest, TheSmallestMarginsGoOn) {
  // cost, estimate: margins 1, 0, 0, 9, 4
  const std::vector<Candidate> candidates = {candidate(2, {6}), candidate(1, {5}), candidate(3, {1}),
                                             candidate(3, {10}), candidate(2, {9})};
  EXPECT_THAT(promising(candidates, {.keep = 5, .slack = 0}), ElementsAre(1, 2)) << "ties with the last";
  EXPECT_THAT(promising(candidates, {.keep = 2, .slack = 0}), ElementsAre(0, 1, 2));
  EXPECT_THAT(promising(candidates, {.keep = 1, .slack = 0}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(promising(candidates, {.keep = 5, .slack = 4}), ElementsAre(0, 1, 2, 4));
  EXPECT_TRUE(promising({}, {}).empty());
  EXPECT_THAT(promising(candidates, {.keep = 1, .slack = 0, .at_most = 4}), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(promising(candidates, {.keep = 5, .slack = 4, .at_most = 3}), ElementsAre(0, 1, 2));
  EXPECT_THAT(promising(candidates, {.keep = 5, .slack = 0, .at_most = 1}), ElementsAre(1)) << "ties by index";
}

TEST(PromisingTest, EqualEstimatesAtHigherCostsComeLastAndHaveNoSlack) {
  const std::vector<Candidate> candidates = {candidate(2, {1}), candidate(1, {1}), candidate(1, {1}), candidate(1, {8}),
                                             candidate(1, {9})};
  EXPECT_THAT(promising(candidates, {.keep = 4, .slack = 0}), ElementsAre(1, 2)) << "equal ones are in together";
  EXPECT_THAT(promising(candidates, {.keep = 2, .slack = 0}), ElementsAre(1, 2, 3));
  EXPECT_THAT(promising(candidates, {.keep = 5, .slack = 100}), ElementsAre(1, 2, 3, 4));
  // Equal values of other errors are a coincidence.
  EXPECT_THAT(promising({noisy(2, {1, 3}), noisy(1, {3, 1})}, {.keep = 2, .slack = 0}), ElementsAre(0, 1));
  EXPECT_THAT(promising({noisy(2, {1, 3}), noisy(1, {1, 3})}, {.keep = 2, .slack = 0}), ElementsAre(1));
}

TEST(PromisingTest, BeatenInEveryEstimateCountsAndTheLeastDecides) {
  // 3 is beaten by 0 in both, by 9 and by 1; 2 by 1 in the second alone.
  const std::vector<Candidate> candidates = {candidate(1, {1, 1}), candidate(1, {5, 0}), candidate(1, {0, 9}),
                                             candidate(1, {10, 2})};
  EXPECT_THAT(promising(candidates, {.keep = 4, .slack = 0}), ElementsAre(0, 1, 2));
  EXPECT_THAT(promising(candidates, {.keep = 4, .slack = 2}), ElementsAre(0, 1, 2, 3));
}

TEST(PromisingTest, SlackIsMeasuredInErrorsOfTheDifferenceTokenByToken) {
  // What is common to all tokens' errors is a thousand times what tells the candidates apart: differences to the first
  // are 0.1 +- 0.1 and 1 +- 0.1, standard error 0.1 / sqrt(3).
  const std::vector<double> common = {100, -300, 700, 20};
  const auto shifted = [&](double by) {
    std::vector<double> errors = common;
    for (std::size_t i = 0; i < errors.size(); ++i) errors[i] += by + (i % 2 == 0 ? 0.1 : -0.1);
    return errors;
  };
  const std::vector<Candidate> candidates = {noisy(1, common), noisy(1, shifted(0.1)), noisy(1, shifted(1))};
  EXPECT_THAT(promising(candidates, {.keep = 3, .slack = 1.7}), ElementsAre(0)) << "0.1 is 1.73 standard errors";
  EXPECT_THAT(promising(candidates, {.keep = 3, .slack = 1.8}), ElementsAre(0, 1));
  EXPECT_THAT(promising(candidates, {.keep = 3, .slack = 1.2, .replayed = 0.96}), ElementsAre(0))
      << "the standard error is 1.4 times as large";
  EXPECT_THAT(promising(candidates, {.keep = 3, .slack = 1.25, .replayed = 0.96}), ElementsAre(0, 1));
  // Of other tokens nothing cancels: all are within the noise.
  std::vector<Candidate> apart = candidates;
  for (std::size_t i = 0; i < apart.size(); ++i) apart[i].tokens = std::to_string(i);
  EXPECT_THAT(promising(apart, {.keep = 3, .slack = 1.7}), ElementsAre(0, 1, 2));
}

/// Quality that noise of single tokens hides: what the rule is for. Points with the least true loss at their cost are
/// the front of an endless replay; nine of ten of a replay of 64 tokens must survive one of 16.
TEST(PromisingTest, FindsTheFrontOfALongReplayAmongNearEqualPoints) {
  std::mt19937 random(20261126);
  std::normal_distribution<double> normal;
  std::size_t front = 0;
  std::size_t found = 0;
  std::size_t kept = 0;
  constexpr std::size_t kPoints = 200;
  constexpr std::size_t kTrials = 20;
  for (std::size_t trial = 0; trial < kTrials; ++trial) {
    std::vector<Candidate> candidates;
    std::vector<double> losses;
    std::vector<double> hardness(64);
    for (double& of : hardness) of = 10 * normal(random);
    for (std::size_t point = 0; point < kPoints; ++point) {
      const double cost = static_cast<double>(random() % 20);
      const double quality = -0.02 * cost + 0.2 * std::abs(normal(random));
      std::vector<double> errors;
      for (const double common : hardness) errors.push_back(common + quality + normal(random));
      losses.push_back(noisy(cost, errors).estimates[0].value);
      errors.resize(16);
      candidates.push_back(noisy(cost, errors));
    }
    const std::vector<std::size_t> chosen = promising(candidates, {.keep = 10, .slack = 2, .replayed = 0.25});
    kept += chosen.size();
    for (std::size_t point = 0; point < kPoints; ++point) {
      bool beaten = false;
      for (std::size_t other = 0; other < kPoints; ++other) {
        beaten = beaten || (candidates[other].costs <= candidates[point].costs && losses[other] < losses[point]);
      }
      if (beaten) continue;
      ++front;
      found += std::count(chosen.begin(), chosen.end(), point) > 0 ? 1 : 0;
    }
  }
  EXPECT_GE(static_cast<double>(found), 0.9 * static_cast<double>(front));
  EXPECT_LE(kept, kTrials * kPoints * 3 / 4);
  EXPECT_GE(front, 3 * kTrials);
}

/// Two tokens, three words.
Trace::Window window(std::vector<int> tokens) { return {.tokens = std::move(tokens)}; }

TEST(TokenErrorsTest, AreMeansWhoseMeanIsTheObjective) {
  transformer::ModelShape shape;
  shape.family = "gpt2";
  TokenErrors errors({window({0, 1, 2}), window({2, 2, 0})}, shape);
  const numerics::Matrix<float> reference(2, 3, {1, 0, 0, 0, 3, 0});
  const numerics::Matrix<float> logits(2, 3, {0, 1, 0, 0, 3, 1});
  errors.add_rows(0, logits.view(), reference.view());
  errors.add_rows(0, reference.view(), reference.view());
  const Json json = errors.json();
  ASSERT_EQ(json.at("noise").size(), 4u);
  // Squared errors 2 and 1; the mean square of a token is (1 + 9 + 1 + 9) / 4.
  EXPECT_DOUBLE_EQ(json.at("noise")[0], 0.4);
  EXPECT_DOUBLE_EQ(json.at("noise")[1], 0.2);
  EXPECT_EQ(json.at("noise")[2], 0);
  EXPECT_EQ(json.at("disagreement"), Json::parse("[1.0, 0.0, 0.0, 0.0]"));
  // Target 1: its logit is greater by 1, the rest is the same. Target 2: likewise, of another sum.
  EXPECT_NEAR(json.at("loss")[0].get<double>(), -1, 1e-5);
  const double before = std::log(1 + std::exp(3.0) + 1);
  const double now = std::log(1 + std::exp(3.0) + std::exp(1.0)) - 1;
  EXPECT_NEAR(json.at("loss")[1].get<double>(), now - before, 1e-5);
  EXPECT_EQ(json.at("loss")[3], 0);
}

TEST(TokenErrorsTest, LongReplaysHaveMeansOfRuns) {
  transformer::ModelShape shape;
  shape.family = "gpt2";
  constexpr std::size_t kTokens = 100;
  TokenErrors errors({window(std::vector<int>(kTokens + 1, 0))}, shape);
  numerics::Matrix<float> reference(kTokens, 1);
  numerics::Matrix<float> logits(kTokens, 1);
  for (std::size_t row = 0; row < kTokens; ++row) {
    reference.row(row)[0] = 1;
    logits.row(row)[0] = row == 0 ? 3 : 1;
  }
  errors.add_rows(0, logits.view().rows_range(0, 60), reference.view().rows_range(0, 60));
  errors.add_rows(60, logits.view().rows_range(60, kTokens), reference.view().rows_range(60, kTokens));
  const Json json = errors.json();
  EXPECT_EQ(json.at("noise").size(), kTokenBlocks);
  EXPECT_EQ(json.at("loss").size(), kTokenBlocks);
  EXPECT_EQ(json.at("noise")[0], 4) << "a run of one token";
  logits.row(0)[0] = std::numeric_limits<float>::quiet_NaN();
  TokenErrors broken({window(std::vector<int>(kTokens + 1, 0))}, shape);
  broken.add_rows(0, logits.view(), reference.view());
  EXPECT_TRUE(broken.json().at("noise")[0].is_null());
  EXPECT_EQ(broken.json().at("disagreement")[0], 1);
}

}  // namespace
}  // namespace guardbit::sim
