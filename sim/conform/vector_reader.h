#pragma once
/// Lines of a vector file, plain or gzip (told by its first bytes), without comments and empty lines; and their fields,
/// whose complaints name file and line.
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/float_format.h"
#include "sim/base/input_file.h"

namespace guardbit::sim {

/// One line, split at blanks. Accessors throw UserError kMalformedInput "file:line: got X; expected Y".
class VectorLine {
 public:
  VectorLine(const std::filesystem::path& file, std::uint64_t number, std::string text);

  std::uint64_t number() const { return number_; }
  const std::string& text() const { return text_; }
  std::size_t size() const { return fields_.size(); }
  const std::string& operator[](std::size_t index) const { return fields_[index]; }

  /// A field of exactly `num_digits` hexadecimal digits below 2^num_bits.
  std::uint32_t hex(std::size_t index, int num_bits) const;
  /// A code of the format: ceil(bits / 4) digits.
  std::uint32_t code(std::size_t index, const numerics::FloatFormat& format) const;
  std::uint64_t decimal(std::size_t index, std::uint64_t low, std::uint64_t high) const;
  /// The number of fields must be one of low..high.
  void require_size(std::size_t low, std::size_t high, std::string_view layout) const;
  [[noreturn]] void fail(std::string_view got, std::string_view expected) const;

 private:
  std::string place_;
  std::uint64_t number_;
  std::string text_;
  std::vector<std::string> fields_;
};

/// `digits` as a number below 2^num_bits written with ceil(num_bits / 4) hexadecimal digits; complaints by `line`.
std::uint32_t parse_code(std::string_view digits, int num_bits, const VectorLine& line);

/// Reads line by line, so that a small compressed file cannot fill the memory.
/// UserError: kMissingInput, kMalformedInput (no regular file, damaged or truncated gzip, bytes behind it, a line above
/// kMaxLineBytes, bytes that are not printable ASCII).
class VectorReader {
 public:
  explicit VectorReader(const std::filesystem::path& file);
  ~VectorReader();
  VectorReader(const VectorReader&) = delete;
  VectorReader& operator=(const VectorReader&) = delete;

  const std::filesystem::path& path() const { return input_.path(); }
  /// The next line that holds a vector; nothing at the end of the file.
  std::unique_ptr<VectorLine> next();

 private:
  bool next_text(std::string& text);
  bool fill();
  bool fill_plain();
  bool fill_inflated();

  InputFile input_;
  bool compressed_ = false;
  bool stream_ended_ = false;  ///< the gzip member is complete
  std::uint64_t offset_ = 0;   ///< of the next byte to read from the file
  std::vector<unsigned char> in_;
  std::string out_;  ///< text not yet handed out
  std::size_t out_position_ = 0;
  std::uint64_t line_number_ = 0;
  z_stream stream_{};
};

inline constexpr std::size_t kMaxLineBytes = 1 << 16;

}  // namespace guardbit::sim
