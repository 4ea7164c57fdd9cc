#include "sim/modules/pe_wave.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "sim/base/error.h"
#include "sim/modules/cycle_time.h"

namespace guardbit::sim {
namespace {

constexpr std::size_t kMaxChanges = std::size_t{1} << 24;  // of one product: some hundred megabytes

/// First value of an operand word, as its bits: a binary32 carrier or a sign-extended code.
std::uint64_t bits_of(const Operand& operand, std::size_t element_bytes) {
  if (operand.fold == nullptr || operand.values == nullptr) return 0;
  std::uint32_t bits = 0;
  if (element_bytes == sizeof(std::int8_t)) {
    bits = static_cast<std::uint32_t>(std::int32_t{*static_cast<const std::int8_t*>(operand.values)});
  } else {
    std::memcpy(&bits, operand.values, sizeof bits);
  }
  return bits;
}

}  // namespace

PeWave::PeWave(const sc_core::sc_module_name& name, PeArray& array, WaveRecorder& recorder)
    : sc_core::sc_module(name), array_(array), options_(recorder.options()) {
  SC_METHOD(show);
  dont_initialize();
  sensitive << show_;
  constexpr int kWordBits = 32;
  struct Named {
    const char* name;
    What what;
    int width_bits;
  };
  constexpr std::array kOfPe = {
      Named{"a_valid", What::kAValid, 1},       Named{"a", What::kA, kWordBits},
      Named{"b_valid", What::kBValid, 1},       Named{"b", What::kB, kWordBits},
      Named{"sum_valid", What::kSumValid, 1},   Named{"sum", What::kSum, kWordBits},
      Named{"held_valid", What::kHeldValid, 1}, Named{"held", What::kHeld, kWordBits},
      Named{"adding", What::kAdding, 1},        Named{"accumulator", What::kAccumulator, kWordBits}};
  add(recorder, std::string(array.name()) + ".fold", What::kFold, 0, kWordBits);
  for (std::uint32_t pe = 0; pe < array.num_pes(); ++pe) {
    for (const Named& signal : kOfPe) {
      add(recorder, std::string(array.pe(pe).name()) + "." + signal.name, signal.what, pe, signal.width_bits);
    }
  }
}

void PeWave::add(WaveRecorder& recorder, const std::string& name, What what, std::uint32_t pe, int width_bits) {
  signals_.push_back({.what = what, .pe = pe, .sampled = idle_value(what), .shown = idle_value(what)});
  const bool listed = pe == 0;  // one PE's signals say what all of them are called
  if (!recorder.add(name, signals_.back().shown, width_bits, listed)) signals_.pop_back();
}

void PeWave::begin(std::uint64_t cycles) {
  start_cycle_ = now_cycle();
  sampling_ = !signals_.empty() && start_cycle_ < options_.to_cycle && start_cycle_ + cycles > options_.from_cycle;
  edges_.clear();
  num_changes_ = 0;
  for (Signal& signal : signals_) signal.sampled = idle_value(signal.what);
}

std::uint64_t PeWave::value_of(const Signal& signal) const {
  const PeRegisters& registers = array_.registers(signal.pe);
  const std::size_t element_bytes = array_.run().a.element_bytes;
  const Pe& pe = array_.pe(signal.pe);
  switch (signal.what) {
    case What::kFold: return array_.first_operand().fold != nullptr ? array_.first_operand().fold->number : kNoFold;
    case What::kAValid: return registers.a.fold != nullptr ? 1 : 0;
    case What::kA: return bits_of(registers.a, element_bytes);
    case What::kBValid: return registers.b.fold != nullptr ? 1 : 0;
    case What::kB: return bits_of(registers.b, element_bytes);
    case What::kSumValid: return registers.sum.fold != nullptr ? 1 : 0;
    case What::kSum: return registers.sum.fold != nullptr ? registers.sum.word : 0;
    case What::kHeldValid: return pe.held().fold != nullptr ? 1 : 0;
    case What::kHeld: return bits_of(pe.held(), element_bytes);
    case What::kAdding: return pe.is_adding() ? 1 : 0;
    case What::kAccumulator: return pe.last_sum();
  }
  return 0;
}

void PeWave::sample() {
  if (!sampling_) return;
  const PeRun& run = array_.run();
  const bool counted = run.first_cycle != PeRun::kNone && run.cycle >= run.first_cycle;
  Edge edge{.interval = run.counted_cycles, .offset = counted ? run.cycle - run.first_cycle : 0, .counted = counted};
  if (counted && start_cycle_ + edge.interval + edge.offset >= options_.to_cycle) return;
  for (std::uint32_t index = 0; index < signals_.size(); ++index) {
    const std::uint64_t value = value_of(signals_[index]);
    if (value == signals_[index].sampled) continue;
    signals_[index].sampled = value;
    edge.changes.emplace_back(index, value);
  }
  num_changes_ += edge.changes.size();
  if (!edge.changes.empty() && num_changes_ <= kMaxChanges) edges_.push_back(std::move(edge));
}

/// An edge that belongs to no counted cycle is not shown; what it changed is, with the next one that does. An interval
/// (serial: a fold) ends where the next one begins.
void PeWave::end() {
  if (!sampling_) return;
  if (num_changes_ > kMaxChanges) {
    throw UserError(ExitCode::kRefused,
                    fmt::format("--wave: one product changes the selected signals of the stepped array {} times; "
                                "expected at most {}: fewer signals (--wave-select) or a narrower --wave-window",
                                num_changes_, kMaxChanges));
  }
  const std::uint64_t total = array_.run().counted_cycles;
  std::uint64_t interval_end = total;
  for (std::size_t i = edges_.size(); i-- > 0;) {
    if (i + 1 < edges_.size() && edges_[i + 1].interval != edges_[i].interval) interval_end = edges_[i + 1].interval;
    edges_[i].counted = edges_[i].counted && edges_[i].interval + edges_[i].offset < interval_end;
  }
  std::map<std::uint32_t, std::uint64_t> pending;
  for (const Edge& edge : edges_) {
    for (const auto& [signal, value] : edge.changes) pending[signal] = value;
    if (!edge.counted) continue;
    Changes& changes = to_show_[start_cycle_ + edge.interval + edge.offset];
    changes.insert(changes.end(), pending.begin(), pending.end());
    pending.clear();
  }
  Changes& last = to_show_[start_cycle_ + total];
  for (std::uint32_t index = 0; index < signals_.size(); ++index) {
    last.emplace_back(index, idle_value(signals_[index].what));
  }
  sampling_ = false;
  show_.notify(sc_core::SC_ZERO_TIME);
}

/// In order of time: a product's first cycle follows the end of the one before.
void PeWave::show() {
  while (!to_show_.empty() && to_show_.begin()->first <= now_cycle()) {
    for (const auto& [signal, value] : to_show_.begin()->second) signals_[signal].shown = value;
    to_show_.erase(to_show_.begin());
  }
  if (!to_show_.empty()) next_trigger(time_of_cycles(to_show_.begin()->first) - sc_core::sc_time_stamp());
}

}  // namespace guardbit::sim
