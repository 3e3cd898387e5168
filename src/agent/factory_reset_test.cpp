#include "agent/factory_reset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/fake_disk.hpp"
#include "agent/supervisor/config_txt_files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

void fill(FakeDisk& disk) {
  disk.put("identity.json", "me");
  disk.put("actions.json", "done");
  disk.put("token", "secret");
  disk.put("edits.json", "mine");
  disk.put("running_modules.json", "recorder");
  ASSERT_TRUE(disk.make_folder("generations"));
  ASSERT_TRUE(disk.make_folder("generations/1"));
  disk.put("generations/1/document.json", "{}");
  ASSERT_TRUE(disk.make_link("generations/1", "current"));
  disk.put("keeper.state", "7");
}

TEST(FactoryReset, ForgetsAllButWhoItIs) {
  FakeDisk disk;
  fill(disk);
  ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
  EXPECT_TRUE(disk.content("token")) << "nobody asked for it";
  bool answered = false, restarted = false;
  FactoryResetRunner runner(disk, [&] { restarted = answered; });
  runner.run({}, [&](const Result<JsonObject>& result) { answered = result.has_value(); });
  EXPECT_TRUE(restarted) << "after the answer";
  EXPECT_TRUE(disk.content("token")) << "at the next start";
  ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
  EXPECT_EQ(disk.list("").value(),
            (std::vector<std::string>{"actions.json", "identity.json", "keeper.state"}));
}

TEST(FactoryReset, APulledPlugOnlyDelaysIt) {
  FakeDisk whole(1, FakeDisk::Unsynced::drawn);
  fill(whole);
  whole.put(factory_reset_mark, "");
  ASSERT_TRUE(finish_factory_reset(whole, "", Logger()));
  for (std::uint64_t step = 1; step <= whole.steps(); ++step) {
    FakeDisk disk(step, FakeDisk::Unsynced::drawn);
    fill(disk);
    disk.put(factory_reset_mark, "");
    disk.crash_after(step);
    (void)finish_factory_reset(disk, "", Logger());
    disk.restore_power();
    ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
    EXPECT_FALSE(disk.content("token")) << step;
    EXPECT_TRUE(disk.content("identity.json")) << step;
    EXPECT_FALSE(disk.content(factory_reset_mark)) << step;
  }
}

// ---- actions

struct ResetActions : testing::Test {
  protocol::Action action(const std::string& id, const std::string& name) const {
    return {.id = id, .name = name, .parameters = {{"said", "secret"}}, .expires_at_ms = 1'000'000};
  }
  protocol::ActionResult ask(const protocol::Action& wanted) {
    ActionCore core(disk, {{"echo", &echo}, {"factory_reset", &reset}}, Logger());
    EXPECT_TRUE(core.start());
    protocol::ActionResult answer;
    core.handle(wanted, 1, [&](const protocol::ActionResult& result) { answer = result; });
    return answer;
  }

  FakeDisk disk;
  EchoRunner echo;
  FactoryResetRunner reset{disk, [] {}};
};

TEST_F(ResetActions, NoneIsRepeatedAndNoResultIsLeft) {
  EXPECT_EQ(ask(action("a", "echo")).result.at("said"), Json("secret"));
  EXPECT_TRUE(ask(action("b", "factory_reset")).ok);
  ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
  EXPECT_THAT(*disk.content(ActionCore::path), testing::Not(testing::HasSubstr("secret")));
  const protocol::ActionResult former = ask(action("a", "echo"));
  EXPECT_TRUE(former.ok);
  EXPECT_TRUE(former.result.empty()) << "not done again";
  EXPECT_THAT(former.message, testing::HasSubstr("reset"));
  EXPECT_TRUE(ask(action("b", "factory_reset")).ok);
  EXPECT_FALSE(disk.content(factory_reset_mark)) << "nor is the reset";
}

TEST_F(ResetActions, OneThatWasInterruptedAfterItsMarkIsDone) {
  struct PulledPlug final : ActionRunner {
    explicit PulledPlug(ActionRunner& r) : runner(r) {}
    void run(const protocol::Action& action, Done) override {
      runner.run(action, [](const Result<JsonObject>&) {});
    }
    ActionRunner& runner;
  } interrupted(reset);
  {
    ActionCore core(disk, {{"factory_reset", &interrupted}}, Logger());
    ASSERT_TRUE(core.start());
    core.handle(action("a", "factory_reset"), 1, [](const protocol::ActionResult&) { FAIL(); });
  }
  ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
  const protocol::ActionResult answer = ask(action("a", "factory_reset"));
  EXPECT_TRUE(answer.ok) << answer.message;
  EXPECT_EQ(answer.message, "");
}

