#pragma once
/// A store's results as one SQLite file (schema in docs/sweeps.md): points, variants, ops, events. The store stays the
/// truth: the database is made anew every time, and appears whole or not at all.
#include <filesystem>

#include "sim/sweep/sweep_status.h"

namespace guardbit::sim {

/// Writes `database`, replacing a sweep database that is there. UserError: kCannotCreate if something else is there,
/// kIo (disk full), kMalformedInput for a stored result that is no result (its checksums hold).
SweepStatus gather(const Store& store, const Plan& plan, const std::filesystem::path& database,
                   const StoreProgress& progress = {});

/// The column of an axis in table points: "array.rows" -> "array_rows".
[[nodiscard]] std::string column_of(const std::string& key);

}  // namespace guardbit::sim
