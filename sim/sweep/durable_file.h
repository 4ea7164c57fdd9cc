#pragma once
/// Files that appear under their name whole and durable, never in place of another: written in a directory of
/// temporaries of the same file system, flushed, linked.
#include <filesystem>
#include <string_view>

namespace guardbit::sim {

/// Writes `text` to a temporary in `temporaries`, flushes it and links it to `target`, whose directory is made if need
/// be. Returns false, and changes nothing, if `target` exists. File systems without hard links: renamed without
/// replacing. UserError kIo if a write or flush fails (disk full; the temporary is removed), kCannotCreate if nothing
/// can be created.
[[nodiscard]] bool link_new_file(const std::filesystem::path& temporaries, const std::filesystem::path& target,
                                 std::string_view text);

/// Removes files in `temporaries` that no process holds open for writing and that are older than `least_age_seconds`.
void remove_stale(const std::filesystem::path& temporaries, int least_age_seconds);

}  // namespace guardbit::sim
