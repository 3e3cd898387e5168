// Purpose: a running keeper whose agent does nothing, or what a shell script says.
// Owner: the test. Thread: the test's. Lifetime: everything that the keeper started ends with it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include "e2e/keeper_wire.hpp"

namespace starling::e2e {

class KeeperTest : public testing::Test {
 protected:
  static constexpr const char* idle = "exec tail -f /dev/null";

  ~KeeperTest() override {
    if (!keeper_) return;
    keeper_->signal(SIGTERM);
    keeper_->signal(SIGTERM);  // at once
    keeper_->wait();
  }

  std::filesystem::path state() const { return folder_ / "state"; }
  std::filesystem::path socket() const { return state() / "keeper.sock"; }

  // The agent is a shell that runs `agent`.
  Process& start(const std::string& agent = idle, std::vector<std::string> options = {}) {
    std::vector<std::string> arguments = {"--state", state().string(), "--log-format", "text"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const auto& word : {"--", "/bin/sh", "-c", agent.c_str()})
      arguments.emplace_back(word);
    return start_process("starling-keeper", std::move(arguments));
  }
  Process& start_process(const std::string& program, std::vector<std::string> arguments) {
    keeper_.emplace(Process::Options{.program = program,
                                     .arguments = std::move(arguments),
                                     .environment = {},
                                     .output = folder_ / "keeper.log"});
    return *keeper_;
  }

  KeeperWire attach() {
    KeeperWire wire(socket());
    wire.hello();
    return wire;
  }

  // A shell that runs `script`.
  static keeper::SpawnRequest shell(const std::string& id, const std::string& script) {
    return {.id = id,
            .executable = "/bin/sh",
            .arguments = {"-c", script},
            .environment = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}};
  }

  void await_log(const std::string& text) {
    eventually("the keeper to say " + text,
               [&] { return keeper_->output().find(text) != std::string::npos; });
  }

  TemporaryFolder folder_;
  std::optional<Process> keeper_;
};

// A pipe with a name, on which a script waits until the test opens it.
class Gate {
 public:
  explicit Gate(std::filesystem::path path);
  // For a script: goes on when the gate is opened.
  std::string wait() const { return "read line < " + path_.string() + "; "; }
  void open() const;

 private:
  std::filesystem::path path_;
};

}  // namespace starling::e2e
