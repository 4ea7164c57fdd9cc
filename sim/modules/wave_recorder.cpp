#include "sim/modules/wave_recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sysc/tracing/sc_tracing_ids.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "sim/base/error.h"
#include "sim/modules/cycle_time.h"
#include "sim/modules/start_systemc.h"

namespace guardbit::sim {

namespace {

constexpr const char* kPipeName = "wave";  // SystemC appends ".vcd"

/// VCD times count time resolutions, so that the half cycles of a DMA engine's requests are exact too.
std::uint64_t time_of(std::uint64_t cycle) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / cycle_value();
  return std::min(cycle, most) * cycle_value();
}

UserError failure(const std::filesystem::path& file, ExitCode code, const char* what) {
  return {code, fmt::format("--wave {}: {}: {}", file.string(), what, std::strerror(errno))};
}

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw failure(file, ExitCode::kCannotCreate, what);
}

std::uint64_t parse_cycle(std::string_view text, std::uint64_t if_empty, const std::string& window) {
  if (text.empty()) return if_empty;
  std::uint64_t cycle = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cycle);
  if (error == std::errc() && end == text.data() + text.size()) return cycle;
  throw UserError(ExitCode::kUsage, fmt::format("--wave-window: got '{}'; expected from:to in cycles", window));
}

}  // namespace

void parse_wave_window(const std::string& text, WaveOptions& options) {
  const std::size_t colon = text.find(':');
  const std::string_view whole(text);
  const bool has_colon = colon != std::string::npos;
  options.from_cycle = parse_cycle(whole.substr(0, has_colon ? colon : 0), 0, text);
  options.to_cycle = parse_cycle(has_colon ? whole.substr(colon + 1) : whole.substr(0, 0),
                                 std::numeric_limits<std::uint64_t>::max(), text);
  if (!has_colon || options.from_cycle >= options.to_cycle) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--wave-window: got '{}'; expected from:to in cycles, from below to", text));
  }
}

WaveRecorder::WaveRecorder(const WaveOptions& options)
    : options_(options),
      file_(options.file),
      window_(time_of(options.from_cycle), time_of(options.to_cycle),
              [this](std::string_view text) { file_.write(text); }) {
  try {
    start_recording();
  } catch (...) {
    close();
    throw;
  }
}

void WaveRecorder::start_recording() {
  open_pipe();
  trace_ = sc_core::sc_create_vcd_trace_file((directory_ / kPipeName).c_str());
  // SystemC would say on standard output, where reports are, which unit it was told.
  sc_core::sc_report_handler::set_actions(sc_core::SC_ID_TRACING_TIMESCALE_UNIT_, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_ID_TRACING_CLOSE_EMPTY_FILE_, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_ID_TRACING_FOPEN_FAILED_, sc_core::SC_THROW);  // not abort
  trace_->set_time_unit(1, sc_core::SC_PS);
  try {
    copier_ = std::thread([this] { copy(); });
  } catch (const std::system_error& error) {
    errno = error.code().value();
    throw failure(options_.file, ExitCode::kRefused, "no thread for its pipe");
  }
}

void WaveRecorder::open_pipe() {
  std::error_code missing;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(missing);
  if (missing) {
    errno = missing.value();
    fail(options_.file, "no temporary directory (TMPDIR)");
  }
  std::string name = (parent / "guardbit-wave-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) fail(options_.file, "no directory for a pipe");
  directory_ = name;
  const std::filesystem::path pipe = pipe_file();
  constexpr mode_t kOwnerOnly = 0600;
  if (mkfifo(pipe.c_str(), kOwnerOnly) != 0) fail(options_.file, "no pipe");
  read_end_ = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (read_end_ >= 0) write_end_ = open(pipe.c_str(), O_WRONLY | O_CLOEXEC);  // would wait for a reader
  if (read_end_ < 0 || write_end_ < 0 || fcntl(read_end_, F_SETFL, 0) != 0) fail(options_.file, "no pipe");
}

WaveRecorder::~WaveRecorder() { close(); }

void WaveRecorder::copy() {
  constexpr std::size_t kPieceBytes = 8192;  // on a stack that may be small
  std::array<char, kPieceBytes> piece;       // NOLINT: read() fills it
  while (true) {
    const ssize_t count = read(read_end_, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) return;
    if (count < 0) {
      if (!error_) error_ = std::make_exception_ptr(failure(options_.file, ExitCode::kIo, "cannot read its pipe"));
      give_up_reading();
      return;
    }
    if (error_) continue;  // SystemC must be able to go on writing
    try {
      window_.feed({piece.data(), static_cast<std::size_t>(count)});
    } catch (...) {
      error_ = std::current_exception();
    }
  }
}

/// SystemC, which may not have opened the pipe yet, must not wait for a reader.
void WaveRecorder::give_up_reading() {
  const std::filesystem::path pipe = pipe_file();
  unlink(pipe.c_str());
  (void)!symlink("/dev/null", pipe.c_str());
  ::close(std::exchange(read_end_, -1));
}

std::filesystem::path WaveRecorder::pipe_file() const { return directory_ / (std::string(kPipeName) + ".vcd"); }

void WaveRecorder::close() {
  // One that could not open its file divides by zero when it is closed; it is left to the end of the process.
  const bool is_open = sc_core::sc_report_handler::get_count(sc_core::SC_ID_TRACING_FOPEN_FAILED_) == 0;
  if (trace_ != nullptr && is_open) sc_core::sc_close_vcd_trace_file(trace_);
  trace_ = nullptr;
  if (write_end_ >= 0) ::close(write_end_);
  write_end_ = -1;
  if (copier_.joinable()) copier_.join();
  if (read_end_ >= 0) ::close(read_end_);
  read_end_ = -1;
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void WaveRecorder::finish() {
  // SystemC records a moment when time leaves it.
  if (sc_core::sc_is_running()) start_systemc(time_of_cycles(1));
  close();
  if (error_) std::rethrow_exception(error_);
  window_.finish();
  file_.commit();
}

bool WaveRecorder::is_selected(const std::string& name) const {
  return fnmatch(options_.select.c_str(), name.c_str(), 0) == 0;
}

void WaveRecorder::check_selection() const {
  if (num_selected_ > kMaxSignals) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--wave-select: got '{}', which {} signals match; expected a pattern of at most {}, "
                                "such as '*.pe_0_*' for the first row of PEs or '*.state' for the units",
                                options_.select, num_selected_, kMaxSignals));
  }
  if (num_selected_ != 0) return;
  throw UserError(ExitCode::kUsage,
                  fmt::format("--wave-select: got '{}', which no signal matches; expected a pattern of: {}",
                              options_.select, names_));
}

}  // namespace guardbit::sim
