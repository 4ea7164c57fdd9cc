#include "sim/modules/vcd_window.h"

#include <algorithm>

namespace guardbit::sim {

void VcdWindow::feed(std::string_view bytes) {
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    rest_ += bytes.substr(0, end);
    line(rest_);
    rest_.clear();
    bytes.remove_prefix(end + 1);
  }
  rest_ += bytes;
}

void VcdWindow::line(std::string_view text) {
  if (!declared_) {
    // The date of writing: equal runs give equal files.
    if (text.starts_with("$date")) in_date_ = true;
    if (in_date_) {
      in_date_ = !text.starts_with("$end");
      return;
    }
    emit_(std::string(text) + "\n");
    declared_ = text.starts_with("$enddefinitions");
    return;
  }
  if (text.starts_with('#')) {
    std::uint64_t now = 0;
    for (const char c : text) {  // a host program's std::locale may have grouped SystemC's digits
      if (c >= '0' && c <= '9') now = now * 10 + static_cast<std::uint64_t>(c - '0');
    }
    time(now);
  } else if (!text.empty() && (text.front() == 'b' || text.front() == '0' || text.front() == '1')) {
    change(text);
  }  // what is left are comments and the frame of the first values
}

void VcdWindow::time(std::uint64_t now) {
  if (!begun_ && now > from_) begin_window();
  now_ = now;
}

/// "0<id>", "1<id>" or "b<digits> <id>".
void VcdWindow::change(std::string_view text) {
  const std::string_view id = text.front() == 'b' ? text.substr(text.find(' ') + 1) : text.substr(1);
  values_[std::string(id)] = text;
  if (!begun_ || now_ >= to_) return;
  if (told_time_ != now_) emit_("#" + std::to_string(now_) + "\n");
  told_time_ = now_;
  emit_(std::string(text) + "\n");
}

void VcdWindow::begin_window() {
  begun_ = true;
  told_time_ = from_;
  std::string text = "#" + std::to_string(from_) + "\n$dumpvars\n";
  for (const auto& [id, value] : values_) text += value + "\n";
  emit_(text + "$end\n");
}

void VcdWindow::finish() {
  if (!begun_) begin_window();
  const std::uint64_t end = std::max(std::min(now_, to_), from_);
  if (end != told_time_) emit_("#" + std::to_string(end) + "\n");
}

}  // namespace guardbit::sim
