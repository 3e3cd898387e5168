// With the python3 of this machine, and a wheel that is made here: nothing comes from anywhere else.
#include "agent/update/environment_maker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>

#include "agent/posix_disk.hpp"
#include "agent/update/release_bench.hpp"
#include "agent/update/release_install.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A wheel is a ZIP. This one has a program beside its module.
constexpr const char* make_wheel = R"(
import sys, zipfile
info = 'hears-1.0.dist-info/'
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('hears.py', 'def main():\n    print("heard by", __name__)\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: hears\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\nhear = hears:main\n')
    wheel.writestr(info + 'RECORD', '')
)";

class Environments : public testing::Test {
 protected:
  Environments() { fs::create_directories(folder / "state/releases"); }

  template <typename T>
  T wait_for(asio::awaitable<T> task) {
    auto result = asio::co_spawn(context, std::move(task), asio::use_future);
    context.restart();
    context.run();
    return result.get();
  }
  Result<std::string> said_by(std::vector<std::string> arguments) {
    const std::string out = (folder / "out").string();
    arguments.insert(arguments.begin(), {"/bin/sh", "-c", "exec \"$@\" >\"$0\" 2>&1", out});
    auto child = ChildProcess::start(context.get_executor(), {std::move(arguments), {}});
    if (!child) return fail(child);
    if (const auto ended = wait_for((*child)->end()); !ended) return fail(ended);
    return read_file(out, 10'000);
  }
  std::string wheel() {
    const std::string file = (folder / "hears-1.0-py3-none-any.whl").string();
    const auto made = said_by({"/usr/bin/python3", "-c", make_wheel, file});
    EXPECT_TRUE(made) << made.error().message;
    return read_file(file, 100'000).value();
  }
  // As the updater does it.
  Result<void> install(const std::string& requirements) { return install(download(requirements), true); }
  ReleaseTarget download(const std::string& requirements) {
    const std::string tar =
        tar_of(release_parts("v1.0.0", {{"payload/requirements.txt", requirements},
                                        {"payload/wheels/hears-1.0-py3-none-any.whl", wheel()}}));
    const ReleaseTarget target = target_of("v1.0.0", tar);
    release_ = release_path(target.release.hash);
    EXPECT_TRUE(disk.write_file(release_tar_path(target.release.hash), tar, 0644));
    return target;
  }
  Result<void> install(const ReleaseTarget& target, bool equips) {
    ReleaseInstall installation(disk, target, equips);
    for (;;) {
      const auto progress = installation.step();
      if (!progress) return fail(progress);
      if (*progress == Progress::done) return {};
      const auto wish = installation.environment_to_make();
      if (!wish) continue;
      if (auto made = wait_for(maker.make(*wish)); !made) {
        installation.give_up();
        return made;
      }
      installation.environment_made();
    }
  }
  std::string program(std::string_view name) const {
    return (folder / "state" / release_ / "venv/bin" / name).string();
  }

  TemporaryFolder folder;
  asio::io_context context{1};
  PosixDisk disk{folder / "state"};
  EnvironmentMaker maker{context.get_executor(), folder / "state"};
  std::string release_;
};

TEST_F(Environments, HoldWhatTheReleaseHasBroughtAndGoWhereItGoes) {
  const auto installed = install("hears==1.0\n");
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(said_by({program("python"), "-c", "import hears; hears.main()"}).value(), "heard by hears\n");
  const auto said = said_by({program("hear")});
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(*said, "heard by hears\n");
  EXPECT_EQ(fs::status(program("hear")).permissions() & fs::perms::others_all,
            fs::perms::others_read | fs::perms::others_exec)
      << "whoever a module runs as";
}

TEST_F(Environments, AreMadeInAReleaseThatIsThereWhereSomethingElseComesFirst) {
  const ReleaseTarget target = download("hears==1.0\n");
  ASSERT_TRUE(install(target, false));
  EXPECT_FALSE(fs::exists(program("hear")));
  fs::create_directories(folder / "state" / release_ / "venv.new/of a former attempt");
  const auto installed = install(target, true);
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(said_by({program("hear")}).value(), "heard by hears\n");
  EXPECT_FALSE(fs::exists(folder / "state" / release_ / "venv.new"));
}

TEST_F(Environments, WhatIsNotPackedIsTheReasonWhyThereIsNone) {
  const auto refused = install("hears==1.0\nsees==2.0\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("No matching distribution found for sees==2.0"));
  EXPECT_FALSE(fs::exists(folder / "state" / release_));
  EXPECT_FALSE(fs::exists(folder / "state" / (release_ + ".new")));
}

class Children : public Environments {
 protected:
  Result<void> run(const std::string& script, Milliseconds limit = std::chrono::hours(1)) {
    auto child = ChildProcess::start(context.get_executor(), {{"/bin/sh", "-c", script}, {"A=b"}, limit});
    if (!child) return fail(child);
    return wait_for((*child)->end());
  }
};

TEST_F(Children, TellTheirLastLinesWhenTheyFail) {
  EXPECT_TRUE(run("test $A = b; cat"));
  const auto failed = run("echo one; echo two >&2; exit 3");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(failed.error().message, "sh ended with 3: one two");
  const auto long_one = run("seq 1000; exit 1");
  ASSERT_FALSE(long_one);
  EXPECT_THAT(long_one.error().message, testing::EndsWith(" 999 1000"));
  EXPECT_LT(long_one.error().message.size(), 900u);
  EXPECT_EQ(run("kill -9 $$").error().code, ErrorCode::unavailable);
}

TEST_F(Children, AreEndedWithAllThatTheyHaveStarted) {
  EXPECT_EQ(run("sleep 1000 & sleep 1000", Milliseconds(1)).error().code, ErrorCode::timed_out);
  EXPECT_EQ(run("yes").error().code, ErrorCode::too_large);
  auto child = ChildProcess::start(context.get_executor(), {{"/bin/sleep", "1000"}, {}});
  ASSERT_TRUE(child);
  (*child)->kill();
  EXPECT_EQ(wait_for((*child)->end()).error().code, ErrorCode::unavailable);
  const auto none = ChildProcess::start(context.get_executor(), {{"/nonexistent/python3"}, {}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace starling::agent
