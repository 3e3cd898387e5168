#include "agent/supervisor/deaths/exec_failure.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct ExecFailure : testing::Test {
  std::string explain(std::string_view exec, int error) const {
    ModuleManifest manifest;
    manifest.name = "recorder";
    manifest.folder = folder.path().string();
    manifest.exec = (folder.path() / exec).lexically_normal().string();
    return explain_exec(manifest, error);
  }
  void put(std::string_view name, std::string_view text, bool executable = true) const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << text;
    if (executable) fs::permissions(folder / name, fs::perms::all);
  }
  TemporaryFolder folder;
};

TEST_F(ExecFailure, WhatDoesNotExistIsLookedForWhereItMayBeMeant) {
  put("bin/run", "#!/bin/sh\n");
  EXPECT_THAT(explain("bin/rum", ENOENT),
              HasSubstr("does not exist; exec is looked for in the module's folder"));
  EXPECT_THAT(explain("/opt/none/at/all", ENOENT), HasSubstr("install it, or correct exec"));
  EXPECT_THAT(explain("sh", ENOENT), AllOf(HasSubstr("PATH is not searched"), HasSubstr("bin/sh\"")));
  EXPECT_THAT(explain("bin/run --fast -v", ENOENT),
              HasSubstr(R"(exec = "bin/run", args = ["--fast", "-v"])"));
  EXPECT_THAT(explain("sh main.sh", ENOENT), HasSubstr(R"(bin/sh", args = ["main.sh"])"));
  EXPECT_THAT(explain("/bin/sh main.sh", ENOENT), HasSubstr(R"(exec = "/bin/sh", args = ["main.sh"])"));
  fs::create_symlink("/nowhere/run", folder / "link");
  EXPECT_THAT(explain("link", ENOENT), HasSubstr("a link to /nowhere/run, which does not exist"));
}

TEST_F(ExecFailure, APipeIsNotReadForWhatItMayBe) {
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(explain("pipe", EACCES), HasSubstr("no file that can be executed"));
}

TEST_F(ExecFailure, AScriptIsReadByItsInterpreter) {
  put("windows", "#!/bin/sh\r\necho\r\n");
  EXPECT_THAT(explain("windows", ENOENT),
              AllOf(HasSubstr("'/bin/sh\\r' is looked for"), HasSubstr("sed -i 's/\\r$//' ")));
  put("foreign", "#!/opt/none/python3 -u\n");
  EXPECT_THAT(explain("foreign", ENOENT),
              HasSubstr("names the interpreter /opt/none/python3, which does not"));
  put("bare", "#! python3\n");
  EXPECT_THAT(explain("bare", ENOENT), HasSubstr("#!/usr/bin/env python3"));
  put("interpreter", "x", false);
  put("locked", "#!" + (folder / "interpreter").string() + "\n");
  EXPECT_THAT(explain("locked", EACCES), HasSubstr("may not be executed"));
}

TEST_F(ExecFailure, WhatCannotBeExecutedIsToldApart) {
  put("plain", "#!/bin/sh\n", false);
  EXPECT_THAT(explain("plain", EACCES), HasSubstr("chmod +x " + (folder / "plain").string()));
  fs::create_directories(folder / "bin");
  EXPECT_THAT(explain("bin", EACCES), HasSubstr("it is a folder"));
  put("fine", "#!/bin/sh\n");
  EXPECT_THAT(explain("fine", EACCES), HasSubstr("to enter each folder above it"));
  put("empty", "");
  EXPECT_THAT(explain("empty", ENOEXEC), HasSubstr("it is empty"));
  put("text", "echo hello\n");
  EXPECT_THAT(explain("text", ENOEXEC), HasSubstr("first line begins with #!"));
  put("marked", "\xef\xbb\xbf#!/bin/sh\n");
  EXPECT_THAT(explain("marked", ENOEXEC), HasSubstr("byte order mark"));
  put("other", std::string("\x7f") + "ELF\x02\x01");
  EXPECT_THAT(explain("other", ENOEXEC), HasSubstr("another kind of processor"));
  EXPECT_THAT(explain("other", ENOENT), HasSubstr("a program for another system"));
  EXPECT_EQ(explain("fine", ENOMEM), "");
}

}  // namespace
}  // namespace starling::agent
