#include "agent/update/release_install.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/fake_disk.hpp"
#include "agent/posix_disk.hpp"
#include "agent/update/release_bench.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string good_tar() {
  return tar_of(
      release_parts("v1.0.0", {{"payload/modules/ear/run", std::string(300'000, 'r'), '0', "", 0755},
                               {"payload/modules/mouth", "", '2', "ear", 0777},
                               {"payload/note", ""}}));
}

Result<void> install(Disk& disk, const ReleaseTarget& target) {
  ReleaseInstall installation(disk, target);
  for (;;) {
    const auto progress = installation.step();
    if (!progress) return fail(progress);
    if (*progress == Progress::done) return {};
  }
}

struct ReleaseInstallTest : testing::Test {
  ReleaseInstallTest() { EXPECT_TRUE(disk.make_folder("releases") && disk.sync_folder("")); }
  void download(const std::string& bytes) { disk.put(release_tar_path(target.release.hash), bytes); }
  std::string at(std::string_view path) const {
    return release_path(target.release.hash) + "/" + std::string(path);
  }

  FakeDisk disk{1, FakeDisk::Unsynced::lost};
  std::string tar = good_tar();
  ReleaseTarget target = target_of("v1.0.0", tar);
};

TEST_F(ReleaseInstallTest, LeavesAReleaseThatSurvivesAPowerCut) {
  download(tar);
  const auto done = install(disk, target);
  ASSERT_TRUE(done) << done.error().message;
  disk.crash_now();
  disk.restore_power();
  EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex()));
  EXPECT_EQ(disk.content(at("payload/VERSION")), "v1.0.0\n");
  EXPECT_EQ(disk.content(at("payload/modules/ear/run")), std::string(300'000, 'r'));
  EXPECT_EQ(disk.status(at("payload/modules/ear/run"))->mode, 0755u);
  EXPECT_EQ(disk.status(at("payload/note"))->mode, 0644u);
  EXPECT_EQ(*disk.read_link(at("payload/modules/mouth")), "ear");
  EXPECT_TRUE(install(disk, target)) << "the tar is gone, but the release is there";
}

TEST_F(ReleaseInstallTest, WorksOnARealDisk) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("starling-install-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder / "releases");
  PosixDisk real(folder);
  ASSERT_TRUE(real.write_file(release_tar_path(target.release.hash), tar, 0644));
  const mode_t former = ::umask(0077);  // as the packaged unit has it
  const auto done = install(real, target);
  ::umask(former);
  ASSERT_TRUE(done) << done.error().message;
  for (const char* part : {"payload", "payload/modules", "payload/modules/ear", "payload/modules/ear/run"})
    EXPECT_EQ(real.status(at(part))->mode, 0755u) << part << ": whoever its modules run as";
  EXPECT_EQ(real.status(release_path(target.release.hash))->mode, 0755u);
  EXPECT_EQ(*real.read_file(at("payload/modules/mouth/run"), 1u << 20), std::string(300'000, 'r'));
  EXPECT_TRUE(install(real, target));
  std::filesystem::remove_all(folder);
}

TEST_F(ReleaseInstallTest, AsksForTheTarIfItIsNotThereOrDamaged) {
  EXPECT_EQ(install(disk, target).error().code, ErrorCode::not_found);
  for (const std::size_t at : {std::size_t{3}, std::size_t{5000}, tar.size() - 1}) {
    std::string damaged = tar;
    damaged[at] = 'X';
    download(damaged);
    EXPECT_EQ(install(disk, target).error().code, ErrorCode::not_found) << at;
    EXPECT_THAT(*disk.list("releases"), ElementsAre());
  }
  download(tar.substr(0, 5000));
  EXPECT_EQ(install(disk, target).error().code, ErrorCode::not_found);
}

TEST_F(ReleaseInstallTest, RefusesASignedTarThatIsNoReleaseForThisDevice) {
  const std::string another_version = tar_of(release_parts("v2.0.0"));
  auto another_file = release_parts("v1.0.0");
  another_file[2].content = "v2.0.0";
  auto another_architecture = release_parts("v1.0.0");
  another_architecture[0].content = R"({"version":"v1.0.0","architecture":"armhf"})";
  auto no_json = release_parts("v1.0.0");
  no_json[0].content = "{";
  const std::vector<std::pair<std::string, std::string>> cases{
      {another_version, "another one"},
      {tar_of(another_file), "VERSION"},
      {tar_of(another_architecture), "another architecture"},
      {tar_of(no_json), "cannot be read"},
      {tar_of(release_parts("v1.0.0", {{"payload/../../x", "1"}})), "a path has no"},
      {std::string("no tar at all"), "ends too early"}};
  for (const auto& [bad, why] : cases) {
    target = target_of("v1.0.0", bad);
    download(bad);
    const auto refused = install(disk, target);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(refused.error().message, HasSubstr(why));
    EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex() + ".tar"));
    EXPECT_TRUE(disk.remove_tree(release_tar_path(target.release.hash)));
  }
}

TEST_F(ReleaseInstallTest, FindsWhateverWasAlteredAndUnpacksAnew) {
  const std::vector<std::function<void()>> alterations{
      [&] { disk.put(at("payload/VERSION"), "v1.0.1\n"); },
      [&] { disk.put(at("payload/VERSION"), ""); },
      [&] { disk.put(at("files.list"), "nonsense"); },
      [&] { EXPECT_TRUE(disk.remove_tree(at("files.list"))); },
      [&] { EXPECT_TRUE(disk.remove_tree(at("payload/note"))); },
      [&] { EXPECT_TRUE(disk.remove_tree(at("payload"))); },
      [&] { EXPECT_TRUE(replace_link(disk, at("payload/modules/mouth"), "nose")); },
      [&] { disk.put(at("payload/modules/mouth"), "ear"); },
      [&] { EXPECT_TRUE(disk.write_file(at("payload/note"), "", 0755)); },
  };
  for (const auto& alter : alterations) {
    download(tar);
    ASSERT_TRUE(install(disk, target));
    alter();
    EXPECT_EQ(install(disk, target).error().code, ErrorCode::not_found);
    download(tar);
    EXPECT_TRUE(install(disk, target));
    alter();
    download(tar);
    EXPECT_TRUE(install(disk, target));
    EXPECT_EQ(disk.content(at("payload/VERSION")), "v1.0.0\n");
  }
}

TEST_F(ReleaseInstallTest, EndsWholeWhereverItWasEndedBefore) {
  download(tar);
  const std::uint64_t first_step = disk.steps(), first_write = disk.writes();
  ASSERT_TRUE(install(disk, target));
  const std::uint64_t steps = disk.steps() - first_step, writes = disk.writes() - first_write;
  for (const bool full : {false, true}) {
    for (std::uint64_t step = 1; step <= (full ? writes : steps); ++step) {
      SCOPED_TRACE(fmt::format("{} at {} {}", full ? "full" : "crash", full ? "write" : "step", step));
      disk = FakeDisk(step, FakeDisk::Unsynced::drawn);
      ASSERT_TRUE(disk.make_folder("releases") && disk.sync_folder(""));
      download(tar);
      full ? disk.full_after(step) : disk.crash_after(step);
      const auto ended = install(disk, target);
      disk.restore_power();
      disk.make_room();
      if (full) {
        ASSERT_FALSE(ended);
        EXPECT_EQ(ended.error().code, ErrorCode::unavailable) << ended.error().message;
        EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex() + ".tar"));
      }
      const auto again = install(disk, target);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(disk.content(at("payload/modules/ear/run")), std::string(300'000, 'r'));
      EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex()));
    }
  }
}

// It may be what runs.
TEST_F(ReleaseInstallTest, ADamagedReleaseStaysUntilAnotherHasItsName) {
  const auto damage = [&] {
    download(tar);
    ASSERT_TRUE(install(disk, target));
    disk.put(at("payload/VERSION"), "");
    download(tar);
  };
  damage();
  const std::uint64_t first_write = disk.writes();
  ASSERT_TRUE(install(disk, target));
  EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex()));
  const std::uint64_t writes = disk.writes() - first_write;
  for (std::uint64_t write = 1; write <= writes; ++write) {
    SCOPED_TRACE(write);
    damage();
    disk.full_after(write);
    ASSERT_FALSE(install(disk, target));
    disk.make_room();
    const std::string there = release_path(target.release.hash, write == writes ? ".old" : "");
    EXPECT_EQ(disk.content(there + "/payload/modules/ear/run"), std::string(300'000, 'r'));
    ASSERT_TRUE(install(disk, target));
    EXPECT_EQ(disk.content(at("payload/VERSION")), "v1.0.0\n");
    EXPECT_THAT(*disk.list("releases"), ElementsAre(target.release.hash.hex()));
  }
}

}  // namespace
}  // namespace starling::agent
