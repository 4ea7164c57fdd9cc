#pragma once
/// Waveforms: chosen signals of the machine over a window of cycles, written by sc_trace as a VCD file that appears
/// whole or not at all. Recording changes neither cycles nor values.
///
/// SystemC writes its file without checking for errors, and from the first cycle on. So it writes into a pipe; a thread
/// cuts the window out and writes it, checked, to the file.
#include <exception>
#include <filesystem>
#include <string>
#include <systemc>
#include <thread>

#include "sim/base/atomic_file.h"
#include "sim/modules/vcd_window.h"
#include "sim/modules/wave_options.h"

namespace guardbit::sim {

class WaveRecorder {
 public:
  /// UserError kCannotCreate if the file or the pipe that SystemC writes to cannot be created, kRefused without a
  /// thread.
  explicit WaveRecorder(const WaveOptions& options);
  ~WaveRecorder();
  WaveRecorder(const WaveRecorder&) = delete;
  WaveRecorder& operator=(const WaveRecorder&) = delete;

  /// Records a variable that outlives the recorder, if its name is selected; before simulation starts. Whether it does.
  /// `listed`: the name is told where none is selected.
  template <class T>
  bool add(const std::string& name, const T& value, int width_bits, bool listed = true) {
    if (listed) names_ += (names_.empty() ? "" : ", ") + name;
    if (!is_selected(name)) return false;
    if (++num_selected_ > kMaxSignals) return false;  // check_selection() will refuse them all
    sc_core::sc_trace(trace_, value, name, width_bits);
    return true;
  }
  const WaveOptions& options() const { return options_; }
  /// UserError kUsage if no signal was selected, naming those there are, or more than kMaxSignals.
  void check_selection() const;
  /// After the last run (simulated time advances by a cycle): closes the recording and puts the file into place.
  /// UserError kIo if it could not be written.
  void finish();

 private:
  static constexpr std::size_t kMaxSignals = 4096;  ///< every one is looked at whenever time passes

  bool is_selected(const std::string& name) const;
  std::filesystem::path pipe_file() const;
  void start_recording();
  void open_pipe();
  void copy();
  void give_up_reading();
  void close();

  const WaveOptions options_;
  AtomicFile file_;
  VcdWindow window_;
  std::filesystem::path directory_;  ///< of the pipe
  int read_end_ = -1;
  int write_end_ = -1;  ///< keeps the pipe open while SystemC has not opened or has closed it
  sc_core::sc_trace_file* trace_ = nullptr;
  std::thread copier_;
  std::exception_ptr error_;  ///< of the copier
  std::string names_;
  std::size_t num_selected_ = 0;
};

}  // namespace guardbit::sim
