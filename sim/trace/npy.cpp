#include "sim/trace/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <string_view>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/trace/known_formats.h"

namespace guardbit::sim {
namespace {

static_assert(std::endian::native == std::endian::little, "little-endian elements are copied as they are");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr std::size_t kMaxRank = 8;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

/// The header's dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::filesystem::path& file) : text_(text), file_(file) {}

  NpyHeader parse() {
    NpyHeader header;
    expect('{');
    while (peek() != '}') {
      const std::string key = string();
      expect(':');
      take(key, header);
      if (peek() == ',') {
        ++position_;
      } else if (peek() != '}') {
        complain("',' or '}'");
      }
    }
    ++position_;
    skip_blanks();
    if (position_ != text_.size()) complain("the end of the header");
    if (!has_descr_ || !has_order_ || !has_shape_) complain("the keys 'descr', 'fortran_order' and 'shape'");
    return header;
  }

 private:
  [[noreturn]] void complain(std::string_view expected) const {
    constexpr std::size_t kShown = 40;
    fail(file_,
         fmt::format("header, byte {}: got '{}'; expected {}", position_, text_.substr(position_, kShown), expected));
  }
  void skip_blanks() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  char peek() {
    skip_blanks();
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  void expect(char wanted) {
    if (peek() != wanted || position_ >= text_.size()) complain(fmt::format("'{}'", wanted));
    ++position_;
  }
  /// A quoted literal without escapes.
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') complain("a quoted string");
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) complain("a closing quote");
    std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] :
         {std::pair{std::string_view("True"), true}, std::pair{std::string_view("False"), false}}) {
      if (!text_.substr(position_).starts_with(word)) continue;
      position_ += word.size();
      const char next = position_ < text_.size() ? text_[position_] : '\0';
      if (next == ',' || next == '}' || next == ' ' || next == '\n') return value;
      position_ -= word.size();
    }
    complain("True or False");
  }
  std::uint64_t dimension() {
    skip_blanks();
    std::uint64_t value = 0;
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc{} || value == 0) complain("a dimension of at least 1 below 2^64");
    position_ += static_cast<std::size_t>(end - begin);
    return value;
  }
  /// (), (3,) or (3, 4): one element needs its comma, otherwise it would be a number in parentheses.
  std::vector<std::uint64_t> shape() {
    std::vector<std::uint64_t> sizes;
    expect('(');
    bool comma = false;
    while (peek() != ')') {
      if (!sizes.empty() && !comma) complain("','");
      sizes.push_back(dimension());
      if (sizes.size() > kMaxRank) complain(fmt::format("at most {} dimensions", kMaxRank));
      comma = peek() == ',';
      if (comma) ++position_;
    }
    if (sizes.size() == 1 && !comma) complain("',' behind the only dimension");
    ++position_;
    return sizes;
  }
  void take_descr(NpyHeader& header) {
    if (peek() != '\'' && peek() != '"') complain("a plain type like '<f4'; structured types are not read");
    const std::string descr = string();
    const std::string_view name = std::string_view(descr).substr(std::min<std::size_t>(1, descr.size()));
    const NpyTypeRow* row = find_npy_type(name);
    const char order = descr.empty() ? '\0' : descr[0];
    const bool known_order = order == '<' || order == '>' || (order == '|' && row != nullptr && row->num_bytes == 1);
    if (row == nullptr || !known_order) {
      fail(file_, fmt::format("got descr '{}'; expected '<' or '>' (or '|' for one byte) and f2, f4, f8, i1, i2, i4, "
                              "i8, u1, u2, u4 or u8",
                              descr));
    }
    header.type = row->type;
    header.big_endian = order == '>' && row->num_bytes > 1;
  }
  void take(const std::string& key, NpyHeader& header) {
    bool* seen = key == "descr"           ? &has_descr_
                 : key == "fortran_order" ? &has_order_
                 : key == "shape"         ? &has_shape_
                                          : nullptr;
    if (seen == nullptr) fail(file_, fmt::format("header: got key '{}'; expected descr, fortran_order and shape", key));
    if (*seen) fail(file_, fmt::format("header: got key '{}' twice; expected it once", key));
    *seen = true;
    if (key == "descr") {
      take_descr(header);
    } else if (key == "fortran_order") {
      header.fortran_order = boolean();
    } else {
      header.shape = shape();
    }
  }

  std::string_view text_;
  const std::filesystem::path& file_;
  std::size_t position_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

