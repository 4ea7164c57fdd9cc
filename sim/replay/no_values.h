#pragma once
/// The engine behind a schedule whose values nobody asks for: timing alone.
#include "sim/schedule/value_engine.h"

namespace guardbit::sim {

class NoValues final : public ValueEngine {
 public:
  void rows(std::size_t, Range) override {}
  void rotate(std::size_t, Range) override {}
  void smooth_statistics(std::size_t, Range) override {}
  void quantize(std::size_t, Range) override {}
  void product(std::size_t, Range, Range) override {}
  void epilogue(std::size_t, Range, Range) override {}
  void keys_values(std::size_t, std::size_t, std::size_t) override {}
  void scores(std::size_t, std::size_t, Range) override {}
  void scores_epilogue(std::size_t, std::size_t, Range) override {}
  void softmax(std::size_t, std::size_t, Range) override {}
  void values(std::size_t, std::size_t, Range) override {}
  void values_epilogue(std::size_t, std::size_t, Range) override {}
};

}  // namespace guardbit::sim
