// The promise of an update: the agent may be killed, or the power cut, or the disk be full, at every
// operation that changes the disk, from the moment that a release is wanted to the one that it is confirmed
// or taken back. What comes up runs exactly the old release or the new one, whole, says which, can go back,
// and gets where it should at the next attempt.
#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using testing::AnyOf;

struct Story {
  const char* title;
  std::function<void(UpdateBench&)> prepare;  // beyond what all have
  std::function<void(UpdateBench&)> act;
  std::string becomes;
  std::string state;
  bool tied = false;  // to settings and modules of its own
};

void nothing(UpdateBench&) {}

const std::vector<Story> stories{
    {"the first release",
     [](UpdateBench& device) {
       device.device.disk = FakeDisk(device.starts);
       device.end();
       device.start();
     },
     [](UpdateBench& device) { device.want("v1.0.0"); }, "v1.0.0", "confirmed"},
    {"a good release", nothing, [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"a good release, as a delta", [](UpdateBench& device) { device.encodes = true; },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"a delta that is damaged, and then as a whole",
     [](UpdateBench& device) {
       device.encodes = true;
       device.spoiled.insert(protocol::Encoding::delta);
     },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"one that does not work", [](UpdateBench& device) { device.broken.insert("v1.1.0"); },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.0.0", "reverted"},
    {"one that is no release",
     [](UpdateBench& device) { device.publish_tar("v1.1.0", tar_of(release_parts("v9.9.9"))); },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.0.0", "refused"},
    {"one with Python packages", [](UpdateBench& device) { device.publish_with_wheels("v1.1.0"); },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"one whose Python packages cannot be installed",
     [](UpdateBench& device) {
       device.publish_with_wheels("v1.1.0");
       device.no_environment = {ErrorCode::invalid_argument, "no matching distribution", ""};
     },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.0.0", "refused"},
    {"one that needs packages", [](UpdateBench& device) { device.needs("v1.1.0", "libopus0"); },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"one whose Python packages need some",
     [](UpdateBench& device) {
       device.publish_with_wheels("v1.1.0");
       device.needs("v1.1.0", "python3-venv");
       device.venv_is_a_package = true;
     },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.1.0", "confirmed"},
    {"one that needs packages and does not work",
     [](UpdateBench& device) {
       device.needs("v1.1.0", "libopus0");
       device.broken.insert("v1.1.0");
     },
     [](UpdateBench& device) { device.want("v1.1.0"); }, "v1.0.0", "reverted"},
    {"settings come while it is on trial", nothing,
     [](UpdateBench& device) {
       device.want("v1.1.0");
       device.pass(Seconds(30));
       device.set({{"hotword.threshold", 0.9}});
     },
     "v1.1.0", "confirmed"},
    {"settings come while one that does not work is on trial",
     [](UpdateBench& device) { device.broken.insert("v1.1.0"); },
     [](UpdateBench& device) {
       device.want("v1.1.0");
       device.pass(Seconds(30));
       device.set({{"hotword.threshold", 0.9}});
     },
     "v1.0.0", "reverted"},
    {"another one is wanted meanwhile", nothing,
     [](UpdateBench& device) {
       device.hour = device.device.clock.steady() + std::chrono::hours(2);
       device.want("v1.1.0");
       device.pass(std::chrono::hours(1));
       device.want("v1.2.0");
     },
     "v1.2.0", "confirmed"},
    {"the former one is wanted again while it is on trial", nothing,
     [](UpdateBench& device) {
       device.want("v1.1.0");
       device.pass(Seconds(30));
       device.want("v1.0.0");
     },
     "v1.0.0", "confirmed"},
    {"it is not wanted any more", nothing,
     [](UpdateBench& device) {
       device.hour = device.device.clock.steady() + std::chrono::hours(2);
       device.want("v1.1.0");
       device.pass(std::chrono::hours(1));
       device.want(JsonObject{});
     },
     "v1.0.0", "confirmed"},
    {"a good release with its settings and modules", nothing,
     [](UpdateBench& device) { device.want_tied("v1.1.0"); }, "v1.1.0", "confirmed", true},
    {"one with its settings and modules that does not work",
     [](UpdateBench& device) { device.broken.insert("v1.1.0"); },
     [](UpdateBench& device) { device.want_tied("v1.1.0"); }, "v1.0.0", "reverted", true},
    {"one whose settings do not work",
     [](UpdateBench& device) { device.device.recorder.told_verdict.failure = "module 'ear' keeps ending"; },
     [](UpdateBench& device) { device.want_tied("v1.1.0"); }, "v1.0.0", "reverted", true},
    {"one with packages, settings and modules that does not work",
     [](UpdateBench& device) {
       device.needs("v1.1.0", "libopus0");
       device.broken.insert("v1.1.0");
     },
     [](UpdateBench& device) { device.want_tied("v1.1.0"); }, "v1.0.0", "reverted", true},
};

// A device that runs v1.0.0, confirmed, with settings that it got beside it.
std::unique_ptr<UpdateBench> device_for(const Story& story, std::uint64_t seed, FakeDisk::Unsynced unsynced) {
  auto device = std::make_unique<UpdateBench>(seed, unsynced);
  device->settle({{"hotword.threshold", 0.7}});
  story.prepare(*device);
  return device;
}

struct Way {
  const char* title;
  FakeDisk::Unsynced unsynced;
  bool full, cut;
  std::uint64_t seeds;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.title;
}

class UpdateEnd : public testing::TestWithParam<std::tuple<Way, std::size_t>> {
 protected:
  const Way& way() const { return std::get<0>(GetParam()); }
  const Story& story() const { return stories[std::get<1>(GetParam())]; }

  std::uint64_t operations(const UpdateBench& device) const {
    return way().full ? device.device.disk.writes() : device.device.disk.steps();
  }
  void live_and_end(std::uint64_t seed, std::uint64_t point) const {
    const auto device = device_for(story(), seed, way().unsynced);
    const std::string old = device->runs();
    way().full ? device->device.disk.full_after(point) : device->device.disk.crash_after(point);
    story().act(*device);
    device->pass(Seconds(way().full ? 600 : 7200));
    if (way().full) {
      expect_whole(*device, old);
      if (way().cut) {
        device->device.disk.crash_now();
        device->power_comes_back();
        story().act(*device);  // the hub says it again
        device->pass(Seconds(600));
        expect_whole(*device, old);
      }
      device->device.disk.make_room();
    } else {
      ASSERT_TRUE(device->device.disk.crashed()) << "this point is not reached";
      device->power_comes_back();
      expect_whole(*device, old);
      story().act(*device);  // the hub says it again
    }
    device->pass(day);
    EXPECT_EQ(device->runs(), story().becomes);
    EXPECT_EQ(device->confirmed(), story().becomes);
    EXPECT_EQ(device->state(), story().state);
    EXPECT_FALSE(device->device.core->release_on_trial());
    const ReleaseTarget& runs = device->targets.at(device->runs());
    const Digest packages = runs.custom.contains("packages") ? runs.release.hash : Digest();
    EXPECT_EQ(device->packages_of, packages);
    EXPECT_EQ(device->packages_kept, packages);
    expect_whole(*device, old);
    EXPECT_LE(device->device.disk.list("releases")->size(), 3u);
    EXPECT_EQ(device->device.file("config_override.json"),
              override_text(device->device.catalog, device->device.core->values()));
  }
  void expect_whole(const UpdateBench& device, const std::string& old) const {
    ASSERT_NE(device.core, nullptr);
    EXPECT_THAT(device.runs(), AnyOf(old, story().becomes, "v1.1.0"));
    EXPECT_EQ(std::string(device.core->report().at("release").is_null()
                              ? "none"
                              : device.core->report().at("release").as_string().c_str()),
              device.runs());
    for (const auto& release : {device.device.core->release(), device.device.core->confirmed_release()}) {
      if (release) {
        EXPECT_TRUE(device.is_whole(*release)) << release->version;
      }
    }
    if (story().tied) {
      EXPECT_EQ(device.has_what_was_tied(), device.runs() == "v1.1.0");
    }
    EXPECT_TRUE(device.device.core->drift().empty());
    if (device.device.core->cursor().revision > 0) {
      EXPECT_THAT(device.device.value("hotword.threshold"), AnyOf(Json(0.7), Json(0.9)));
    }
  }
};

TEST_P(UpdateEnd, LeavesTheOldOrTheNewRelease) {
  const auto whole = device_for(story(), 1, way().unsynced);
  const std::uint64_t before = operations(*whole);
  story().act(*whole);
  whole->pass(Seconds(7200));
  ASSERT_EQ(whole->runs() + " " + whole->state(), story().becomes + " " + story().state)
      << whole->fingerprint();
  const std::uint64_t points = operations(*whole) - before;
  RecordProperty("points", static_cast<int>(points));
  for (std::uint64_t seed = 1; seed <= way().seeds; ++seed) {
    for (std::uint64_t point = 1; point <= points; ++point) {
      SCOPED_TRACE(fmt::format("{}: {}, seed {}, operation {} of {}", story().title, way().title, seed, point,
                               points));
      live_and_end(seed, point);
      ASSERT_FALSE(HasFailure());
    }
  }
}

std::vector<std::size_t> all_stories() {
  std::vector<std::size_t> numbers(stories.size());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = i;
  return numbers;
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, UpdateEnd,
    testing::Combine(testing::Values(Way{"AgentKilled", FakeDisk::Unsynced::kept, false, false, 1},
                                     Way{"PowerCutAllUnsyncedLost", FakeDisk::Unsynced::lost, false, true, 1},
                                     Way{"PowerCutSomeUnsyncedLost", FakeDisk::Unsynced::drawn, false, true,
                                         2},
                                     Way{"DiskFull", FakeDisk::Unsynced::lost, true, false, 1},
                                     Way{"DiskFullThenPowerCut", FakeDisk::Unsynced::lost, true, true, 1}),
                     testing::ValuesIn(all_stories())),
    [](const auto& one) {
      return fmt::format("{}{}", std::get<0>(one.param).title, std::get<1>(one.param));
    });

}  // namespace
}  // namespace starling::agent
