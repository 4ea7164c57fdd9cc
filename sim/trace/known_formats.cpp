#include "sim/trace/known_formats.h"

#include <algorithm>
#include <array>
#include <utility>

namespace guardbit::sim {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kFormats = {{
    {"GGUF", " (this is a GGUF file)"},
    {"PK\x03\x04", " (this is a ZIP archive, perhaps .npz or a PyTorch checkpoint)"},
    {"\x93NUMPY", " (this is a NumPy file)"},
    {"\x89HDF", " (this is an HDF5 file)"},
    {"version ", " (this is perhaps a Git LFS pointer; fetch the file itself)"},
}};

/// Protocols 2 to 5, and an opcode: the integer 640, with which other formats may begin, has a zero there.
bool is_pickle(std::string_view start) {
  return start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5 && start[2] != 0;
}

}  // namespace

std::string_view other_format(std::string_view start) {
  const auto* const found =
      std::ranges::find_if(kFormats, [start](const auto& format) { return start.starts_with(format.first); });
  if (found != kFormats.end()) return found->second;
  if (is_pickle(start)) return " (this is a Python pickle)";
  constexpr std::size_t kLengthBytes = 8;
  const bool is_safetensors = start.size() > kLengthBytes && start[kLengthBytes] == '{' &&
                              start.substr(4, 4) == std::string_view("\0\0\0\0", 4);
  return is_safetensors ? " (this is perhaps a safetensors file)" : "";
}

}  // namespace guardbit::sim
