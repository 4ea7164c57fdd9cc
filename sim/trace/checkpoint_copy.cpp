#include "sim/trace/checkpoint_copy.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "models/numerics/check.h"
#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

/// A file in the making that hashes what it is given.
class HashedOutput {
 public:
  /// `total_bytes`: what will be copied.
  HashedOutput(const fs::path& to, std::uint64_t total_bytes, const ByteProgress& progress)
      : file_(to), total_bytes_(total_bytes), progress_(progress) {}

  void write(const void* data, std::size_t num_bytes) {
    file_.write(data, num_bytes);
    hash_.update(data, num_bytes);
  }

  void copy(const InputFile& input, std::uint64_t offset, std::uint64_t num_bytes) {
    constexpr std::uint64_t kPieceBytes = 1 << 20;
    piece_.resize(static_cast<std::size_t>(kPieceBytes));
    while (num_bytes > 0) {
      throw_if_interrupted();
      const auto count = static_cast<std::size_t>(std::min(kPieceBytes, num_bytes));
      input.read_at(offset, piece_.data(), count);
      write(piece_.data(), count);
      offset += count;
      num_bytes -= count;
      copied_bytes_ += count;
      if (progress_) progress_(copied_bytes_, total_bytes_);
    }
  }

  std::string commit() {
    file_.commit();
    return hash_.hex();
  }

 private:
  AtomicFile file_;
  Sha256 hash_;
  std::vector<char> piece_;
  std::uint64_t total_bytes_;
  std::uint64_t copied_bytes_ = 0;
  const ByteProgress& progress_;
};

}  // namespace

std::string write_stored_tensors(const fs::path& to, const std::vector<StoredTensor>& tensors,
                                 const ByteProgress& progress) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::uint64_t end = 0;
  for (const StoredTensor& tensor : tensors) {
    GUARDBIT_CHECK(!header.contains(tensor.name), "tensor names are unique");
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {end, end + tensor.num_bytes}}};
    end += tensor.num_bytes;
  }
  std::string text = header.dump();
  constexpr std::size_t kAlignment = 8;
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t header_bytes = text.size();
  HashedOutput output(to, end, progress);
  output.write(&header_bytes, sizeof header_bytes);
  output.write(text.data(), text.size());
  std::unique_ptr<InputFile> input;
  for (const StoredTensor& tensor : tensors) {
    if (!input || input->path() != tensor.file) input = std::make_unique<InputFile>(tensor.file);
    output.copy(*input, tensor.offset, tensor.num_bytes);
  }
  return output.commit();
}

std::string copy_checkpoint(const fs::path& from, const fs::path& to, const ByteProgress& progress) {
  const InputFile input(from);
  HashedOutput output(to, input.size(), progress);
  output.copy(input, 0, input.size());
  return output.commit();
}

}  // namespace guardbit::sim
