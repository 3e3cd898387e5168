// Purpose: a Supervisor whose module folders come, go and change while it runs. Owner: a test. Thread: one.
// Lifetime: a test.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/supervisor/supervisor_fixture.hpp"
#include "base/files.hpp"

namespace starling::agent {

class SupervisorFolders : public SupervisorFixture {
 protected:
  std::string problem(const std::string& module) const {
    for (const ModuleStatus& status : supervisor->statuses())
      if (status.name == module) return status.manifest_problem;
    return "there is none";
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    supervisor->tick();
  }
  // What has come is taken in after a while.
  void eventually(const std::function<bool()>& condition) {
    SupervisorFixture::eventually([&] {
      if (condition()) return true;
      pass(Milliseconds(250));
      return condition();
    });
  }
  void establish() {
    device->connect();
    device->link().enrolled("token");
    device->link().opened();
    device->link().received(protocol::encode(protocol::FromHub(protocol::Challenge{"nonce"})));
    protocol::Welcome welcome;
    welcome.heartbeat_seconds = 300;
    device->link().received(protocol::encode(protocol::FromHub(welcome)));
    ASSERT_TRUE(device->link().established());
    tell();
  }
  std::string reported(const char* module, const char* member) const {
    const JsonObject json = supervisor->descriptions().at(module).as_object();
    return json.contains(member) ? std::string(json.at(member).as_string()) : "";
  }
  void expect_news(const char* when) {
    EXPECT_LE(device->link().next_deadline(), clock.steady() + LinkOptions{}.report_delay) << when;
    tell();
    EXPECT_GT(device->link().next_deadline(), clock.steady() + LinkOptions{}.report_delay) << "it is told";
  }
  void tell() {  // what there is to be told
    pass(LinkOptions{}.report_delay);
    device->tick();
  }
  std::string config(const std::string& module) const {
    return read_file(modules() / module / "config.txt", max_config_bytes).value_or("");
  }
};

}  // namespace starling::agent
