#include "base/net/loopback.hpp"

#include <gtest/gtest.h>

#include <string>

namespace starling::net {
namespace {

TEST(Loopback, IsToldByTheAddressAndNotByItsBeginning) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1",
                           "[::ffff:127.1.2.3]", "localhost"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host :
       {"", "0.0.0.0", "::", "192.0.2.1", "127.example.org", "127.0.0.1.example.org", "127.", "127.1",
        "localhost.example.org", "Localhost", "::ffff:192.0.2.1", "[]", "[127.0.0.1", "::1 ", "128.0.0.1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
  EXPECT_FALSE(is_loopback(std::string("127.0.0.1\0", 10)));
}

}  // namespace
}  // namespace starling::net
