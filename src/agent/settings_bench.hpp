// Purpose: a settings core on a fake disk with recorded surroundings, for the tests.
// Owner: the test. Thread: one. Lifetime: a test case; restart() is a new start on the same disk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/fake_disk.hpp"
#include "agent/settings/settings_core.hpp"

namespace starling::agent {

inline protocol::Catalog test_catalog() {
  constexpr std::string_view files[] = {
      R"({"$schema":"http://json-schema.org/draft-07/schema#","x-component":"hotword","title":"Hotword",
          "description":"d","type":"object","additionalProperties":false,"properties":{
          "models":{"type":"array","items":{"type":"string"},"default":[],"description":"d",
                    "x-alias":"HOTWORD_MODELS"},
          "threshold":{"type":"number","minimum":0,"maximum":1,"default":0.5,"description":"d",
                       "x-alias":"HOTWORD_THRESHOLD"},
          "engine":{"type":"string","default":"a","description":"d","x-owner":"hub"}}})",
      R"({"$schema":"http://json-schema.org/draft-07/schema#","x-component":"logger","title":"Logger",
          "description":"d","type":"object","additionalProperties":false,"properties":{
          "level":{"type":"string","enum":["DEBUG","INFO","WARNING","ERROR"],"default":"INFO",
                   "description":"d","x-alias":"LOG_LEVEL"}}})"};
  protocol::Catalog catalog;
  for (const std::string_view file : files) {
    auto component = protocol::Component::from_json(parse_json(file).value());
    if (!component) ADD_FAILURE() << component.error().message << " " << component.error().field;
    EXPECT_TRUE(catalog.put(std::move(*component)));
  }
  return catalog;
}

// As the hub offers it.
inline protocol::ConfigUpdate update_of(const protocol::SettingsDocument& document, std::int64_t revision) {
  protocol::ConfigUpdate update;
  update.revision = revision;
  update.hub_generation = "g1";
  update.hash = document.hash();
  update.payload = document.to_json();
  return update;
}

// The defaults with some values changed.
inline protocol::ConfigUpdate make_update(const protocol::Catalog& catalog, std::int64_t revision,
                                          std::map<std::string, Json> values) {
  protocol::SettingsDocument document = default_document(catalog);
  for (auto& [key, value] : values)
    document.settings[key] = value;
  return update_of(document, revision);
}

// Modules and hub as one list of what was asked of them.
class SettingsRecorder final : public ModulePort, public SettingsListener {
 public:
  Answer prepare(const Values&, std::span<const std::string> changed, Prepared answered) override {
    std::string line = "prepare";
    for (const std::string& key : changed)
      line += " " + key;
    said.push_back(line);
    answered_ = std::move(answered);
    return modules_answer ? Answer::waiting : Answer::ready;
  }
  Answer commit(const Values&, std::span<const std::string>, Committed done) override {
    said.push_back("commit");
    done_ = std::move(done);
    return modules_answer ? Answer::waiting : Answer::ready;
  }
  void rollback() override { said.push_back("rollback"); }
  void status_changed(const protocol::ConfigStatus& status) override {
    said.push_back(std::string(to_string(status.phase)));
    last_status = status;
  }
  void section_needed(protocol::Section) override { said.push_back("section needed"); }
  void edits_pending() override { said.push_back("edits pending"); }
  void report_changed() override {}
  ModuleNames witnesses(std::span<const std::string>) const override { return working; }
  SettingsVerdict verdict() const override { return told_verdict; }
  std::optional<SteadyTime> modules_come_by() const override { return awaited; }

  void agree() { answered_({}); }
  void disagree() { answered_({{"hotword.models", "no such file"}}); }
  void acknowledge() { done_(); }

  bool modules_answer = false;  // else there are none
  ModuleNames working;
  SettingsVerdict told_verdict;
  std::optional<SteadyTime> awaited;
  std::vector<std::string> said;
  protocol::ConfigStatus last_status;

 private:
  Prepared answered_;
  Committed done_;
};

struct SettingsBench {
  explicit SettingsBench(std::uint64_t seed = 1, FakeDisk::Unsynced unsynced = FakeDisk::Unsynced::lost)
      : disk(seed, unsynced) {}

  Result<void> restart() {
    if (disk.crashed()) disk.restore_power();
    recorder.said.clear();
    core = std::make_unique<SettingsCore>(disk, clock, catalog, recorder, recorder, SeededRandom(7),
                                          SettingsOptions{}, Logger());
    if (assets != nullptr) core->use_assets(*assets);
    return core->start();
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    core->tick();
  }
  Json value(std::string_view key) const { return core->values().find(key)->second; }
  std::string file(std::string_view path) const { return disk.content(path).value_or("(none)"); }

  FakeDisk disk;
  ManualClock clock;
  protocol::Catalog catalog = test_catalog();
  SettingsRecorder recorder;
  AssetPort* assets = nullptr;
  std::unique_ptr<SettingsCore> core;
};

}  // namespace starling::agent
