#include "agent/supervisor/config_mirror.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

struct ConfigMirrorTest : testing::Test {
  void start() { mirror = std::make_unique<ConfigMirror>(files, disk, Logger()); }
  void SetUp() override { start(); }
  static ModuleStatus status(const std::string& name, bool enabled, bool settled = true) {
    ModuleStatus status;
    status.name = name;
    status.enabled = enabled;
    status.settled = settled;
    return status;
  }
  Result<void> sync(std::vector<ModuleStatus> modules) { return mirror->sync(modules); }

  FakeBoard files;
  FakeDisk disk;
  std::unique_ptr<ConfigMirror> mirror;
};

TEST_F(ConfigMirrorTest, WritesWhatHasSettled) {
  EXPECT_TRUE(sync({status("a", true), status("b", true, false)}));
  EXPECT_THAT(files.config, UnorderedElementsAre(Pair("a", true)));
  EXPECT_TRUE(sync({status("a", true), status("b", false)}));
  EXPECT_THAT(files.config, UnorderedElementsAre(Pair("a", true), Pair("b", false)));
  start();
  EXPECT_EQ(mirror->known("a"), true);
  EXPECT_EQ(mirror->known("b"), false);
}

TEST_F(ConfigMirrorTest, WritesNothingWhereNothingHasChanged) {
  EXPECT_TRUE(sync({status("a", true)}));
  const std::uint64_t steps = disk.steps();
  files.config.clear();
  EXPECT_TRUE(sync({status("a", true)}));
  EXPECT_EQ(disk.steps(), steps);
  EXPECT_THAT(files.config, IsEmpty());
}

TEST_F(ConfigMirrorTest, OneThatCannotBeWrittenKeepsNoOtherFromBeing) {
  files.unwritable.insert("a");
  const auto failed = sync({status("a", true), status("b", true)});
  ASSERT_FALSE(failed);
  EXPECT_EQ(mirror->problem("a"),
            "config.txt does not say 'enabled = true', which is in force: config.txt is read-only; "
            "make the file and its folder writable for the agent");
  EXPECT_EQ(failed.error().message, mirror->problem("a"));
  EXPECT_EQ(mirror->problem("b"), "");
  EXPECT_THAT(files.config, UnorderedElementsAre(Pair("b", true)));
  start();
  EXPECT_FALSE(mirror->known("a"));
  EXPECT_EQ(mirror->known("b"), true);
  files.unwritable.clear();
  EXPECT_TRUE(sync({status("a", true), status("b", true)}));
  EXPECT_EQ(files.config["a"], true);
  EXPECT_EQ(mirror->problem("a"), "");
}

TEST_F(ConfigMirrorTest, WhatAPersonBroughtInStepIsNoProblemAnyMore) {
  files.unwritable.insert("a");
  EXPECT_FALSE(sync({status("a", true)}));
  EXPECT_TRUE(mirror->take_problems_changed());
  EXPECT_FALSE(sync({status("a", true)}));
  EXPECT_FALSE(mirror->take_problems_changed()) << "the same";
  mirror->found("a", true);
  EXPECT_TRUE(sync({status("a", true)}));
  EXPECT_EQ(mirror->problem("a"), "");
  EXPECT_TRUE(mirror->take_problems_changed());
}

TEST_F(ConfigMirrorTest, LeavesAFolderThatHoldsNoModuleAlone) {
  files.without_manifest.insert("a");
  EXPECT_TRUE(sync({status("a", false), status("b", true)}));
  EXPECT_THAT(files.config, UnorderedElementsAre(Pair("b", true)));
  EXPECT_EQ(mirror->problem("a"), "");
  mirror->restore_shipped();
  EXPECT_FALSE(files.config.contains("a"));
  // Its config.txt and its manifest come: the former is what it ships with.
  files.without_manifest.clear();
  mirror->found("a", true);
  EXPECT_TRUE(sync({status("a", false)}));
  EXPECT_EQ(files.config["a"], false);
  mirror->restore_shipped();
  EXPECT_EQ(files.config["a"], true);
}

TEST_F(ConfigMirrorTest, IsForgottenWithTheFolder) {
  EXPECT_TRUE(sync({status("a", true), status("b", true)}));
  mirror->forget("a");
  EXPECT_TRUE(sync({status("b", true)}));
  start();
  EXPECT_FALSE(mirror->known("a"));
  EXPECT_EQ(mirror->known("b"), true);
}

