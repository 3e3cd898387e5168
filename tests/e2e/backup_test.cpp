// `starling-hub backup` and `restore` as an operator uses them: on a hub that runs, and after an accident.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

class Backup : public testing::Test {
 protected:
  Finished hub_command(const std::filesystem::path& data, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--data", data.string()});
    return run({.program = "starling-hub",
                .arguments = std::move(arguments),
                .environment = {},
                .output = folder / ("backup-" + std::to_string(++commands) + ".log")});
  }
  static void set_volume(const HubProcess& hub, int volume) {
    hub.call("PUT", "/api/v1/settings", JsonObject{{"values", JsonObject{{"audio.volume", volume}}}});
  }
  static std::int64_t volume_of(const HubProcess& hub) {
    const Json items = hub.call("GET", "/api/v1/settings?layer=fleet").at("items");
    return items.at(0).at("value").as_int64();
  }
  static std::string generation_of(const HubProcess& hub) {
    return std::string(hub.call("GET", "/api/v1/fleet").at("generation").as_string());
  }

  TemporaryFolder folder;
  int commands = 0;
};

TEST_F(Backup, OfARunningHubIsRestoredAsANewGenerationToWhichTheDevicesComeBack) {
  Fleet fleet({"nursery", "lab"});
  HubProcess& hub = fleet.hub();
  set_volume(hub, 11);
  fleet.await_applied();
  const std::string saved = (folder / "hub.backup").string();
  const Finished backed_up = hub_command(hub.data(), {"backup", saved});
  ASSERT_EQ(backed_up.status, 0) << backed_up.output;
  EXPECT_THAT(backed_up.output, HasSubstr(saved));
  EXPECT_EQ(std::filesystem::status(saved).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const std::int64_t saved_head = hub.head();
  const std::string former = generation_of(hub);

  set_volume(hub, 22);
  fleet.await_applied();
  const Finished refused = hub_command(hub.data(), {"restore", saved});
  EXPECT_NE(refused.status, 0) << "a hub runs on that folder";
  EXPECT_EQ(volume_of(hub), 22);

  ASSERT_EQ(hub.stop(), 0);
  const Finished restored = hub_command(hub.data(), {"restore", saved});
  ASSERT_EQ(restored.status, 0) << restored.output;
  EXPECT_THAT(restored.output, HasSubstr("new generation"));
  const std::string kept = (hub.data() / "starling.db.replaced-1").string();
  EXPECT_THAT(restored.output, HasSubstr("the database before is kept as " + kept + "\n"));
  hub.start();
  EXPECT_NE(generation_of(hub), former);
  EXPECT_EQ(hub.head(), saved_head);
  EXPECT_EQ(volume_of(hub), 11);

  fleet.await_applied();
  for (const char* name : {"nursery", "lab"})
    EXPECT_EQ(fleet.device(name).overrides().at("AUDIO_VOLUME"), Json(11)) << name;
  set_volume(hub, 33);  // under a revision that the former generation used for something else
  fleet.await_applied();
  for (const char* name : {"nursery", "lab"})
    EXPECT_EQ(fleet.device(name).overrides().at("AUDIO_VOLUME"), Json(33)) << name;

  Socket stream(hub.port());
  stream.send("GET /api/v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + hub.admin_key() +
              "\r\nLast-Event-ID: " + former + ":1\r\n\r\n");
  EXPECT_THAT(stream.receive_until("event: reset"), HasSubstr("200"));
}

TEST_F(Backup, TakenUnderLoadIsWholeAndGoesIntoAFolderOfItsOwn) {
  HubProcess hub(folder.path());
  hub.start();
  const std::string saved = (folder / "hub.backup").string();
  std::atomic<int> written = 0;
  {
    const std::jthread writer([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        set_volume(hub, (written + 1) % 100);
        ++written;
      }
    });
    eventually("some changes", [&] { return written > 20; });
    const Finished backed_up = hub_command(hub.data(), {"backup", saved});
    ASSERT_EQ(backed_up.status, 0) << backed_up.output;
  }
  const std::string bytes = read_text(saved);
  const Finished again = hub_command(hub.data(), {"backup", saved});
  EXPECT_NE(again.status, 0);
  EXPECT_THAT(again.output, HasSubstr("choose another name"));
  EXPECT_EQ(read_text(saved), bytes);

  const std::filesystem::path place = folder / "other";
  HubProcess other(place);
  std::filesystem::create_directories(other.data());
  const Finished restored = hub_command(other.data(), {"restore", saved});
  ASSERT_EQ(restored.status, 0) << restored.output;
  EXPECT_EQ(other.admin_key(), hub.admin_key());
  other.start();
  EXPECT_LE(other.head(), hub.head());
  const Json newest =
      other.call("GET", "/api/v1/changes?limit=1000&since=" + std::to_string(other.head() - 1));
  ASSERT_EQ(newest.at("items").as_array().size(), 1u);
  const Json edit = newest.at("items").at(0).at("edits").at(0);
  EXPECT_EQ(edit.at("id"), Json("fleet audio.volume"));
  EXPECT_EQ(edit.at("after"), Json(volume_of(other))) << "the state is that of the log's end";
}

TEST_F(Backup, OfAnEarlierHubSaysThatItsKeysAreMissing) {
  HubProcess hub(folder.path());
  hub.start();
  set_volume(hub, 11);
  const std::string saved = (folder / "hub.backup").string();
  const Finished backed_up = hub_command(hub.data(), {"backup", saved});
  ASSERT_EQ(backed_up.status, 0) << backed_up.output;
  EXPECT_THAT(backed_up.output, HasSubstr(saved + ".secrets: keep all of it together, and secret"));
  std::filesystem::remove_all(saved + ".secrets");

  HubProcess other(folder / "other");
  std::filesystem::create_directories(other.data());
  const Finished restored = hub_command(other.data(), {"restore", saved});
  ASSERT_EQ(restored.status, 0) << restored.output;
  EXPECT_THAT(restored.output, HasSubstr("there is no " + saved + ".secrets\n"));
  EXPECT_THAT(restored.output, HasSubstr((other.data() / "admin.key").string() + " is missing\n"));
  std::filesystem::copy_file(hub.data() / "admin.key", other.data() / "admin.key");
  other.start();
  EXPECT_EQ(volume_of(other), 11);
}

TEST_F(Backup, ThatIsDamagedOrMissingChangesNothing) {
  HubProcess hub(folder.path());
  hub.start();
  set_volume(hub, 11);
  const std::string saved = (folder / "hub.backup").string();
  ASSERT_EQ(hub_command(hub.data(), {"backup", saved}).status, 0);
  set_volume(hub, 22);
  ASSERT_EQ(hub.stop(), 0);
  const std::string whole = read_text(saved);
  write_text(saved, whole.substr(0, whole.size() / 2));
  write_text(folder / "notes.txt", "not a database");
  for (const char* name : {"hub.backup", "notes.txt", "nothing"}) {
    const Finished refused = hub_command(hub.data(), {"restore", (folder / name).string()});
    EXPECT_NE(refused.status, 0) << name;
    EXPECT_LT(refused.status, 128) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr(name));
  }
  hub.start();
  EXPECT_EQ(volume_of(hub), 22);
}

}  // namespace
}  // namespace starling::e2e
