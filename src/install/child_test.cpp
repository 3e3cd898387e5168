#include "install/child.hpp"

#include <gtest/gtest.h>

namespace starling::install {
namespace {

TEST(Child, SaysHowItEndedAndWhatItSaid) {
  const auto well =
      run_child({{"sh", "-c", "echo out; echo err >&2; echo $LC_ALL$MORE $PWD"}, "/usr", {"MORE=more"}});
  ASSERT_TRUE(well) << well.error().message;
  EXPECT_TRUE(well->well);
  EXPECT_EQ(well->output, "out\nCmore /usr\n");
  EXPECT_EQ(well->errors, "err\n");
  EXPECT_FALSE(run_child({{"false"}})->well);
  EXPECT_EQ(run_child({{"no-such-program"}}).error().code, ErrorCode::not_found);
}

TEST(Child, OfWhatSaysMuchTheBeginningIsKept) {
  const auto ended = run_child({{"head", "-c", "20000000", "/dev/zero"}});
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->well);
  EXPECT_EQ(ended->output.size(), max_output_bytes);
}

TEST(Child, WhatFloodsIsKilled) {
  const auto ended = run_child({{"cat", "/dev/zero"}});
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().message.find("64 MiB"), std::string::npos) << ended.error().message;
}

// As scripts of packages do.
TEST(Child, MayOpenItsOutputAnew) {
  for (const char* script : {"set -e; echo hello > /dev/stderr", "set -e; echo hello >> /dev/stderr",
                             "echo hello | tee /dev/stderr"}) {
    const auto ended = run_child({{"sh", "-c", script}});
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->well) << script;
    EXPECT_EQ(ended->errors, "hello\n") << script;
  }
}

TEST(Child, WhatDoesNotEndIsKilled) {
  const auto ended = run_child({{"sleep", "100000"}, "/", {}, Milliseconds(1)});
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
}

}  // namespace
}  // namespace starling::install
