#include "base/tls.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(Tls, TheCertificatesPinIsThatOfItsKey) {
  const http::TlsIdentity identity = make_self_signed_identity("hub.local");
  const std::string pin = pin_of_certificate(identity.certificate_pem).value();
  EXPECT_EQ(pin, pin_of_private_key(identity.private_key_pem).value());
  EXPECT_EQ(pin.size(), 7u + 44);
  EXPECT_TRUE(pin.starts_with("sha256/"));
  EXPECT_NE(pin, pin_of_certificate(make_self_signed_identity("127.0.0.1").certificate_pem).value());
  EXPECT_NE(pin, pin_of_private_key(make_private_key_pem()).value());
}

TEST(Tls, AnythingElseHasNoPin) {
  const http::TlsIdentity identity = make_self_signed_identity("::1");
  for (const std::string& bad : {std::string(), std::string("text"), identity.private_key_pem}) {
    EXPECT_EQ(pin_of_certificate(bad).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(pin_of_private_key(identity.certificate_pem).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace starling
