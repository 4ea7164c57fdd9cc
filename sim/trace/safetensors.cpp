#include "sim/trace/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/numerics/codec.h"
#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/trace/known_formats.h"
#include "sim/trace/strict_json.h"
#include "sim/trace/tensor_rows.h"

namespace guardbit::sim {
namespace {

static_assert(std::endian::native == std::endian::little, "file contents are copied as they are");

using numerics::Matrix;

constexpr std::uint64_t kPrefixBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // of the reference implementation
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxTensors = 1'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

const TensorDtype* find_dtype(std::string_view name) {
  const auto* found =
      std::find_if(kTensorDtypes.begin(), kTensorDtypes.end(), [&](const TensorDtype& d) { return d.name == name; });
  return found == kTensorDtypes.end() ? nullptr : found;
}

/// Bytes of a tensor; nothing if the number of elements or of bits needs more than 64 bits. A zero dimension does not
/// hide an overflow of the others.
std::optional<std::uint64_t> num_bits_of(const std::vector<std::uint64_t>& shape, std::uint64_t element_bits) {
  std::uint64_t product = element_bits;
  bool is_empty = false;
  for (const std::uint64_t size : shape) {
    is_empty = is_empty || size == 0;
    if (__builtin_mul_overflow(product, std::max<std::uint64_t>(size, 1), &product)) return std::nullopt;
  }
  return is_empty ? 0 : product;
}

/// One member of the header. Complains into the cursor's problems.
TensorInfo read_tensor_info(const JsonCursor& entry, std::uint64_t data_bytes) {
  TensorInfo info;
  entry.allow_only({"dtype", "shape", "data_offsets"});
  const JsonCursor dtype = entry.at("dtype");
  if (const TensorDtype* known = find_dtype(dtype.string())) {
    info.dtype = *known;
  } else if (dtype.exists() && dtype.value().kind == JsonValue::Kind::kString) {
    std::vector<std::string_view> names;
    for (const TensorDtype& row : kTensorDtypes) names.push_back(row.name);
    dtype.expected(fmt::format("one of: {}", fmt::join(names, ", ")));
  }
  const JsonCursor shape = entry.at("shape");
  for (const JsonCursor& size : shape.items()) info.shape.push_back(size.unsigned_in(0, UINT64_MAX));
  if (info.shape.size() > kMaxRank) shape.expected(fmt::format("at most {} dimensions", kMaxRank));

  const JsonCursor offsets = entry.at("data_offsets");
  const std::vector<JsonCursor> bounds = offsets.items();
  if (offsets.exists() && bounds.size() != 2) offsets.expected("two numbers, begin and end");
  if (bounds.size() == 2) {
    info.begin = bounds[0].unsigned_in(0, data_bytes);
    info.end = bounds[1].unsigned_in(0, data_bytes);
    if (info.begin > info.end && bounds[1].value().unsigned_value == info.end) {  // else the end was refused itself
      bounds[0].expected(fmt::format("begin not above end, which is {}", info.end));
    }
  }
  return info;
}

/// data_offsets must span exactly what shape and dtype need.
void check_span(const std::filesystem::path& file, const std::string& name, const TensorInfo& info) {
  const std::optional<std::uint64_t> num_bits = num_bits_of(info.shape, info.dtype.num_bits);
  if (!num_bits) {
    fail(file, fmt::format("tensor '{}': got shape {}; expected a product that fits in 64 bits", name, info.shape));
  }
  if (*num_bits % 8 != 0) {
    fail(file, fmt::format("tensor '{}': got {} bits of {}; expected a whole number of bytes", name, *num_bits,
                           info.dtype.name));
  }
  if (*num_bits / 8 != info.end - info.begin) {
    fail(file, fmt::format("tensor '{}': got {} bytes by data_offsets; expected {} bytes for shape {} of {}", name,
                           info.end - info.begin, *num_bits / 8, info.shape, info.dtype.name));
  }
}

/// Tensors must cover the data without holes and overlaps.
void check_coverage(const std::filesystem::path& file, const std::map<std::string, TensorInfo>& tensors,
                    std::uint64_t data_bytes) {
  std::vector<const std::pair<const std::string, TensorInfo>*> by_begin;
  by_begin.reserve(tensors.size());
  for (const auto& entry : tensors) by_begin.push_back(&entry);
  std::stable_sort(by_begin.begin(), by_begin.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t end = 0;
  for (const auto* entry : by_begin) {
    if (entry->second.begin != end) {
      fail(file,
           fmt::format("tensor '{}': got data from byte {}; expected {}, the end of the one before ({})", entry->first,
                       entry->second.begin, end, entry->second.begin < end ? "they overlap" : "there is a hole"));
    }
    end = entry->second.end;
  }
  if (end != data_bytes) {
    fail(file, fmt::format("got {} bytes of data; expected {}, the end of the last tensor", data_bytes, end));
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : input_(file), mapping_(input_) { read_header(); }

void SafetensorsFile::read_header() {
  const std::filesystem::path& file = path();
  if (input_.size() < kPrefixBytes) {
    fail(file, fmt::format("got {} bytes; expected at least the 8 of a safetensors header length", input_.size()));
  }
  std::uint64_t header_bytes = 0;
  input_.read_at(0, &header_bytes, sizeof header_bytes);
  const std::uint64_t rest = input_.size() - kPrefixBytes;
  if (header_bytes < 2 || header_bytes > kMaxHeaderBytes || header_bytes > rest) {
    const std::string_view start(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
    fail(file, fmt::format("got header length {}; expected 2..{} for this file of {} bytes{}", header_bytes,
                           std::min(rest, kMaxHeaderBytes), input_.size(),
                           start.starts_with('{') ? " (this is perhaps a JSON file)" : other_format(start)));
  }
  std::string header(static_cast<std::size_t>(header_bytes), '\0');
  input_.read_at(kPrefixBytes, header.data(), header.size());
  data_offset_ = kPrefixBytes + header_bytes;
  const std::uint64_t data_bytes = rest - header_bytes;

  if (header.front() != '{') fail(file, "the header does not begin with '{'; expected a JSON object at byte 8");
  const std::size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') fail(file, "the header does not end with '}'; expected only blanks after the JSON object");

  constexpr std::size_t kMaxDepth = 3;  // header, tensor, shape
  const JsonValue root = parse_json(header, file, {.max_depth = kMaxDepth, .max_members = kMaxTensors + 1});
  JsonProblems problems(file);
  for (const auto& [name, entry] : JsonCursor(root, problems).members()) {
    if (name == kMetadataKey) {
      for (const auto& [key, value] : entry.members()) {
        if (value.value().kind != JsonValue::Kind::kString) value.expected("a string");
        metadata_[key] = value.value().text;
      }
      problems.throw_if_any();
      continue;
    }
    const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
    });
    if (name.empty() || name.size() > kMaxNameBytes || has_control) {
      fail(file, fmt::format("got tensor name '{}' of {} bytes; expected 1..{} bytes without control characters",
                             name.substr(0, 80), name.size(), kMaxNameBytes));
    }
    TensorInfo info = read_tensor_info(entry, data_bytes);
    problems.throw_if_any();
    check_span(file, name, info);
    tensors_.emplace(name, std::move(info));
  }
  problems.throw_if_any();
  if (tensors_.size() > kMaxTensors) {
    fail(file, fmt::format("got {} tensors; expected at most {}", tensors_.size(), kMaxTensors));
  }
  check_coverage(file, tensors_, data_bytes);
}

const TensorInfo& SafetensorsFile::checked_info(const std::string& name, std::size_t rows, std::size_t cols) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail(path(), fmt::format("no tensor '{}'; expected one of shape ({}, {})", name, rows, cols));
  }
  const TensorInfo& info = found->second;
  const bool fits = (info.shape.size() == 2 && info.shape[0] == rows && info.shape[1] == cols) ||
                    (info.shape.size() == 1 && rows == 1 && info.shape[0] == cols);
  if (!fits) {
    fail(path(), fmt::format("tensor '{}': got shape {}; expected ({}, {})", name, info.shape, rows, cols));
  }
  if (info.dtype.name != "F64" && info.dtype.name != "F32" && info.dtype.name != "F16" && info.dtype.name != "BF16") {
    fail(path(), fmt::format("tensor '{}': got dtype {}; expected F64, F32, F16 or BF16", name, info.dtype.name));
  }
  return info;
}

Matrix<float> SafetensorsFile::read_matrix(const std::string& name, std::size_t rows, std::size_t cols,
                                           bool allow_nonfinite) const {
  const TensorInfo& info = checked_info(name, rows, cols);
  // check_span() found rows * cols * element bytes in the file, so this allocation is at most twice its size.
  Matrix<float> result(rows, cols);
  const RowConverter converter{.dtype = info.dtype.name,
                               .rows = rows,
                               .cols = cols,
                               .allow_nonfinite = allow_nonfinite,
                               .result = result.data().data(),
                               .half_values = info.dtype.name == "F16" ? half_values() : nullptr};
  std::size_t first_bad = 0;
  mapping_.visit(data_offset_ + info.begin, info.end - info.begin,
                 [&](const unsigned char* bytes) { first_bad = converter.convert(bytes); });
  if (first_bad == rows * cols) return result;
  double value = static_cast<double>(result.data()[first_bad]);
  if (info.dtype.name == "F64") {
    input_.read_at(data_offset_ + info.begin + first_bad * sizeof value, &value, sizeof value);
  }
  fail(path(),
       fmt::format("tensor '{}': got {} at ({}, {}); expected {}", name,
                   std::isfinite(value) ? fmt::format("{:a}", value) : fmt::format("{}", value), first_bad / cols,
                   first_bad % cols, std::isfinite(value) ? "values that binary32 holds exactly" : "finite values"));
}

void write_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::size_t end = 0;
  for (const TensorToWrite& tensor : tensors) {
    const Matrix<float>& values = *tensor.values;
    GUARDBIT_CHECK(!tensor.is_vector || values.rows() == 1, "a vector has one row");
    GUARDBIT_CHECK(!header.contains(tensor.name), "tensor names are unique");
    const bool is_half = tensor.dtype == TensorToWrite::Dtype::kF16;
    const std::size_t begin = end;
    end += values.data().size() * (is_half ? 2 : 4);
    auto& entry = header[tensor.name];
    entry["dtype"] = is_half ? "F16" : "F32";
    entry["shape"] = tensor.is_vector ? nlohmann::ordered_json::array({values.cols()})
                                      : nlohmann::ordered_json::array({values.rows(), values.cols()});
    entry["data_offsets"] = {begin, end};
  }
  std::string text = header.dump();
  constexpr std::size_t kAlignment = 8;
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');

  AtomicFile output(file);
  const std::uint64_t header_bytes = text.size();
  output.write(&header_bytes, sizeof header_bytes);
  output.write(text);
  for (const TensorToWrite& tensor : tensors) {
    const std::vector<float>& values = tensor.values->data();
    if (tensor.dtype == TensorToWrite::Dtype::kF32) {
      output.write(values.data(), values.size() * sizeof(float));
      continue;
    }
    std::vector<std::uint16_t> codes(values.size());
    std::transform(values.begin(), values.end(), codes.begin(), [](float value) {
      return static_cast<std::uint16_t>(numerics::from_carrier(value, numerics::kFp16));
    });
    output.write(codes.data(), codes.size() * sizeof(std::uint16_t));
  }
  output.commit();
}

}  // namespace guardbit::sim
