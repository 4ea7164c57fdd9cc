#include "sim/modules/start_systemc.h"

#include <fmt/format.h>
#include <sysc/tracing/sc_tracing_ids.h>

#include <new>
#include <string_view>

#include "sim/base/error.h"
#include "sim/modules/sanitizer_stack.h"

namespace guardbit::sim {
namespace {

template <class... Duration>
void start(const Duration&... duration) {
  try {
    sc_core::sc_start(duration...);
  } catch (const sc_core::sc_report& report) {
    const std::string_view type = report.get_msg_type();
    const std::string_view text = report.get_msg();
    if (type == sc_core::SC_ID_STACK_SETUP_FAILED_) {
      throw UserError(ExitCode::kRefused, fmt::format("cannot start a simulated process: {}", text));
    }
    if (type == sc_core::SC_ID_TRACING_FOPEN_FAILED_) {
      throw UserError(ExitCode::kIo, fmt::format("--wave: cannot open the pipe of its file: {}", text));
    }
    if (type == sc_core::SC_ID_SIMULATION_UNCAUGHT_EXCEPTION_ && text.find("bad_alloc") != text.npos) {
      throw std::bad_alloc();
    }
    throw;
  }
  restore_sanitizer_stack_bounds();
}

}  // namespace

void start_systemc() { start(); }
void start_systemc(const sc_core::sc_time& duration) { start(duration); }

}  // namespace guardbit::sim
