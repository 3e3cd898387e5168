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

TEST(Child, WhatSaysTooMuchTakesNoMoreRoom) {
  const auto ended = run_child({{"head", "-c", "20000000", "/dev/zero"}});
  ASSERT_TRUE(ended);
  EXPECT_FALSE(ended->well);
  EXPECT_EQ(ended->output.size(), max_output_bytes);
}

TEST(Child, WhatDoesNotEndIsKilled) {
  const auto ended = run_child({{"sleep", "100000"}, "/", {}, Milliseconds(1)});
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
}

}  // namespace
}  // namespace starling::install