/// Length of the header text, whose field has 2 bytes in version 1 and 4 in versions 2 and 3.
NpyHeader read_header(const InputFile& input) {
  const std::filesystem::path& file = input.path();
  constexpr std::size_t kPrefixBytes = 8;
  std::array<char, kPrefixBytes> prefix{};
  if (input.size() < kPrefixBytes) fail(file, fmt::format("got {} bytes; expected a .npy file", input.size()));
  input.read_at(0, prefix.data(), kPrefixBytes);
  const std::string_view start(prefix.data(), kPrefixBytes);
  if (!start.starts_with(kMagic)) fail(file, fmt::format("does not begin like a .npy file{}", other_format(start)));
  const int major = static_cast<unsigned char>(prefix[6]);
  if (major < 1 || major > 3 || prefix[7] != 0) {
    fail(file,
         fmt::format("got .npy version {}.{}; expected 1.0, 2.0 or 3.0", major, static_cast<unsigned char>(prefix[7])));
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::uint64_t rest = input.size() - kPrefixBytes;
  std::uint32_t header_bytes = 0;
  if (rest < length_bytes) fail(file, "ends inside the header's length");
  input.read_at(kPrefixBytes, &header_bytes, length_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest - length_bytes) {
    fail(file, fmt::format("got header length {}; expected at most {}", header_bytes,
                           std::min<std::uint64_t>(kMaxHeaderBytes, rest - length_bytes)));
  }
  std::string text(header_bytes, '\0');
  input.read_at(kPrefixBytes + length_bytes, text.data(), text.size());
  if (text.empty() || text.back() != '\n') fail(file, "the header does not end with a line end");
  NpyHeader header = HeaderParser(text, file).parse();
  header.data_offset = kPrefixBytes + length_bytes + header_bytes;
  return header;
}

/// Number of elements, which must fill the rest of the file exactly.
std::uint64_t checked_elements(const InputFile& input, const NpyHeader& header) {
  std::uint64_t product = bytes_of(header.type);
  for (const std::uint64_t size : header.shape) {
    if (__builtin_mul_overflow(product, size, &product)) {
      fail(input.path(),
           fmt::format("got shape ({}); expected a product that fits in 64 bits", fmt::join(header.shape, ", ")));
    }
  }
  const std::uint64_t data_bytes = input.size() - header.data_offset;
  if (product != data_bytes) {
    fail(input.path(), fmt::format("got {} bytes of data; expected {} for shape ({})", data_bytes, product,
                                   fmt::join(header.shape, ", ")));
  }
  return product / bytes_of(header.type);
}

/// Row-major index of element `position` of a file in Fortran order.
std::uint64_t row_major_index(std::uint64_t position, const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> index(shape.size());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  std::uint64_t result = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) result = result * shape[axis] + index[axis];
  return result;
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& file) : input_(file), header_(read_header(input_)) {
  header_.num_elements = checked_elements(input_, header_);
}

std::uint64_t NpyFile::cols() const { return header_.shape.empty() ? 1 : header_.shape.back(); }
std::uint64_t NpyFile::rows() const { return header_.num_elements / cols(); }

template <class Take>
void NpyFile::visit(const Take& take) const {
  const std::size_t element_bytes = bytes_of(header_.type);
  constexpr std::uint64_t kChunkElements = 1 << 16;
  std::vector<unsigned char> buffer(static_cast<std::size_t>(std::min(kChunkElements, header_.num_elements)) *
                                    element_bytes);
  for (std::uint64_t begin = 0; begin < header_.num_elements; begin += kChunkElements) {
    const auto count = static_cast<std::size_t>(std::min(kChunkElements, header_.num_elements - begin));
    input_.read_at(header_.data_offset + begin * element_bytes, buffer.data(), count * element_bytes);
    for (std::size_t i = 0; i < count; ++i) {
      unsigned char* bytes = buffer.data() + i * element_bytes;
      if (header_.big_endian) std::reverse(bytes, bytes + element_bytes);
      take(header_.fortran_order ? row_major_index(begin + i, header_.shape) : begin + i, bytes);
    }
  }
}

numerics::Matrix<float> NpyFile::read(bool require_finite) const {
  numerics::Matrix<float> result(static_cast<std::size_t>(rows()), static_cast<std::size_t>(cols()));
  const std::string place = path().string();
  visit([&](std::uint64_t index, const unsigned char* bytes) {
    result.data()[static_cast<std::size_t>(index)] =
        exact_float(npy_element(bytes, header_.type), require_finite, index, place);
  });
  return result;
}

std::vector<int> NpyFile::read_integers(int low, int high) const {
  const NpyType type = header_.type;
  if (type == NpyType::kF2 || type == NpyType::kF4 || type == NpyType::kF8) {
    fail(path(), "got a floating-point type; expected integers");
  }
  std::vector<int> result(static_cast<std::size_t>(header_.num_elements));
  visit([&](std::uint64_t index, const unsigned char* bytes) {
    const double value = npy_element(bytes, type);
    if (!(value >= low && value <= high)) {
      fail(path(), fmt::format("got {} at element {}; expected an integer in {}..{}", value, index, low, high));
    }
    result[static_cast<std::size_t>(index)] = static_cast<int>(value);
  });
  return result;
}

void write_npy(const std::filesystem::path& file, const std::string& descr, const std::vector<std::uint64_t>& shape,
               const std::vector<unsigned char>& bytes) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                                 fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kFixedBytes = 10 + 1;  // magic, version, length, and the line end
  text.append((kAlignment - (kFixedBytes + text.size()) % kAlignment) % kAlignment, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  AtomicFile output(file);
  output.write(kMagic);
  output.write(std::string_view("\x01\x00", 2));
  output.write(&length, sizeof length);
  output.write(text);
  output.write(bytes.data(), bytes.size());
  output.commit();
}

}  // namespace guardbit::sim
