#include "install/request_box.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::install {
namespace {

struct RequestBoxTest : testing::Test {
  RequestBoxTest() { std::filesystem::create_directory(folder / "install"); }
  void put(const std::string& text) { ASSERT_TRUE(write_file_durably(request, text)); }
  Result<std::optional<std::string>> read() { return RequestBox::open(folder.path()).value().read(); }

  TemporaryFolder folder;
  const std::filesystem::path request = folder / "install/request.json";
  const std::filesystem::path secret = folder / "secret";
};

TEST_F(RequestBoxTest, ARequestIsThereUntilItIsRemoved) {
  EXPECT_EQ(read().value(), std::nullopt);
  put("one");
  EXPECT_EQ(read().value(), "one");
  auto box = RequestBox::open(folder.path()).value();
  put("two");
  EXPECT_TRUE(box.remove("one"));
  EXPECT_EQ(read().value(), "two") << "it has become another";
  EXPECT_TRUE(box.remove("two"));
  EXPECT_TRUE(box.remove("two"));
  EXPECT_EQ(read().value(), std::nullopt);
}

TEST_F(RequestBoxTest, WhatIsNoPlainFileOfTheAgentsIsNotReadAndGoes) {
  ASSERT_TRUE(write_file_durably(secret, "secret"));
  const std::vector<std::pair<std::string, std::function<void()>>> tricks{
      {"a link", [&] { std::filesystem::create_symlink(secret, request); }},
      {"a second name", [&] { std::filesystem::create_hard_link(secret, request); }},
      {"a pipe", [&] { ASSERT_EQ(::mkfifo(request.c_str(), 0600), 0); }},
      {"too long", [&] { put(std::string(1u << 20, 'x')); }},
  };
  for (const auto& [what, trick] : tricks) {
    trick();
    const auto text = read();
    ASSERT_FALSE(text) << what;
    EXPECT_EQ(text.error().code, ErrorCode::invalid_argument) << what;
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(request))) << what;
    EXPECT_EQ(read_file(secret, 100).value(), "secret") << what;
  }
}

TEST_F(RequestBoxTest, AFolderThatLeadsElsewhereIsNotEntered) {
  std::filesystem::rename(folder / "install", folder / "elsewhere");
  EXPECT_EQ(RequestBox::open(folder.path()).error().code, ErrorCode::not_found);
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "install");
  EXPECT_EQ(RequestBox::open(folder.path()).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace starling::install
