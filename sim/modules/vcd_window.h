#pragma once
/// Cuts a window of time out of a VCD text as it streams by: the declarations, the values at the window's start, the
/// changes inside it.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace guardbit::sim {

class VcdWindow {
 public:
  /// Times are in the text's unit; changes with from <= time < to are kept. `emit` receives pieces of the result.
  VcdWindow(std::uint64_t from, std::uint64_t to, std::function<void(std::string_view)> emit)
      : from_(from), to_(to), emit_(std::move(emit)) {}

  /// The next bytes of the text, cut anywhere.
  void feed(std::string_view bytes);
  /// The text is complete: the window's end, and its start if time never reached it.
  void finish();

 private:
  void line(std::string_view text);
  void time(std::uint64_t now);
  void change(std::string_view text);
  void begin_window();

  const std::uint64_t from_;
  const std::uint64_t to_;
  const std::function<void(std::string_view)> emit_;
  std::string rest_;  ///< of a line not yet complete
  bool declared_ = false;
  bool in_date_ = false;
  bool begun_ = false;
  std::uint64_t now_ = 0;
  std::uint64_t told_time_ = 0;                ///< last "#time" emitted
  std::map<std::string, std::string> values_;  ///< latest change by identifier
};

}  // namespace guardbit::sim
