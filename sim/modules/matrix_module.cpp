#include "sim/modules/matrix_module.h"

#include <string>
#include <utility>

#include "sim/modules/pe_array.h"
#include "sim/modules/pe_wave.h"
#include "sim/modules/timing.h"

namespace guardbit::sim {

using numerics::Stage;

MatrixModule::MatrixModule(const sc_core::sc_module_name& name, const UnitContext& context,
                           const units::ArrayConfig& config, PeRequestSlot* stepped)
    : ComputeModule(name, UnitKind::kMatrix, context), config_(config), stepped_(stepped) {
  if (stepped_ == nullptr) return;
  array_ = std::make_unique<PeArray>("pe_array", static_cast<std::uint32_t>(config.rows),
                                     static_cast<std::uint32_t>(config.cols));
}
MatrixModule::~MatrixModule() = default;

void MatrixModule::record(WaveRecorder& recorder) {
  UnitModule::record(recorder);
  if (!array_) return;
  const std::string wave_name = "pe_wave_" + std::to_string(waves_.size());
  waves_.push_back(std::make_unique<PeWave>(sc_core::sc_gen_unique_name(wave_name.c_str()), *array_, recorder));
  array_->observe([this] {
    for (const auto& wave : waves_) wave->sample();
  });
}

std::uint64_t MatrixModule::cycles_of(const Work& work) const {
  const auto& matrix = std::get<MatrixWork>(work);
  return array_ ? step(matrix) : matrix_timing(matrix, config_).cycles;
}

/// Called from the unit's process, which waits here while the array's processes run.
std::uint64_t MatrixModule::step(const MatrixWork& work) const {
  const PeRequestSlot request = std::exchange(*stepped_, std::nullopt);
  if (work.m == 0 || work.n == 0 || work.k == 0) return 0;
  PeProduct product{.array = config_, .work = work, .values = {}};
  if (request) {
    product.values = request->values;
    product.values->scales = request->chunk_scales;
  }
  for (const auto& wave : waves_) wave->begin(matrix_timing(work, config_).cycles);
  array_->start(product, sc_core::SC_ZERO_TIME);
  sc_core::wait(array_->finished());
  arith::AccumulationEvents events;
  const PeCycles cycles = array_->finish(events);
  for (const auto& wave : waves_) wave->end();
  if (request) {
    (*request->ledger)[Stage::kProduct] += events.product;
    (*request->ledger)[Stage::kInnerAccumulator] += events.inner;
    (*request->ledger)[Stage::kOuterAccumulator] += events.outer;
  }
  return cycles.cycles;
}

}  // namespace guardbit::sim
