#pragma once
/// One SELECT over a sweep database, as text.
#include <filesystem>
#include <string>
#include <string_view>

namespace guardbit::sim {

enum class TableFormat : std::uint8_t { kTable, kCsv, kJson };

/// UserError kUsage for a mistake in the SQL and for statements that do more than read; else as Database.
[[nodiscard]] std::string query(const std::filesystem::path& database, std::string_view sql, TableFormat format);

}  // namespace guardbit::sim
