#include "release/requirements.hpp"

#include <gtest/gtest.h>

namespace starling::release {
namespace {

TEST(Requirements, NameNothingButPackages) {
  for (const char* good :
       {"", "opuslib==3.0.1", "# https://pypi.org\n\nopuslib >= 3 ; python_version > '3'\r\n",
        "opuslib==3.0.1 \\\n    --hash=sha256:00\n"}) {
    EXPECT_TRUE(check_requirements(good)) << good;
  }
  for (const char* bad :
       {"-r more.txt", "a\n --index-url x", "a @ https://x/a.whl", "git+ssh://x/y", "-e ."}) {
    const auto refused = check_requirements(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_TRUE(check_requirements("a\n-f x").error().message.starts_with("requirements.txt:2: "));
}

TEST(Requirements, WheelsLieInAFolderBeside) {
  EXPECT_TRUE(is_wheel("payload/wheels/opuslib-3.0.1-py3-none-any.whl"));
  EXPECT_FALSE(is_wheel("payload/opuslib-3.0.1-py3-none-any.whl"));
  EXPECT_FALSE(is_wheel("payload/wheels/readme.txt"));
  EXPECT_FALSE(is_wheel("payload/wheels/more/opuslib-3.0.1-py3-none-any.whl"));
}

}  // namespace
}  // namespace starling::release
