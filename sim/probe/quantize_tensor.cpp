#include "sim/probe/quantize_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "sim/base/error.h"
#include "sim/base/memory.h"
#include "sim/trace/encoded_tensors.h"
#include "sim/trace/npy.h"
#include "sim/trace/safetensors.h"

namespace guardbit::sim {
namespace {

bool is_npy(const std::filesystem::path& file) { return file.extension() == ".npy"; }

bool has_scales(const TensorCoding& coding) {
  return coding.scale != ScaleKind::kNone || std::holds_alternative<BlockCoding>(coding.destination);
}

void check_names(const QuantizeOptions& options) {
  for (const std::filesystem::path& file : {options.input, options.output}) {
    if (is_npy(file) || file.extension() == ".safetensors") continue;
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: expected a name that ends in .npy or .safetensors", file.string()));
  }
  if (is_npy(options.input) && !options.tensors.empty()) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--tensor: {} holds one tensor without a name", options.input.string()));
  }
  if (is_npy(options.output) && has_scales(options.coding) && !options.carrier) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: a .npy file has no place for scales; expected .safetensors, or "
                                                  "--carrier for values with their scales applied",
                                                  options.output.string()));
  }
}

/// The tensors of a file, read one at a time.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::size_t num_tensors() const = 0;
  virtual const std::vector<std::uint64_t>& shape(std::size_t index) const = 0;
  virtual SourceTensor read(std::size_t index) const = 0;
};

class NpySource final : public Source {
 public:
  explicit NpySource(const std::filesystem::path& file) : file_(file) {}
  std::size_t num_tensors() const override { return 1; }
  const std::vector<std::uint64_t>& shape(std::size_t) const override { return file_.header().shape; }
  /// The tensor has no name of its own; in a safetensors file it gets one.
  SourceTensor read(std::size_t) const override { return {"tensor", file_.header().shape, file_.read(false), 0}; }

 private:
  NpyFile file_;
};

class SafetensorsSource final : public Source {
 public:
  SafetensorsSource(const std::filesystem::path& path, const std::vector<std::string>& names)
      : file_(path), names_(names) {
    if (names_.empty()) {
      for (const auto& [name, info] : file_.tensors()) names_.push_back(name);
    }
    if (names_.empty()) {
      throw UserError(ExitCode::kMalformedInput, fmt::format("{}: no tensors; expected at least one", path.string()));
    }
    std::set<std::string> seen;
    for (const std::string& name : names_) check(name, seen.insert(name).second);
  }
  std::size_t num_tensors() const override { return names_.size(); }
  const std::vector<std::uint64_t>& shape(std::size_t index) const override {
    return file_.tensors().at(names_[index]).shape;
  }
  SourceTensor read(std::size_t index) const override {
    const TensorInfo& info = file_.tensors().at(names_[index]);
    const std::size_t rows = info.shape.size() == 1 ? 1 : info.shape[0];
    return {names_[index], info.shape, file_.read_matrix(names_[index], rows, info.shape.back()),
            static_cast<std::uint32_t>(index)};
  }

 private:
  void check(const std::string& name, bool is_new) const {
    const std::string path = file_.path().string();
    if (!file_.contains(name)) {
      throw UserError(ExitCode::kUsage, fmt::format("--tensor: {} has no tensor '{}'", path, printable(name)));
    }
    if (!is_new) {
      throw UserError(ExitCode::kUsage, fmt::format("--tensor: got '{}' twice; expected each name once", name));
    }
    const std::size_t rank = file_.tensors().at(name).shape.size();
    if (rank == 0 || rank > 2) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: tensor '{}': got rank {}; expected 1 or 2", path, printable(name), rank));
    }
  }

  SafetensorsFile file_;
  std::vector<std::string> names_;
};

std::unique_ptr<Source> open_source(const QuantizeOptions& options) {
  if (is_npy(options.input)) return std::make_unique<NpySource>(options.input);
  return std::make_unique<SafetensorsSource>(options.input, options.tensors);
}

/// The largest input, and everything that is to be written.
void check_memory(const Source& source, const QuantizeOptions& options) {
  double largest = 0;
  double bytes = 0;
  for (std::size_t i = 0; i < source.num_tensors(); ++i) {
    double num_elements = 1;
    for (const std::uint64_t size : source.shape(i)) num_elements *= static_cast<double>(size);
    largest = std::max(largest, num_elements);
    bytes += coded_bytes(source.shape(i), options.coding, options.carrier);
  }
  require_memory(bytes + sizeof(float) * largest, options.input.string());
}

/// Scales get names that a tensor of the input may have.
void check_unique(const std::vector<EncodedTensor>& parts, const std::string& input) {
  std::set<std::string> names;
  for (const EncodedTensor& part : parts) {
    if (names.insert(part.name).second) continue;
    throw UserError(ExitCode::kUsage, fmt::format("{}: got a tensor '{}', the name of another one's scales; expected "
                                                  "--tensor to choose among them",
                                                  input, printable(part.name)));
  }
}

void write_output(const std::vector<EncodedTensor>& parts, const TensorCoding& coding,
                  const std::filesystem::path& file) {
  if (is_npy(file)) {
    static const std::map<std::string, std::string> kNpyTypes = {
        {"F32", "<f4"}, {"I8", "|i1"}, {"I16", "<i2"}, {"I32", "<i4"}, {"U8", "|u1"}, {"U16", "<u2"}, {"U32", "<u4"}};
    const EncodedTensor& tensor = parts.front();
    return write_npy(file, kNpyTypes.at(tensor.dtype), tensor.shape, tensor.bytes);
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : describe(coding)) metadata["guardbit." + key] = text;
  write_encoded_tensors(file, parts, metadata);
}

}  // namespace

QuantizeResult quantize_file(const QuantizeOptions& options) {
  check_names(options);
  const std::unique_ptr<Source> source = open_source(options);
  if (is_npy(options.output) && source->num_tensors() != 1) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got {} tensors for a .npy file, which holds one; expected --tensor",
                                options.output.string(), source->num_tensors()));
  }
  check_memory(*source, options);
  QuantizeResult result;
  result.input = options.input.string();
  result.output = options.output.string();
  result.coding = describe(options.coding);
  result.least_exponent = exponent_range(options.coding).least;
  result.largest_exponent = exponent_range(options.coding).largest;
  std::vector<EncodedTensor> parts;
  const auto tell = [&](std::size_t done) {
    if (options.progress) options.progress(done, source->num_tensors());
  };
  tell(0);
  for (std::size_t i = 0; i < source->num_tensors(); ++i) {
    CodedTensor coded = code_tensor(source->read(i), options.coding, options.carrier, options.parallel_for);
    result.tensors.push_back(std::move(coded.report));
    std::move(coded.parts.begin(), coded.parts.end(), std::back_inserter(parts));
    tell(i + 1);
  }
  check_unique(parts, result.input);
  write_output(parts, options.coding, options.output);
  return result;
}

}  // namespace guardbit::sim
