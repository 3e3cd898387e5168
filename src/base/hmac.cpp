#include "base/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace starling {

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  const auto* const text = reinterpret_cast<const unsigned char*>(message.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text, message.size(), bytes.data(),
           &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 is not available");
  }
  return {reinterpret_cast<const char*>(bytes.data()), length};
}

}  // namespace starling
