#pragma once
/// SQLite as this layer needs it: connections and statements that clean up after themselves and whose errors are
/// UserErrors.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace guardbit::sim {

/// A cell: NULL, INTEGER, REAL or TEXT.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string>;

/// The number that all of `text` is, or the text.
[[nodiscard]] Cell typed_cell(const std::string& text);

class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql, const std::string& shown);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  /// Parameter from 1. The bytes of a view must live until the next run() or reset.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  Statement& bind(int index, const Cell& cell);
  /// Runs a statement without rows and makes it ready for the next binds.
  void run();
  /// Advances to the next row; false after the last one.
  [[nodiscard]] bool step();

  [[nodiscard]] int num_columns() const;
  [[nodiscard]] std::string column_name(int column) const;
  [[nodiscard]] Cell cell(int column) const;

 private:
  void check(int code) const;
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  std::string shown_;  ///< the database, in messages
};

class Database {
 public:
  enum class Mode : std::uint8_t {
    kCreate,    ///< a new file: fast, without a journal; what dies half-way is thrown away
    kWrite,     ///< an existing sweep database
    kReadOnly,  ///< likewise; SELECT alone: every other statement is refused when it is prepared
  };
  /// UserError: kMissingInput if there is no such file, kMalformedInput if it is no sweep database or one of another
  /// schema version, kCannotCreate or kIo if it cannot be written.
  Database(const std::filesystem::path& file, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// One statement; text after it, or none, is UserError kUsage, as is any mistake in it.
  [[nodiscard]] Statement prepare(std::string_view sql) const;
  void execute(const std::string& sql) const;  ///< any number of statements without rows
  void close();

 private:
  void check_schema() const;
  sqlite3* database_ = nullptr;
  std::string shown_;
};

inline constexpr int kDatabaseVersion = 1;
/// PRAGMA application_id of a sweep database: "GBSW".
inline constexpr std::int32_t kApplicationId = 0x47425357;

}  // namespace guardbit::sim
