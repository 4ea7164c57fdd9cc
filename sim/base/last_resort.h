#pragma once
/// The end of a process that is out of memory and whose stack cannot be unwound, because a destructor (nlohmann's
/// values, SystemC's modules) needs memory too.

namespace guardbit::sim {

/// From now on such an end says "guardbit: out of memory" (a child of this process says nothing), removes the
/// temporaries and exits with kRefused. Every other reason to terminate aborts, as without this. Test:
/// tests/system/failing_calls_test.py.
void handle_last_resort() noexcept;

}  // namespace guardbit::sim
