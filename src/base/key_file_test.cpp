#include "base/key_file.hpp"

#include <gmock/gmock.h>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling {
namespace {

using testing::HasSubstr;

TEST(KeyFile, HoldsAKeyWithoutTheSpaceAroundIt) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.key";
  const struct {
    unsigned mode;
    bool warns;
  } cases[] = {{0600, false}, {0400, false}, {0640, true}, {0644, true}, {0604, true}};
  for (const auto& [mode, warns] : cases) {
    ASSERT_TRUE(write_file_durably(path, " \tsk_a b\r\n\n", mode));
    const auto file = read_key_file(path);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->key, "sk_a b");
    EXPECT_EQ(!file->warning.empty(), warns) << mode;
    if (warns) {
      EXPECT_THAT(file->warning, HasSubstr("chmod 600"));
    }
  }
}

TEST(KeyFile, WhatIsNoneIsWronglyGiven) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_durably(folder.path() / "empty.key", " \n", 0600));
  ASSERT_TRUE(write_file_durably(folder.path() / "long.key", std::string(5000, 'x'), 0600));
  const struct {
    std::filesystem::path path;
    std::string said;
  } cases[] = {{folder.path() / "none.key", "none.key: No such file"},
               {folder.path() / "empty.key", "empty.key is empty"},
               {folder.path() / "long.key", "long.key: larger than"},
               {folder.path() / "empty.key" / "below", "Not a directory"},
               {folder.path(), "is a folder"}};
  for (const auto& [path, said] : cases) {
    const auto file = read_key_file(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().code, ErrorCode::invalid_argument) << path;
    EXPECT_THAT(file.error().message, HasSubstr(said));
  }
}

}  // namespace
}  // namespace starling
