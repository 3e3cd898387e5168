// Purpose: a ModulesSection on a disk that may fail, with modules that are only said to be. Owner: a test.
// Thread: one. Lifetime: a test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/settings_bench.hpp"
#include "agent/supervisor/modules_section.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

// Modules that do as they are told, and settle when the test says so.
class FakeRunner final : public ModuleRunner {
 public:
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, enabled] : enabled_modules)
      names.push_back(name);
    return names;
  }
  bool is_enabled(std::string_view module) const override { return enabled_modules.find(module)->second; }
  bool is_provisional(std::string_view module) const override { return provisional.contains(module); }
  bool is_held_up(std::string_view module) const override { return held_up.contains(module); }
  bool is_ending(std::string_view module) const override { return ending.contains(module); }
  bool is_shipped_enabled(std::string_view module) const override { return shipped_on.contains(module); }
  bool is_missing(std::string_view module) const override { return missing.contains(module); }
  void forget_missing(const std::string& module) override {
    missing.erase(module);
    enabled_modules.erase(module);
  }
  bool is_quarantined(std::string_view module) const override { return quarantined.contains(module); }
  void command(std::vector<Commanded> commands) override {
    for (Commanded& one : commands) {
      const bool enabled = one.command == ModuleCommand::enable;
      enabled_modules.find(one.module)->second = enabled;
      provisional.erase(one.module);
      quarantined.erase(one.module);
      if (enabled) provisional.emplace(one.module);
      if (enabled || !takes_long_to_end.contains(one.module)) {
        ending.erase(one.module);
      } else {
        ending.insert(one.module);
      }
      waiting[one.module] = std::move(one.answered);
    }
  }
  std::map<std::string, bool, std::less<>> enabled_modules{{"clock", false}, {"recorder", false}};
  std::set<std::string, std::less<>> provisional, held_up, shipped_on, quarantined, takes_long_to_end, ending,
      missing;
  std::map<std::string, Answered> waiting;
};

struct ModulesSectionTest : testing::Test {
  explicit ModulesSectionTest(FakeDisk::Unsynced unsynced = FakeDisk::Unsynced::lost) : bench(1, unsynced) {
    start();
  }

  // The device starts; its modules are enabled as the section says, or as they shipped.
  void start() {
    section.reset();
    ASSERT_TRUE(bench.restart());
    section = std::make_unique<ModulesSection>(bench.disk, bench.clock, *bench.core, bench.recorder,
                                               SeededRandom(3), Logger());
    ASSERT_TRUE(section->start());
    runner.provisional.clear();
    section->run_by(runner);
    for (auto& [name, enabled] : runner.enabled_modules)
      enabled = section->wanted(name).value_or(runner.is_shipped_enabled(name));
  }

  static protocol::ConfigUpdate update(std::int64_t revision, std::string_view text) {
    protocol::ConfigUpdate update;
    update.section = protocol::Section::modules;
    update.revision = revision;
    update.hub_generation = "g1";
    update.payload = parse_json(text).value();
    update.hash = protocol::hash_of(update.payload);
    return update;
  }
  void settle(const std::string& module) {  // it has become ready, or ended
    runner.provisional.erase(module);
    runner.ending.erase(module);
    if (auto answered = std::exchange(runner.waiting[module], {})) answered(ModuleState::idle);
    section->modules_changed();
  }
  void fail_to_enable(const std::string& module) {
    runner.provisional.erase(module);
    runner.enabled_modules[module] = false;
    runner.quarantined.insert(module);
    section->reverted(module, "it crashes");
    if (auto answered = std::exchange(runner.waiting[module], {})) {
      answered(fail(ErrorCode::failed_precondition, "it crashes"));
    }
  }
  void retry() {  // what the disk did not take
    bench.clock.advance(disk_retry);
    section->tick();
  }
  void toggle(const std::string& module, bool enabled) {
    section->toggle(module, enabled, [](const Result<ModuleState>&) {});
  }
  protocol::ConfigProposed answer_to(const protocol::PendingEdit& edit, bool accepted) {
    protocol::ConfigProposed answer;
    answer.id = edit.id;
    answer.accepted = accepted;
    answer.revision = accepted ? 9 : 0;
    return answer;
  }
  const protocol::ConfigStatus& told() const { return bench.recorder.last_status; }
  std::string running() const { return protocol::canonical_json(Json(bench.core->modules())); }

  SettingsBench bench;
  FakeRunner runner;
  std::unique_ptr<ModulesSection> section;
};

}  // namespace starling::agent
