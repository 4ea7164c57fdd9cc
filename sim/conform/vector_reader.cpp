#include "sim/conform/vector_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "models/numerics/check.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::size_t kChunkBytes = 1 << 16;

[[noreturn]] void refuse(const std::filesystem::path& file, std::string_view text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

/// Long fields are cut in messages.
std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 80;
  return text.size() <= kShown ? std::string(text) : std::string(text.substr(0, kShown)) + "...";
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

VectorLine::VectorLine(const std::filesystem::path& file, std::uint64_t number, std::string text)
    : place_(fmt::format("{}:{}", file.string(), number)), number_(number), text_(std::move(text)) {
  std::size_t begin = 0;
  while (true) {
    while (begin < text_.size() && is_blank(text_[begin])) ++begin;
    if (begin == text_.size()) break;
    std::size_t end = begin;
    while (end < text_.size() && !is_blank(text_[end])) ++end;
    fields_.emplace_back(text_.substr(begin, end - begin));
    begin = end;
  }
}

void VectorLine::fail(std::string_view got, std::string_view expected) const {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got {}; expected {}", place_, shown(got), expected));
}

void VectorLine::require_size(std::size_t low, std::size_t high, std::string_view layout) const {
  if (size() >= low && size() <= high) return;
  const std::string count = low == high ? fmt::format("{}", low) : fmt::format("{} or {}", low, high);
  fail(fmt::format("{} fields, '{}'", size(), shown(text_)), fmt::format("{}: {}", count, layout));
}

std::uint32_t parse_code(std::string_view digits, int num_bits, const VectorLine& line) {
  const auto num_digits = static_cast<std::size_t>((num_bits + 3) / 4);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  const bool valid = error == std::errc{} && end == digits.data() + digits.size() && digits.size() == num_digits &&
                     digits[0] != '-' && value >> num_bits == 0;
  if (!valid) {
    line.fail(fmt::format("'{}'", shown(digits)),
              fmt::format("{} hexadecimal digits, a number of {} bits", num_digits, num_bits));
  }
  return static_cast<std::uint32_t>(value);
}

std::uint32_t VectorLine::hex(std::size_t index, int num_bits) const {
  return parse_code(fields_[index], num_bits, *this);
}

std::uint32_t VectorLine::code(std::size_t index, const numerics::FloatFormat& format) const {
  return hex(index, format.storage_bits());
}

std::uint64_t VectorLine::decimal(std::size_t index, std::uint64_t low, std::uint64_t high) const {
  const std::string& field = fields_[index];
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size() || value < low || value > high) {
    fail(fmt::format("'{}'", shown(field)), fmt::format("a decimal number in {}..{}", low, high));
  }
  return value;
}

VectorReader::VectorReader(const std::filesystem::path& file) : input_(file), in_(kChunkBytes) {
  unsigned char magic[2] = {};
  if (input_.size() >= sizeof magic) input_.read_at(0, magic, sizeof magic);
  compressed_ = magic[0] == 0x1F && magic[1] == 0x8B;
  constexpr int kGzipWindowBits = 15 + 16;
  if (compressed_) GUARDBIT_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK, "zlib can start");
}

VectorReader::~VectorReader() {
  if (compressed_) inflateEnd(&stream_);
}

bool VectorReader::fill_plain() {
  const auto num_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, input_.size() - offset_));
  if (num_bytes == 0) return false;
  const std::size_t old_size = out_.size();
  out_.resize(old_size + num_bytes);
  input_.read_at(offset_, out_.data() + old_size, num_bytes);
  offset_ += num_bytes;
  return true;
}

bool VectorReader::fill_inflated() {
  if (stream_ended_) return false;
  const std::size_t old_size = out_.size();
  out_.resize(old_size + kChunkBytes);
  stream_.next_out = reinterpret_cast<Bytef*>(out_.data() + old_size);
  stream_.avail_out = static_cast<uInt>(kChunkBytes);
  while (stream_.avail_out != 0 && !stream_ended_) {
    if (stream_.avail_in == 0) {
      const auto num_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, input_.size() - offset_));
      if (num_bytes == 0) refuse(path(), "the gzip stream ends early; expected a complete file");
      input_.read_at(offset_, in_.data(), num_bytes);
      offset_ += num_bytes;
      stream_.next_in = in_.data();
      stream_.avail_in = static_cast<uInt>(num_bytes);
    }
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      stream_ended_ = true;
    } else if (status != Z_OK) {
      refuse(path(), fmt::format("damaged gzip stream near byte {}", offset_ - stream_.avail_in));
    }
  }
  if (stream_ended_ && (stream_.avail_in != 0 || offset_ != input_.size())) {
    refuse(path(), fmt::format("got {} bytes behind the gzip stream; expected none",
                               stream_.avail_in + (input_.size() - offset_)));
  }
  out_.resize(old_size + kChunkBytes - stream_.avail_out);
  return true;
}

bool VectorReader::fill() {
  out_.erase(0, out_position_);
  out_position_ = 0;
  return compressed_ ? fill_inflated() : fill_plain();
}

bool VectorReader::next_text(std::string& text) {
  std::size_t end = 0;
  while ((end = out_.find('\n', out_position_)) == std::string::npos) {
    if (out_.size() - out_position_ > kMaxLineBytes) break;
    if (!fill()) break;
  }
  if (end == std::string::npos) end = out_.size();
  if (out_position_ == out_.size()) return false;
  ++line_number_;
  if (end - out_position_ > kMaxLineBytes) {
    refuse(path(), fmt::format("line {} is longer than {} bytes; expected one vector", line_number_, kMaxLineBytes));
  }
  text = out_.substr(out_position_, end - out_position_);
  out_position_ = std::min(end + 1, out_.size());
  return true;
}

std::unique_ptr<VectorLine> VectorReader::next() {
  std::string text;
  while (next_text(text)) {
    if (text.starts_with('#')) continue;
    const auto odd =
        std::find_if(text.begin(), text.end(), [](char c) { return !is_blank(c) && (c < '!' || c > '~'); });
    if (odd != text.end()) {
      refuse(path(), fmt::format("line {}: got byte 0x{:02X}; expected printable ASCII", line_number_,
                                 static_cast<unsigned char>(*odd)));
    }
    auto line = std::make_unique<VectorLine>(path(), line_number_, std::move(text));
    if (line->size() != 0) return line;
  }
  return nullptr;
}

}  // namespace guardbit::sim
