#pragma once
/// Work in a process of its own: SystemC allows one elaboration per process.
#include <functional>
#include <string>

namespace guardbit::sim {

/// What `work` returns, computed in a forked child; to be called while no other thread runs. An error of the child is
/// thrown here: UserError with its code; anything else, and a child ended by a signal that this process did not get,
/// as InternalError (out of memory: UserError kRefused). Interrupted here ends the child first.
[[nodiscard]] std::string run_in_child(const std::function<std::string()>& work);

}  // namespace guardbit::sim
