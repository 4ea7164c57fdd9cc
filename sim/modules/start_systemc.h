#pragma once
/// sc_start() as this project calls it: what the system refuses becomes an error that a user can act on.
#include <systemc>

namespace guardbit::sim {

/// Until no event is left. UserError kRefused if the system has no memory for a process's stack, kIo if SystemC cannot
/// open its waveform's pipe; std::bad_alloc if a process found no memory. Test: tests/system/failing_calls_test.py.
void start_systemc();
/// The same for so long.
void start_systemc(const sc_core::sc_time& duration);

}  // namespace guardbit::sim
