// Purpose: a fleet in memory for tests of what is planned on one: shipped components, devices, edits as
// changes. Owner: the test. Thread: one. Lifetime: the test's.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "hub/state/fleet_state.hpp"

namespace starling::hub {

class FleetFixture {
 public:
  FleetFixture() {
    for (const char* name : {"hotword", "audio", "acknowledgement", "logger"}) {
      const auto path = source_folder() / "components" / (std::string(name) + ".json");
      apply({state.edit(EntityKind::component, name, json(*read_file(path, 1u << 20)))});
    }
  }

  static Json json(std::string_view text) {
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : Json();
  }

  static std::string uuid(int number) {
    const std::string digits = std::to_string(number);
    return "00000000-0000-7000-8000-" + std::string(12 - digits.size(), '0') + digits;
  }

  // Gives its id.
  std::string add_device(int number, const std::string& name, const protocol::Labels& labels = {}) {
    Device device;
    device.id = uuid(number);
    device.name = name;
    device.labels = labels;
    apply({state.edit(EntityKind::device, device.id, device.to_json())});
    return device.id;
  }

  void apply(std::vector<Edit> edits) {
    auto change = std::make_shared<Change>();
    change->fleet = state.fleet();
    change->revision = state.revision() + 1;
    change->edits = std::move(edits);
    const auto applied = state.apply(*change);
    ASSERT_TRUE(applied) << applied.error().message;
    log.push_back(change);
  }

  const Device& device(int number) const { return *state.device(uuid(number)); }

  FleetState state{"default"};
  std::vector<SharedChange> log;
};

}  // namespace starling::hub
