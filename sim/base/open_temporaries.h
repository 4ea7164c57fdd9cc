#pragma once
/// The temporaries that are there now, for remove_temporaries() (last_resort.h).
#include <string>
#include <vector>

namespace guardbit::sim {

/// @param path   stays valid until it is given to forget_temporary
/// @param names  of the files in a directory; null: `path` is a file
void remember_temporary(const char* path, const std::vector<std::string>* names = nullptr) noexcept;
void forget_temporary(const char* path) noexcept;

}  // namespace guardbit::sim