TEST_F(ConfigMirrorTest, HowAModuleBegins) {
  using Says = std::optional<bool>;
  constexpr Says nothing, on = true, off = false;
  const struct {
    const char* title;
    Says known, config, said;
    bool enabled, proved;
    Says hand_edit;
  } cases[] = {
      {"it has just come, and nothing is said of it", nothing, nothing, nothing, false, true, nothing},
      {"it has just come, as its maker wants it", nothing, on, nothing, true, true, nothing},
      {"it has just come, and the hub wants another thing", nothing, on, off, false, true, nothing},
      {"nothing has changed", on, on, on, true, true, nothing},
      {"the hub says nothing of it", on, on, nothing, true, true, nothing},
      {"it was being enabled when the agent ended", off, off, on, true, false, nothing},
      {"it was disabled, and the mirror is behind", on, on, off, false, true, nothing},
      {"somebody has enabled it by hand", off, on, nothing, false, false, on},
      {"somebody has disabled it by hand", on, off, on, true, true, off},
      {"its config.txt is gone", on, nothing, nothing, true, true, nothing},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.title);
    disk = FakeDisk();
    start();
    if (one.known) {
      mirror->found("a", *one.known);  // so it shipped
      EXPECT_TRUE(sync({status("a", *one.known)}));
    }
    start();
    const auto begin = mirror->begin("a", one.config, one.said);
    EXPECT_EQ(begin.enabled, one.enabled);
    EXPECT_EQ(begin.proved, one.proved);
    EXPECT_EQ(begin.hand_edit, one.hand_edit);
  }
}

TEST_F(ConfigMirrorTest, IsAsItShippedWhereNothingIsSaid) {
  constexpr std::optional<bool> nothing;
  for (const bool shipped : {true, false}) {
    SCOPED_TRACE(shipped);
    disk = FakeDisk();
    start();
    mirror->found("a", shipped);
    EXPECT_TRUE(sync({status("a", !shipped)}));  // as somebody wanted it
    start();
    EXPECT_EQ(mirror->shipped("a"), shipped);
    auto begin = mirror->begin("a", !shipped, nothing);
    EXPECT_EQ(begin.enabled, shipped) << "that was taken back";
    EXPECT_EQ(begin.proved, !shipped);
    EXPECT_EQ(begin.hand_edit, nothing);
    begin = mirror->begin("a", shipped, nothing);
    EXPECT_EQ(begin.hand_edit, nothing) << "the agent wrote it, and did not come to note it down";
    start();
    begin = mirror->begin("a", !shipped, nothing, true);
    EXPECT_EQ(begin.enabled, !shipped) << "nobody knows what was wanted here";
    EXPECT_EQ(begin.hand_edit, !shipped);
    begin = mirror->begin("a", !shipped, shipped, true);
    EXPECT_EQ(begin.enabled, shipped);
    EXPECT_EQ(begin.hand_edit, nothing);
  }
  EXPECT_FALSE(mirror->shipped("b"));
}

TEST_F(ConfigMirrorTest, WhatWasEnabledByHandIsNotProvedByThat) {
  EXPECT_TRUE(sync({status("a", false)}));
  mirror->found("a", true);
  EXPECT_TRUE(sync({status("a", true, false)}));
  for (int agent = 0; agent < 2; ++agent) {
    start();
    const auto begin = mirror->begin("a", true, true);
    EXPECT_FALSE(begin.hand_edit) << "it is known";
    EXPECT_FALSE(begin.proved);
  }
  EXPECT_EQ(mirror->begin("a", false, true).hand_edit, false) << "somebody has thought better of it";
  start();
  const auto begin = mirror->begin("a", false, std::nullopt);
  EXPECT_FALSE(begin.enabled);
  EXPECT_FALSE(begin.hand_edit) << "it was taken back, which is not noted yet";
  start();
  EXPECT_TRUE(sync({status("a", true)}));
  start();
  EXPECT_TRUE(mirror->begin("a", true, true).proved);
}

TEST_F(ConfigMirrorTest, WhatCannotBeReadIsNoHandEdit) {
  for (const char* garbage : {"", "{", "[]", R"({"modules":{"a":false}})", "\xff"}) {
    disk.put(ConfigMirror::path, garbage);
    start();
    EXPECT_FALSE(mirror->begin("a", true, std::nullopt).hand_edit) << garbage;
    EXPECT_TRUE(sync({status("a", true)}));
    start();
    EXPECT_EQ(mirror->known("a"), true) << garbage;
  }
}

TEST_F(ConfigMirrorTest, APowerCutLeavesNoHandEditThatNobodyMade) {
  for (std::uint64_t step = 1; step <= 3; ++step) {
    disk = FakeDisk(step);
    files.config.clear();
    start();
    EXPECT_TRUE(sync({status("a", false)}));
    disk.crash_after(step);
    EXPECT_FALSE(sync({status("a", true)})) << step;
    disk.restore_power();
    start();
    // The file was written first: what it says is what was settled on.
    const auto begin = mirror->begin("a", files.config["a"], true);
    EXPECT_TRUE(begin.enabled);
    EXPECT_EQ(begin.hand_edit.value_or(true), true) << step;
  }
}

}  // namespace
}  // namespace starling::agent
