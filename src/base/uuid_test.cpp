#include "base/uuid.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(Uuid, Version7CarriesTheTimeAndSortsByIt) {
  const std::string id = make_uuid_v7(WallTime(Milliseconds(0x017f22e279b0)));  // RFC 9562, appendix A.6
  EXPECT_EQ(id.substr(0, 15), "017f22e2-79b0-7");
  EXPECT_TRUE(is_uuid(id));
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  EXPECT_LT(id, make_uuid_v7(WallTime(Milliseconds(0x017f22e279b1))));
  EXPECT_NE(id, make_uuid_v7(WallTime(Milliseconds(0x017f22e279b0))));
}

TEST(Uuid, Version4IsRandom) {
  const std::string id = make_uuid_v4();
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(id[14], '4');
  EXPECT_NE(id, make_uuid_v4());
}

TEST(Uuid, IsRecognisedOnlyInCanonicalForm) {
  EXPECT_TRUE(is_uuid("00000000-0000-0000-0000-000000000000"));
  for (const char* bad : {"", "0", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e279b07cc398c4dc0c0c07398f",
                          "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
                          "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff", "017f22e2_79b0-7cc3-98c4-dc0c0c07398f"}) {
    EXPECT_FALSE(is_uuid(bad)) << bad;
  }
}

}  // namespace
}  // namespace starling
