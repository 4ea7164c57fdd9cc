#pragma once
/// The temporaries that are there now, to be removed at an end that runs no destructor (last_resort.h).
#include <string>
#include <vector>

namespace guardbit::sim {

/// @param path   stays valid until it is given to forget_temporary
/// @param names  of the files in a directory; null: `path` is a file
void remember_temporary(const char* path, const std::vector<std::string>* names = nullptr) noexcept;
void forget_temporary(const char* path) noexcept;

/// Removes the temporaries of this process's AtomicFiles and OutputDirectories; allocates nothing.
void remove_temporaries() noexcept;

}  // namespace guardbit::sim