TEST_F(ResetActions, ALostJournalStaysLost) {
  disk.put(std::string(ActionCore::path), "garbage");
  disk.put(factory_reset_mark, "a");
  ASSERT_TRUE(finish_factory_reset(disk, "", Logger()));
  EXPECT_THAT(ask(action("b", "echo")).message, testing::HasSubstr("lost its journal"));
}

// ---- modules

struct ResetModules : testing::Test {
  ResetModules() {
    for (const char* name : {"shipped_on", "shipped_off", "silent", "broken"})
      put(std::string(name) + "/module.toml", "exec = 'x'\ndata = ['recordings']\n");
    put("broken/module.toml", "exec = [");
    put("shipped_on/config.txt", "rate = 3\nenabled = true\n");
    put("shipped_off/config.txt", "enabled = false\n");
    start();
  }

  void put(const fs::path& path, const std::string& text) const {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << text;
  }
  void start() {
    mirror = std::make_unique<ConfigMirror>(files, disk, Logger());
    for (const char* name : {"shipped_on", "shipped_off", "silent"}) {
      const auto says = read_enabled(folder / name).value();
      if (says) mirror->found(name, *says);
    }
  }
  Result<void> settle(const std::string& module, bool enabled) {
    ModuleStatus status;
    status.name = module;
    status.enabled = enabled;
    status.settled = true;
    return mirror->sync(std::array{status});
  }
  std::optional<bool> says(const char* module) const { return read_enabled(folder / module).value(); }

  const TemporaryFolder made;
  const fs::path folder = made.path();
  FakeDisk disk;
  ConfigTxtFiles files{folder};
  std::unique_ptr<ConfigMirror> mirror;
};

TEST_F(ResetModules, AreEnabledAsTheyShippedAndTheirDataIsErased) {
  ASSERT_TRUE(settle("shipped_on", false));
  ASSERT_TRUE(settle("shipped_off", true));
  ASSERT_TRUE(settle("silent", true));
  mirror->found("silent", true);
  start();  // what it finds now is not what shipped
  put("shipped_on/recordings/1.wav", "a child");
  put("shipped_on/model.bin", "stays");
  disk.put(factory_reset_mark, "a");
  ASSERT_TRUE(finish_factory_reset(disk, folder, Logger()));
  EXPECT_EQ(says("shipped_on"), true);
  EXPECT_EQ(says("shipped_off"), false);
  EXPECT_EQ(says("silent"), false);
  EXPECT_FALSE(fs::exists(folder / "shipped_on/recordings"));
  EXPECT_TRUE(fs::exists(folder / "shipped_on/model.bin"));
  EXPECT_FALSE(disk.content(ConfigMirror::path));
}

TEST_F(ResetModules, WhatShippedIsKnownHoweverThePlugIsPulled) {
  for (std::uint64_t step = 0; step < 12; ++step) {
    put("shipped_off/config.txt", "enabled = false\n");
    disk = FakeDisk(step);
    start();
    disk.crash_after(step);
    (void)settle("shipped_off", true);
    disk.restore_power();
    start();
    disk.put(factory_reset_mark, "a");
    ASSERT_TRUE(finish_factory_reset(disk, folder, Logger()));
    EXPECT_EQ(says("shipped_off"), false) << step;
  }
}

TEST_F(ResetModules, OneThatCannotBeResetKeepsNothingElseFromIt) {
  ASSERT_TRUE(settle("shipped_off", true));
  ASSERT_TRUE(settle("shipped_on", false));
  put("shipped_off/recordings/1.wav", "a child");
  fs::remove(folder / "shipped_off/config.txt");
  fs::create_directories(folder / "shipped_off/config.txt");  // nobody can write a file there
  disk.put("token", "secret");
  disk.put(factory_reset_mark, "a");
  ASSERT_TRUE(finish_factory_reset(disk, folder, Logger())) << "else the device would never come back";
  EXPECT_FALSE(disk.content(factory_reset_mark));
  EXPECT_FALSE(disk.content("token"));
  EXPECT_FALSE(fs::exists(folder / "shipped_off/recordings"));
  EXPECT_EQ(says("shipped_on"), true);
}

}  // namespace
}  // namespace starling::agent
