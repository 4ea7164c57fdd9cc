#include "sim/trace/encoded_tensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/numerics/check.h"
#include "sim/base/atomic_file.h"
#include "sim/trace/safetensors.h"

namespace guardbit::sim {
namespace {

std::uint64_t bits_of(const EncodedTensor& tensor) {
  const auto* row = std::find_if(kTensorDtypes.begin(), kTensorDtypes.end(),
                                 [&](const TensorDtype& dtype) { return dtype.name == tensor.dtype; });
  GUARDBIT_CHECK(row != kTensorDtypes.end(), tensor.dtype + " is a safetensors dtype");
  return row->num_bits;
}

}  // namespace

void write_encoded_tensors(const std::filesystem::path& file, const std::vector<EncodedTensor>& tensors,
                           const std::map<std::string, std::string>& metadata) {
  std::vector<const EncodedTensor*> order;
  for (const EncodedTensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(),
                   [](const EncodedTensor* a, const EncodedTensor* b) { return bits_of(*a) > bits_of(*b); });
  nlohmann::ordered_json header = {{"__metadata__", metadata}};
  std::size_t end = 0;
  for (const EncodedTensor* tensor : order) {
    GUARDBIT_CHECK(!header.contains(tensor->name), "tensor names are unique");
    const std::size_t begin = end;
    end += tensor->bytes.size();
    header[tensor->name] = {{"dtype", tensor->dtype}, {"shape", tensor->shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  constexpr std::size_t kAlignment = 8;
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');

  AtomicFile output(file);
  const std::uint64_t header_bytes = text.size();
  output.write(&header_bytes, sizeof header_bytes);
  output.write(text);
  for (const EncodedTensor* tensor : order) output.write(tensor->bytes.data(), tensor->bytes.size());
  output.commit();
}

}  // namespace guardbit::sim
