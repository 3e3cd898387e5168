#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/build_folders.hpp"
#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ReleasePackTest : public ApplicationTest {
 protected:
  ReleasePackTest() {
    payload_ = (root_ / "pi_client").string();
    tar_ = (root_ / "release.tar").string();
    write("client.py", std::string(2000, 'c'));
    write("lib/sound.py", "sound");
    write("__pycache__/x.pyc", "x");
  }

  void write(const std::string& path, const std::string& content) const {
    const fs::path file = fs::path(payload_) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
  std::string version_in_folder() const {
    return read_file(fs::path(payload_) / "VERSION", 100).value_or("none");
  }

  TemporaryFolder temporary_;
  fs::path root_ = temporary_.path();
  std::string payload_, tar_;
};

TEST_F(ReleasePackTest, ShowsWhatIsInItAndNeedsNoHub) {
  const Ran ran = run({"release", "pack", "v1.2.3", "Bug fixes", payload_, "--type", "urgent", "--packages",
                       "libopus0,libopus-dev", "-o", tar_});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string tar = read_file(tar_, 1 << 20).value();
  EXPECT_EQ(ran.out,
            "version      v1.2.3\n"
            "for          all\n"
            "type         urgent\n"
            "description  Bug fixes\n"
            "packages     libopus0, libopus-dev\n"
            "left out     payload/__pycache__\n"
            "size         7.5 KiB, 4 files\n"
            "sha256       " +
                sha256(tar).hex() +
                "\n"
                "\n"
                "CONTENT    FILES     SIZE\n"
                "VERSION        1      7 B\n"
                "client.py      1  2.0 KiB\n"
                "lib/           1      5 B\n"
                "written: " +
                tar_ + "\n");
  EXPECT_EQ(version_in_folder(), "none");
}

TEST_F(ReleasePackTest, SaysWhetherPythonPackagesAreInstalled) {
  write("requirements.txt", "opuslib==3.0.1\n");
  const auto packed = [this] {
    return run({"release", "pack", "v1.2.3", "Bug fixes", payload_, "-o", tar_});
  };
  EXPECT_THAT(packed().out,
              HasSubstr("python       requirements.txt is NOT installed, for want of wheels: pip "
                        "download -d wheels -r requirements.txt\n"));
  write("wheels/opuslib-3.0.1-py3-none-any.whl", "PK");
  const Ran ran = packed();
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("python       requirements.txt, from 1 wheel in wheels/\n"));
  EXPECT_THAT(ran.out, HasSubstr("\nwheels/ "));
  write("requirements.txt", "opuslib @ https://example.org/opuslib.whl\n");
  const Ran refused = packed();
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("requirements.txt:1: "));
}

TEST_F(ReleasePackTest, SaysItInJson) {
  const Ran ran = run({"--output", "json", "release", "pack", "v1.2.3", "Bug fixes", payload_, "-o", tar_});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"version\": \"v1.2.3\""));
  EXPECT_THAT(ran.out, HasSubstr("\"file\": \"" + tar_ + "\""));
}

TEST_F(ReleasePackTest, CountsUpFromTheVersionInTheFolder) {
  write("VERSION", "v1.2.3\n");
  for (const char* expected : {"v1.2.4\n", "v1.2.5\n"}) {
    const Ran ran = run({"release", "pack", "--bump", "patch", "Bug fixes", payload_, "-o", tar_});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(version_in_folder(), expected);
    EXPECT_THAT(read_file(tar_, 1 << 20).value(), HasSubstr(expected));
  }
  ASSERT_EQ(run({"release", "pack", "--bump", "minor", "Codec", payload_, "-o", tar_}).code, 0);
  EXPECT_EQ(version_in_folder(), "v1.3.0\n");
}

TEST_F(ReleasePackTest, SaysWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    int code;
    std::string_view message;
  } cases[] = {
      {{"v1.2.3", payload_}, 2, "VERSION DESCRIPTION FOLDER"},
      {{"v1.2.3", "x", payload_, "--bump", "patch"}, 2, "DESCRIPTION FOLDER"},
      {{"v1.2.3", "x", payload_, "--type", "soon"}, 2, "--type"},
      {{"v1.2.3", "x", payload_, "--architecture", "i386"}, 2, "--architecture"},
      {{"1.2.3", "x", payload_}, 1, "'1.2.3' is no version: one looks like v1.2.3"},
      {{"v1.2.3", "x", payload_, "--packages", "libopus0; reboot"},
       1,
       "'libopus0; reboot' is no Debian package"},
      {{"v1.2.3", "x", payload_ + "-none"}, 1, "No such file"},
      {{"--bump", "patch", "x", payload_}, 1, "the version to count up from"},
      {{"v1.2.3", "x", payload_, "-o", (root_ / "none/release.tar").string()}, 1, "creating"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments{"release", "pack"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, c.code) << testing::PrintToString(c.arguments) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(c.message));
    EXPECT_EQ(ran.out, "");
  }
}

// The script of the document, with a program in place of starling that shows what it is given.
TEST_F(ReleasePackTest, CreateUpdateTakesTheWordsOfTheDocument) {
  write("../tools/show", "#!/bin/sh\nprintf '%s|' \"$@\"\n");
  fs::permissions(root_ / "tools/show", fs::perms::owner_all);
  const auto said = [this](const std::string& arguments) {
    const std::string out = (root_ / "said").string();
    const std::string command = "cd " + (root_ / "tools").string() + " && STARLING=./show " +
                                (source_folder() / "packaging/create_update.sh ").string() + arguments +
                                " > " + out + " 2>&1";
    const int status = std::system(command.c_str());
    return (status == 0 ? "" : "failed: ") + read_file(out, 10'000).value();
  };
  const std::string folder = fs::canonical(payload_).string();
  EXPECT_EQ(said(R"(v1.2.3 "Bug fixes" scheduled "libopus0,libopus-dev")"),
            "release|create|v1.2.3|Bug fixes|--type|scheduled|--packages|libopus0,libopus-dev|--all|" +
                folder + "|");
  EXPECT_EQ(said(R"(v1.2.4 "Critical security patch" urgent)"),
            "release|create|v1.2.4|Critical security patch|--type|urgent|--all|" + folder + "|");
  EXPECT_THAT(said("v1.2.3"), HasSubstr("failed: usage: create_update.sh VERSION DESCRIPTION"));
  EXPECT_THAT(said("v1.2.3 x soon"), HasSubstr("failed: usage"));
  fs::remove_all(payload_);
  EXPECT_THAT(said("v1.2.3 x urgent"), HasSubstr("failed: create_update.sh: no pi_client/ in or above"));
}

}  // namespace
}  // namespace starling::cli
