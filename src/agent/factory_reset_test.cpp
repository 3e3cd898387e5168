#include "agent/factory_reset.hpp"

#include <gtest/gtest.h>

#include "agent/fake_disk.hpp"

namespace starling::agent {
namespace {

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
  ASSERT_TRUE(finish_factory_reset(disk, Logger()));
  EXPECT_TRUE(disk.content("token")) << "nobody asked for it";
  bool answered = false, restarted = false;
  FactoryResetRunner runner(disk, [&] { restarted = answered; });
  runner.run({}, [&](const Result<JsonObject>& result) { answered = result.has_value(); });
  EXPECT_TRUE(restarted) << "after the answer";
  EXPECT_TRUE(disk.content("token")) << "at the next start";
  ASSERT_TRUE(finish_factory_reset(disk, Logger()));
  EXPECT_EQ(disk.list("").value(),
            (std::vector<std::string>{"actions.json", "identity.json", "keeper.state"}));
}

TEST(FactoryReset, APulledPlugOnlyDelaysIt) {
  FakeDisk whole(1, FakeDisk::Unsynced::drawn);
  fill(whole);
  whole.put(factory_reset_mark, "");
  ASSERT_TRUE(finish_factory_reset(whole, Logger()));
  for (std::uint64_t step = 1; step <= whole.steps(); ++step) {
    FakeDisk disk(step, FakeDisk::Unsynced::drawn);
    fill(disk);
    disk.put(factory_reset_mark, "");
    disk.crash_after(step);
    (void)finish_factory_reset(disk, Logger());
    disk.restore_power();
    ASSERT_TRUE(finish_factory_reset(disk, Logger()));
    EXPECT_FALSE(disk.content("token")) << step;
    EXPECT_TRUE(disk.content("identity.json")) << step;
    EXPECT_FALSE(disk.content(factory_reset_mark)) << step;
  }
}

}  // namespace
}  // namespace starling::agent
