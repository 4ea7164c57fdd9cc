#include "sim/modules/dma_module.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "models/numerics/check.h"
#include "sim/modules/cycle_time.h"

namespace guardbit::sim {

namespace {

/// Enough bursts in flight to cover latency and a row miss at full rate, and one more at either end.
std::size_t outstanding_bursts(const units::AcceleratorConfig& config, double port_bytes_per_cycle) {
  constexpr double kMostBursts = 65536;
  const double rate = std::min(config.dram.bandwidth_bytes_per_cycle, port_bytes_per_cycle);
  const double burst_cycles = static_cast<double>(config.dma.burst_bytes) / rate;
  const auto covered = static_cast<double>(config.dram.latency_cycles + config.dram.row_miss_cycles);
  return static_cast<std::size_t>(std::min(kMostBursts, std::ceil(covered / burst_cycles) + 2));
}

double port_rate(const units::ScratchpadConfig& scratchpad) {
  return static_cast<double>(scratchpad.banks * scratchpad.bank_bytes_per_cycle);
}

}  // namespace

DmaModule::DmaModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context,
                     const units::AcceleratorConfig& config, const DmaOptions& options)
    : UnitModule(name, kind, context, static_cast<std::uint64_t>(config.dma.channels)),
      socket("socket"),
      unlimited_(options.unlimited),
      burst_bytes_(static_cast<std::uint64_t>(config.dma.burst_bytes)),
      port_bytes_per_cycle_(port_rate(config.scratchpad)),
      request_phase_(options.second_half ? time_of_cycles(1) / 2 : sc_core::SC_ZERO_TIME),
      data_(burst_bytes_),
      burst_done_cycle_(outstanding_bursts(config, port_bytes_per_cycle_)) {
  SC_THREAD(retire);
  SC_THREAD(watch_bursts);
}

void DmaModule::begin_run() {
  UnitModule::begin_run();
  std::fill(burst_done_cycle_.begin(), burst_done_cycle_.end(), 0);
  num_bursts_ = 0;
  port_free_ticks_ = 0;
  last_done_cycle_ = state().start_cycle;
  ready_.clear();
  moving_ = false;
}

/// One channel at a time moves bytes; of those that are ready the oldest command goes first.
class DmaModule::Turn {
 public:
  Turn(DmaModule& engine, std::uint64_t order) : engine_(engine) {
    engine_.ready_.insert(order);
    while (engine_.moving_ || *engine_.ready_.begin() != order) engine_.wait(engine_.turn_over_);
    engine_.ready_.erase(order);
    engine_.moving_ = true;
  }
  ~Turn() {
    engine_.moving_ = false;
    engine_.turn_over_.notify(sc_core::SC_ZERO_TIME);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  DmaModule& engine_;
};

void DmaModule::execute(IssuedCommand* slot) {
  const Turn turn(*this, slot->order);
  const std::uint64_t busy_before = std::max(last_done_cycle_, slot->start_cycle);
  last_done_cycle_ = busy_before;
  if (!unlimited_) transfer_bursts(std::get<DmaWork>(slot->command.work));
  busy_until_ = last_done_cycle_;
  in_flight_.push_back({last_done_cycle_, last_done_cycle_ - busy_before, slot});
  transfer_started_.notify(sc_core::SC_ZERO_TIME);
}

void DmaModule::transfer_bursts(const DmaWork& work) {
  std::uint64_t address = work.address;
  const std::uint64_t end = work.address + work.bytes;
  while (address < end && !state().aborted()) {
    const std::uint64_t bytes = std::min(burst_bytes_ - address % burst_bytes_, end - address);
    std::uint64_t& done_cycle = burst_done_cycle_[num_bursts_ % burst_done_cycle_.size()];
    wait_for_request_phase(std::max(done_cycle, now_cycle() + noise_.next_cycles()));
    done_cycle = request_burst(address, bytes);
    last_done_cycle_ = done_cycle;
    if (watching_bursts_) {
      ++num_bursts_in_flight_;
      burst_ends_.push_back(done_cycle);
      burst_requested_.notify(sc_core::SC_ZERO_TIME);
    }
    ++num_bursts_;
    address += bytes;
  }
  // Queue and tokens are shared with units that know whole cycles only.
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  if (now != time_of_cycles(cycle_of(now))) wait(time_of_cycles(cycle_of(now) + 1) - now);
}

std::uint64_t DmaModule::request_burst(std::uint64_t address, std::uint64_t bytes) {
  const bool is_load = unit_kind() == UnitKind::kLoad;
  transaction_.set_command(is_load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
  transaction_.set_address(address);
  transaction_.set_data_ptr(data_.data());
  transaction_.set_data_length(static_cast<unsigned>(bytes));
  transaction_.set_streaming_width(static_cast<unsigned>(bytes));
  transaction_.set_byte_enable_ptr(nullptr);
  transaction_.set_dmi_allowed(false);
  transaction_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  const std::uint64_t request_ticks = ticks_of_cycles(now_cycle());
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  socket->b_transport(transaction_, delay);
  GUARDBIT_CHECK(transaction_.is_response_ok(), std::string(name()) + ": " + transaction_.get_response_string() +
                                                    " at address " + std::to_string(address));

  const sc_core::sc_time done = sc_core::sc_time_stamp() + delay - request_phase_;  // counted from a cycle's start
  const std::uint64_t memory_done = cycle_of(done + time_of_cycles(1) - sc_core::sc_get_time_resolution());
  port_free_ticks_ = std::max(port_free_ticks_, request_ticks) + ticks_of_bytes(bytes, port_bytes_per_cycle_);
  return std::max({memory_done, cycles_of_ticks_up(port_free_ticks_), last_done_cycle_});
}

void DmaModule::wait_for_request_phase(std::uint64_t cycle) {
  const sc_core::sc_time moment = time_of_cycles(cycle) + request_phase_;
  if (moment > sc_core::sc_time_stamp()) wait(moment - sc_core::sc_time_stamp());
}

void DmaModule::record(WaveRecorder& recorder) {
  constexpr int kCountBits = 32;
  UnitModule::record(recorder);
  watching_bursts_ = true;
  recorder.add(std::string(name()) + ".bursts", num_bursts_in_flight_, kCountBits);
}

/// Lets a waveform see bursts end. They end in order, the last one with its transfer: no cycle is added to a run.
void DmaModule::watch_bursts() {
  while (true) {
    while (burst_ends_.empty()) wait(burst_requested_);
    const sc_core::sc_time done = time_of_cycles(burst_ends_.front());
    if (done > sc_core::sc_time_stamp()) wait(done - sc_core::sc_time_stamp());
    burst_ends_.pop_front();
    --num_bursts_in_flight_;
  }
}

void DmaModule::retire() {
  while (true) {
    while (in_flight_.empty()) wait(transfer_started_);
    const Transfer transfer = in_flight_.front();
    in_flight_.pop_front();
    const sc_core::sc_time done = time_of_cycles(transfer.done_cycle);
    if (done > sc_core::sc_time_stamp()) wait(done - sc_core::sc_time_stamp());
    try {
      complete(transfer.slot, transfer.busy_cycles);
      update_probe();
    } catch (const sc_core::sc_unwind_exception&) {
      throw;  // the kernel ends this process
    } catch (...) {
      state().abort(std::current_exception());
      state().recycle(transfer.slot);
    }
  }
}

}  // namespace guardbit::sim
