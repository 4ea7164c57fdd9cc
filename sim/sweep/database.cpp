#include "sim/sweep/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <charconv>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

/// Exit code of a SQLite result code.
ExitCode exit_code(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR: return ExitCode::kIo;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return ExitCode::kCannotCreate;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return ExitCode::kMalformedInput;
    case SQLITE_NOMEM: return ExitCode::kRefused;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ExitCode::kIo;
    default: return ExitCode::kUsage;
  }
}

[[noreturn]] void fail(sqlite3* database, int code, const std::string& shown) {
  if (code == SQLITE_INTERRUPT) throw_if_interrupted();
  // A CREATE is refused while its row of the schema is compiled, which SQLite reports as SQLITE_ERROR.
  if (code == SQLITE_AUTH || std::string_view(sqlite3_errmsg(database)) == "not authorized") {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got a statement that does more than read; expected a SELECT", shown));
  }
  throw UserError(exit_code(code), fmt::format("{}: {}", shown, sqlite3_errmsg(database)));
}

/// Reading of tables and pure functions; nothing that writes, attaches or loads.
int authorize(void*, int action, const char*, const char* function, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      return function != nullptr && std::string_view(function) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_DENY;
  }
}

int on_progress(void*) { return interrupting_signal() != 0 ? 1 : 0; }

}  // namespace

Cell typed_cell(const std::string& text) {
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, integer); error == std::errc{} && stop == end) {
    return integer;
  }
  double real = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, real); error == std::errc{} && stop == end) {
    return real;
  }
  return text;
}

Statement::Statement(sqlite3* database, std::string_view sql, const std::string& shown)
    : database_(database), shown_(shown) {
  const char* rest = nullptr;
  check(sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_,
                           &rest));
  const std::string_view tail(rest, static_cast<std::size_t>(sql.data() + sql.size() - rest));
  const bool more = tail.find_first_not_of(" \t\r\n;") != std::string_view::npos;
  if (statement_ == nullptr || more) {
    sqlite3_finalize(statement_);
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got {}; expected one", shown, more ? "several statements" : "no statement"));
  }
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      shown_(std::move(other.shown_)) {}

void Statement::check(int code) const {
  if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) fail(database_, code, shown_);
}

Statement& Statement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, index, value));
  return *this;
}
Statement& Statement::bind(int index, double value) {
  check(sqlite3_bind_double(statement_, index, value));
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  check(sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
  return *this;
}
Statement& Statement::bind_null(int index) {
  check(sqlite3_bind_null(statement_, index));
  return *this;
}
Statement& Statement::bind(int index, const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return bind(index, *integer);
  if (const auto* real = std::get_if<double>(&cell)) return bind(index, *real);
  if (const auto* text = std::get_if<std::string>(&cell)) return bind(index, std::string_view(*text));
  return bind_null(index);
}

void Statement::run() {
  check(sqlite3_step(statement_));
  check(sqlite3_reset(statement_));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  check(code);
  return code == SQLITE_ROW;
}

int Statement::num_columns() const { return sqlite3_column_count(statement_); }
std::string Statement::column_name(int column) const { return sqlite3_column_name(statement_, column); }

Cell Statement::cell(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL: return std::monostate{};
    case SQLITE_INTEGER: return static_cast<std::int64_t>(sqlite3_column_int64(statement_, column));
    case SQLITE_FLOAT: return sqlite3_column_double(statement_, column);
    default: break;
  }
  const void* bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Database::Database(const std::filesystem::path& file, Mode mode) : shown_(file.string()) {
  if (mode != Mode::kCreate && !std::filesystem::is_regular_file(file)) {
    throw UserError(ExitCode::kMissingInput, fmt::format("{}: no such file; expected a database made by guardbit sweep "
                                                         "gather",
                                                         shown_));
  }
  const int access = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY
                     : mode == Mode::kWrite  ? SQLITE_OPEN_READWRITE
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int flags = access | SQLITE_OPEN_NOMUTEX;  // a connection stays in its thread
  const int code = sqlite3_open_v2(file.c_str(), &database_, flags, nullptr);
  try {
    if (code != SQLITE_OK) fail(database_, code, shown_);
    constexpr int kProgressSteps = 100'000;
    sqlite3_progress_handler(database_, kProgressSteps, on_progress, nullptr);
    constexpr int kBusyMilliseconds = 10'000;
    sqlite3_busy_timeout(database_, kBusyMilliseconds);
    if (mode == Mode::kCreate) {
      execute(
          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
          "PRAGMA cache_size = -65536; PRAGMA page_size = 16384;" +
          fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, kDatabaseVersion));
    } else {
      check_schema();
    }
    if (mode == Mode::kReadOnly) sqlite3_set_authorizer(database_, authorize, nullptr);
  } catch (...) {
    sqlite3_close_v2(database_);
    throw;
  }
}

Database::~Database() { sqlite3_close_v2(database_); }

void Database::close() {
  if (sqlite3_close(database_) != SQLITE_OK) fail(database_, SQLITE_IOERR, shown_);
  database_ = nullptr;
}

void Database::check_schema() const {
  const auto pragma = [this](const char* sql) {
    Statement statement = prepare(sql);
    return statement.step() ? std::get<std::int64_t>(statement.cell(0)) : 0;
  };
  if (pragma("PRAGMA application_id") != kApplicationId) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: is another SQLite database; expected one made by guardbit sweep gather", shown_));
  }
  const std::int64_t version = pragma("PRAGMA user_version");
  if (version != kDatabaseVersion) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got schema version {}; expected {}; gather again",
                                                           shown_, version, kDatabaseVersion));
  }
}

Statement Database::prepare(std::string_view sql) const { return {database_, sql, shown_}; }

void Database::execute(const std::string& sql) const {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(database_, code, shown_);
}

}  // namespace guardbit::sim
