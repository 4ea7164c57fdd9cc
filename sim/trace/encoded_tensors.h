#pragma once
/// Writing tensors of codes, whose meaning is in the file's metadata, as safetensors.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace guardbit::sim {

/// A tensor as it lies in the file.
struct EncodedTensor {
  std::string name;
  std::string dtype;  ///< of kTensorDtypes: "U8", "U16", "U32", "I8", "F32"
  std::vector<std::uint64_t> shape;
  std::vector<unsigned char> bytes;  ///< row major, little endian
};

/// Writes a safetensors file atomically, wider elements first (each tensor is then aligned to its element), in the
/// given order among equals. Names are unique (internal error otherwise).
void write_encoded_tensors(const std::filesystem::path& file, const std::vector<EncodedTensor>& tensors,
                           const std::map<std::string, std::string>& metadata);

}  // namespace guardbit::sim
