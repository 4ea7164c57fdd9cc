#include "sim/base/sha256.h"

// The functions of OpenSSL 1.1: unlike EVP they need no memory and no start-up of the library, which crashes without
// it.
#define OPENSSL_API_COMPAT 0x10100000L
#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "models/numerics/check.h"
#include "sim/base/input_file.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {

struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  GUARDBIT_CHECK(SHA256_Init(&state_->context) == 1, "libcrypto provides SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* data, std::size_t num_bytes) {
  GUARDBIT_CHECK(state_ && SHA256_Update(&state_->context, data, num_bytes) == 1, "hash is open");
}

std::string Sha256::hex() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  GUARDBIT_CHECK(state_ && SHA256_Final(digest.data(), &state_->context) == 1, "hash is open");
  state_.reset();
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  constexpr std::uint64_t kPieceBytes = 1 << 20;
  const InputFile input(file);
  Sha256 hash;
  std::vector<char> piece(static_cast<std::size_t>(std::min(kPieceBytes, input.size())));
  for (std::uint64_t offset = 0; offset < input.size();) {
    throw_if_interrupted();
    const auto num_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), input.size() - offset));
    input.read_at(offset, piece.data(), num_bytes);
    hash.update(piece.data(), num_bytes);
    offset += num_bytes;
  }
  return hash.hex();
}

}  // namespace guardbit::sim
