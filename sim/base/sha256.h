#pragma once
/// SHA-256 (FIPS 180-4) by libcrypto, as lower-case hexadecimal text.
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace guardbit::sim {

/// Hash of bytes that arrive in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(const void* data, std::size_t num_bytes);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  /// 64 digits over everything so far; ends this hash (further calls are internal errors).
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// Of a regular file's content; UserError kMissingInput or kIo as InputFile.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace guardbit::sim
