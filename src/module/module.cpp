#include "module/module.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace starling::module {

namespace wire = protocol::module;

namespace {

std::string socket_path(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const char* from_environment = std::getenv("STARLING_MODULE_SOCKET");
  return from_environment == nullptr ? "" : from_environment;
}

std::string no_action(const std::string& name, const std::map<std::string, Action, std::less<>>& actions) {
  std::string known;
  for (const auto& action : actions)
    known += (known.empty() ? "; there are " : ", ") + action.first;
  return "there is no action '" + name + "'" + (known.empty() ? "; this module has none" : known);
}

}  // namespace

Result<Module> Module::connect(Options options, Handler& handler) {
  const std::string path = socket_path(options);
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(
        ErrorCode::invalid_argument,
        "the agent's socket is not known: set STARLING_MODULE_SOCKET to agent.sock in its state folder");
  }
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(ErrorCode::io, std::string("socket: ") + std::strerror(errno));
  Module module(descriptor, options, handler);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(ErrorCode::unavailable, "no agent answers at " + path + ": " + std::strerror(errno));
  }
  wire::Hello hello;
  hello.name = std::move(options.name);
  hello.components = std::move(options.components);
  hello.keys = std::move(options.keys);
  hello.prepare_seconds = options.prepare_seconds;
  hello.hash = options.running;
  if (auto sent = module.send(hello); !sent) return fail(sent);
  return module;
}

Module::Module(int socket, Options options, Handler& handler)
    : socket_(socket), handler_(handler), actions_(std::move(options.actions)), running_(options.running) {}

Module::Module(Module&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      handler_(other.handler_),
      actions_(std::move(other.actions_)),
      received_(std::move(other.received_)),
      running_(other.running_),
      prepared_(other.prepared_),
      prepared_values_(std::move(other.prepared_values_)) {}

Module::~Module() {
  if (socket_ >= 0) ::close(socket_);
}

Result<void> Module::run() {
  while (true) {
    if (auto processed = process(); !processed) return processed;
  }
}

Result<void> Module::process() {
  std::array<char, 4096> chunk{};
  const ssize_t count = ::recv(socket_, chunk.data(), chunk.size(), 0);
  if (count < 0 && errno == EINTR) return {};
  if (count < 0)
    return fail(ErrorCode::unavailable, std::string("the agent's socket: ") + std::strerror(errno));
  if (count == 0) return fail(ErrorCode::unavailable, "the agent has closed the connection");
  received_.append(chunk.data(), static_cast<std::size_t>(count));
  std::size_t end = 0;
  while ((end = received_.find('\n')) != std::string::npos) {
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    if (auto handled = handle(line); !handled) return handled;
  }
  if (received_.size() > wire::max_line_bytes)
    return fail(ErrorCode::too_large, "the agent's line is too long");
  return {};
}

Result<void> Module::handle(std::string_view line) {
  const auto message = wire::decode_from_agent(line);
  if (!message) return fail(message, "the agent's line");
  return std::visit([this](const auto& one) { return on(one); }, *message);
}

Result<void> Module::on(const wire::Settings& settings) {
  prepared_ = {};
  prepared_values_.clear();
  if (settings.hash == running_) return {};
  handler_.apply(settings.values);
  running_ = settings.hash;
  return {};
}

Result<void> Module::on(const wire::Prepare& prepare) {
  wire::Prepared answer;
  answer.hash = prepare.hash;
  answer.errors = handler_.check(prepare.values, prepare.changed);
  answer.ok = answer.errors.empty();
  if (answer.ok) {
    prepared_ = prepare.hash;
    prepared_values_ = prepare.values;
  }
  return send(answer);
}

// Comes again until the agent has seen the answer.
Result<void> Module::on(const wire::Commit& commit) {
  if (commit.hash == prepared_) {
    handler_.apply(prepared_values_);
    running_ = std::exchange(prepared_, {});
    prepared_values_.clear();
  }
  if (commit.hash != running_) return {};
  return send(wire::Committed{commit.hash});
}

Result<void> Module::on(const wire::Rollback& rollback) {
  if (rollback.hash == prepared_) {
    prepared_ = {};
    prepared_values_.clear();
  }
  return {};
}

Result<void> Module::on(const wire::Action& action) {
  wire::ActionResult answer;
  answer.id = action.id;
  if (const auto found = actions_.find(action.name); found != actions_.end()) {
    Result<JsonObject> done = found->second(*this, action.parameters);
    answer.ok = done.has_value();
    if (done) {
      answer.result = std::move(*done);
    } else {
      answer.message = std::move(done.error().message);
    }
  } else {
    answer.message = no_action(action.name, actions_);
  }
  return send(answer);
}

Result<void> Module::on(const wire::Refused& refused) {
  if (refused.fatal) return fail(ErrorCode::failed_precondition, "the agent refuses: " + refused.message);
  std::fprintf(stderr, "the agent refuses: %s\n", refused.message.c_str());
  return {};
}

Result<void> Module::on(const protocol::Unknown&) {
  return {};
}

Result<void> Module::report_state(std::string_view state, std::string_view status) {
  return send(wire::State{std::string(state), std::string(status)});
}

Result<void> Module::set(JsonObject values) {
  return send(wire::Set{std::move(values)});
}

Result<void> Module::send(const wire::FromModule& message) {
  const std::string line = wire::encode(message) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(ErrorCode::unavailable, std::string("the agent's socket: ") + std::strerror(errno));
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

void run_for_ever(const Options& options, Handler& handler) {
  std::string said;
  Options again = options;
  while (true) {
    auto module = Module::connect(again, handler);
    const Result<void> ended = module ? module->run() : Result<void>(fail(module));
    if (module) again.running = module->running();
    if (ended.error().message != said) {
      said = ended.error().message;
      std::fprintf(stderr, "%s: %s; trying on\n", options.name.c_str(), said.c_str());
    }
    ::sleep(1);
  }
}

}  // namespace starling::module
