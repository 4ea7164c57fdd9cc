#include "sim/modules/pe_column_buffer.h"

namespace guardbit::sim {

PeColumnBuffer::PeColumnBuffer(const sc_core::sc_module_name& name, PeRun& run, const ColumnRegisters& registers,
                               std::uint32_t col, sc_core::sc_event& clock_edge)
    : sc_core::sc_module(name), run_(run), registers_(registers), col_(col) {
  SC_METHOD(run);
  dont_initialize();
  sensitive << clock_edge;
}

void PeColumnBuffer::run() {
  const Sum& sum = registers_.exit;
  if (sum.fold == nullptr) return;
  const PeFold& fold = *sum.fold;
  ++run_.delivered;
  const bool of_idle_pe = col_ >= fold.cols || (!run_.sums_flow_down && sum.line >= fold.rows);
  if (of_idle_pe || run_.arithmetic == nullptr) return;
  const std::uint32_t across = fold.col_base + col_;
  const std::uint32_t along = run_.sums_flow_down ? sum.index : fold.row_base + sum.line;
  const std::uint32_t row = run_.inputs_stay ? across : along;
  const std::uint32_t col = run_.inputs_stay ? along : across;
  if (!run_.has_chunk(row, col, fold, sum.index)) return;
  const std::uint32_t chunk = run_.chunk_of(fold, sum.index);
  float& outer = run_.c(row, col);
  const units::PePlace place{.output = {run_.origin.row + row, run_.origin.column + col}, .chunk = chunk};
  if (!run_.terms.empty()) {
    const units::ChunkTerms& terms = run_.terms[chunk];
    const float scale = terms.scale(row, col, events_.outer);
    outer = run_.arithmetic->deliver(outer, sum.word, scale, place, events_, terms.correction(row, col));
    return;
  }
  const float scale = run_.scales.empty() ? 1.0F : run_.scales[chunk];
  outer = run_.arithmetic->deliver(outer, sum.word, scale, place, events_);
}

}  // namespace guardbit::sim
