#pragma once
/// A ValueEngine that computes nothing: it records which part of every op was asked for, and fails the test if a part
/// is asked for twice or before what it needs.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

#include "models/numerics/matrix.h"
#include "sim/schedule/value_engine.h"

namespace guardbit::tests {

class RecordingEngine final : public sim::ValueEngine {
 public:
  using Range = sim::Range;

  explicit RecordingEngine(Range tokens) : tokens_(tokens) {}

  void rows(std::size_t op, Range rows) override { mark("rows", op, 0, rows, {0, 1}); }
  void rotate(std::size_t op, Range rows) override { mark("rotate", op, 0, rows, {0, 1}); }
  void smooth_statistics(std::size_t op, Range rows) override {
    if (rotates.count(op) != 0) expect_done("rotate", op, 0, rows, {0, 1});
    mark("statistics", op, 0, rows, {0, 1});
  }
  void quantize(std::size_t op, Range rows) override {
    if (rotates.count(op) != 0) expect_done("rotate", op, 0, rows, {0, 1});
    if (smooths.count(op) != 0) expect_done("statistics", op, 0, rows, {0, 1});
    mark("quantize", op, 0, rows, {0, 1});
  }
  void product(std::size_t op, Range rows, Range cols) override {
    expect_done("quantize", op, 0, rows, {0, 1});
    mark("product", op, 0, rows, cols);
  }
  void epilogue(std::size_t op, Range rows, Range cols) override {
    expect_done("product", op, 0, rows, cols);
    mark("epilogue", op, 0, rows, cols);
  }
  void keys_values(std::size_t op, std::size_t /*values_op*/, std::size_t kv_head) override {
    mark("keys", op, kv_head, {0, 1}, {0, 1});
  }
  void scores(std::size_t op, std::size_t head, Range rows) override {
    expect_done("keys", op, head / heads_per_kv_head, {0, 1}, {0, 1});
    mark("scores", op, head, rows, {0, 1});
  }
  void scores_epilogue(std::size_t op, std::size_t head, Range rows) override {
    expect_done("scores", op, head, rows, {0, 1});
    mark("scores_epilogue", op, head, rows, {0, 1});
  }
  void softmax(std::size_t op, std::size_t head, Range rows) override {
    expect_done("scores_epilogue", op - 1, head, rows, {0, 1});
    mark("softmax", op, head, rows, {0, 1});
  }
  void values(std::size_t op, std::size_t head, Range rows) override {
    expect_done("softmax", op - 1, head, rows, {0, 1});
    mark("values", op, head, rows, {0, 1});
  }
  void values_epilogue(std::size_t op, std::size_t head, Range rows) override {
    expect_done("values", op, head, rows, {0, 1});
    mark("values_epilogue", op, head, rows, {0, 1});
  }

  /// True if every element of rows x cols of that step was asked for.
  bool done(const std::string& step, std::size_t op, std::size_t head, Range rows, Range cols) const {
    for (std::size_t row = rows.begin; row < rows.end; ++row) {
      for (std::size_t col = cols.begin; col < cols.end; ++col) {
        if (marks_.count({step, op, head, row, col}) == 0) return false;
      }
    }
    return true;
  }

  std::map<std::size_t, bool> rotates;  ///< ops whose input is rotated
  std::map<std::size_t, bool> smooths;  ///< ops whose input is smoothed
  std::size_t heads_per_kv_head = 1;

 private:
  using Key = std::tuple<std::string, std::size_t, std::size_t, std::size_t, std::size_t>;

  void mark(const std::string& step, std::size_t op, std::size_t head, Range rows, Range cols) {
    for (std::size_t row = rows.begin; row < rows.end; ++row) {
      for (std::size_t col = cols.begin; col < cols.end; ++col) {
        EXPECT_TRUE(marks_.insert({{step, op, head, row, col}, true}).second)
            << step << " of op " << op << " head " << head << " twice at row " << row << " column " << col;
      }
    }
  }
  void expect_done(const std::string& step, std::size_t op, std::size_t head, Range rows, Range cols) const {
    EXPECT_TRUE(done(step, op, head, rows, cols))
        << step << " of op " << op << " head " << head << " is missing for rows " << rows.begin << ".." << rows.end;
  }

  Range tokens_;  ///< of the pass
  std::map<Key, bool> marks_;
};

}  // namespace guardbit::tests
