// Whatever happens to however many modules: what the device reports of itself fits into one message, or the
// hub would end the link again and again.
#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

class ReportSize : public SupervisorFixture {
 protected:
  static constexpr int count = protocol::max_modules;

  static std::string name(int number) {
    const std::string digits = std::to_string(number);
    return std::string(64 - digits.size(), 'm') + digits;
  }
  static keeper::HeldChild child(int number) {
    keeper::HeldChild child;
    child.id = name(number) + ":1";
    child.pid = 500'000'000 + number;  // beyond what the kernel gives
    return child;
  }
  std::string heartbeat() const {
    protocol::Heartbeat beat;
    supervisor->add_to(beat.reported);
    return protocol::encode(beat);
  }
  const std::string longest_ = std::string(4'000, '"');  // each takes two bytes
};

TEST_F(ReportSize, OfModulesThatCannotBeStarted) {
  for (int i = 0; i < count; ++i) {
    write_module(name(i), "exec = '/" + longest_ + "'\n", "enabled = " + std::string(64, '"') + "\n");
  }
  start();
  for (int i = 0; i < count; ++i) {
    supervisor->command(name(i), ModuleCommand::start, {});
    say(keeper::SpawnFailed{name(i) + ":2", keeper::SpawnStep::exec, ENOENT});
  }
  eventually([this] { return supervisor->statuses().back().state == ModuleState::error; });
  const std::string message = heartbeat();
  EXPECT_LT(message.size(), protocol::max_device_message_bytes);
  const JsonObject modules = parse_json(message)->at("reported").at("modules").as_object();
  ASSERT_EQ(modules.size(), static_cast<std::size_t>(count));
  for (const auto& module : modules)
    EXPECT_EQ(module.value().at("state"), Json("error")) << module.key();
}

TEST_F(ReportSize, OfModulesThatDieWithManyWords) {
  std::vector<keeper::HeldChild> children;
  for (int i = 0; i < count; ++i) {
    write_module(name(i), "exec = '/bin/true'\nreadiness = 'notify'\n", "enabled = true\n");
    children.push_back(child(i));
  }
  start(children);
  for (int i = 0; i < count; ++i) {
    for (std::size_t line = 0; line < ModuleLog::kept_lines; ++line)
      supervisor->log_of(name(i)).bytes(LogStream::err, longest_.substr(0, 1'000) + "\n");
    supervisor->said_state(name(i), "recording", longest_.substr(0, ModuleCore::max_status_bytes));
    say(keeper::Exited{name(i) + ":1", child(i).pid, keeper::Exit{}});
  }
  eventually([this] { return supervisor->statuses().back().last_death.has_value(); });
  const std::string message = heartbeat();
  EXPECT_GT(message.size(), Supervisor::reported_bytes);
  EXPECT_LT(message.size(), protocol::max_device_message_bytes);
}

}  // namespace
}  // namespace starling::agent
