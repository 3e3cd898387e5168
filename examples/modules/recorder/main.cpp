// A recorder: idle until an action starts it. The agent may come and go meanwhile; SIGTERM finishes the file.
#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <csignal>
#include <cstdio>

#include "recorder.hpp"

namespace {

using starling::module::Module;

constexpr int chunk_ms = 100, retry_ms = 1'000;

// Readable when the process is to end.
starling::FileDescriptor end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  return starling::FileDescriptor(::signalfd(-1, &signals, SFD_CLOEXEC));
}

class Main {
 public:
  explicit Main(char** arguments) : recorder_(arguments[1], clock_) {
    options_.name = "recorder";
    if (arguments[2] != nullptr) options_.socket = arguments[2];
    options_.actions = recorder_.actions();
  }

  int run() {
    while (true) {
      if (!agent_) connect();
      std::array<pollfd, 2> ready{
          {{end_.number(), POLLIN, 0}, {agent_ ? agent_->descriptor() : -1, POLLIN, 0}}};
      ::poll(ready.data(), ready.size(), recorder_.recording() ? chunk_ms : agent_ ? -1 : retry_ms);
      if (ready[0].revents != 0) return finish();
      if (ready[1].revents != 0) keep_agent(agent_->process());
      if (const auto heard = recorder_.advance(); !heard) {
        say(heard.error().message);
        if (agent_) keep_agent(recorder_.report(*agent_));
      }
    }
  }

 private:
  void connect() {
    auto agent = Module::connect(options_, handler_);
    if (!agent) return say(agent.error().message);
    agent_.emplace(std::move(*agent));
    said_.clear();
    keep_agent(recorder_.report(*agent_));
  }
  void keep_agent(const starling::Result<void>& done) {
    if (done) return;
    say(done.error().message);
    agent_.reset();
  }
  int finish() {
    const auto finished = recorder_.finish();
    if (!finished) say(finished.error().message);
    return finished ? 0 : 1;
  }
  void say(const std::string& trouble) {
    if (trouble == said_) return;
    said_ = trouble;
    std::fprintf(stderr, "recorder: %s\n", said_.c_str());
  }

  starling::FileDescriptor end_ = end_signals();
  starling::SystemClock clock_;
  starling::module::Handler handler_;  // it uses no settings
  recorder::Recorder recorder_;
  starling::module::Options options_;
  std::optional<Module> agent_;
  std::string said_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: recorder-module RECORDINGS_FOLDER [AGENT_SOCKET]\n");
    return 2;
  }
  return Main(argv).run();
}
