#include "agent/control/control_server.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "agent/supervisor/module_report.hpp"
#include "base/json_text.hpp"
#include "base/nearest_name.hpp"
#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr std::array commands{ModuleCommand::enable, ModuleCommand::disable, ModuleCommand::start,
                              ModuleCommand::stop, ModuleCommand::restart};

JsonObject refusal(const Error& error) {
  JsonObject json;
  json["ok"] = false;
  json["code"] = to_string(error.code);
  json["message"] = error.message;
  return json;
}

JsonObject success() {
  JsonObject json;
  json["ok"] = true;
  return json;
}

JsonObject named(std::string_view name, const Json& description) {
  JsonObject module = description.get_object();
  module["name"] = name;
  return module;
}

JsonObject log_line(std::string_view text) {
  JsonObject json;
  json["line"] = text;
  return json;
}

}  // namespace

struct ControlServer::Connection {
  Connection(net::UnixListener::Socket accepted, Supervisor& its_supervisor)
      : socket(std::move(accepted)),
        wake(socket.get_executor(), asio::steady_timer::time_point::max()),
        supervisor(its_supervisor) {}
  ~Connection() { end_following(); }

  void say(const JsonObject& line) {
    if (finished) return;
    if (unsent.size() > max_unsent_bytes) {
      unsent += json_text(refusal({ErrorCode::too_large, "too slow a reader: it is left", ""})) + "\n";
      return finish();
    }
    unsent += json_text(line) + "\n";
    wake.cancel();
  }
  void finish() {
    finished = true;
    end_following();
    wake.cancel();
  }
  void leave() {
    gone = true;
    finish();
    boost::system::error_code ignored;
    socket.close(ignored);
  }
  void end_following() {
    if (observer) supervisor.stop_observing(*std::exchange(observer, std::nullopt));
    if (follower) supervisor.log_of(followed).unfollow(*follower);
    follower.reset();
  }

  // It has asked for nothing, or does not read all of its answer.
  bool is_idle() const { return !asked || finished; }

  net::UnixListener::Socket socket;
  asio::steady_timer wake;  // cancelled when there is something to do
  Supervisor& supervisor;
  std::string request, unsent;
  bool asked = false;
  bool finished = false;  // nothing more will be said
  bool gone = false;      // the other end has closed
  std::optional<std::uint32_t> observer;
  std::uint64_t told = 0;  // number of the last transition
  std::string followed;    // module
  std::optional<std::uint32_t> follower;
};

ControlServer::ControlServer(const asio::any_io_executor& executor, Supervisor& supervisor, Logger log)
    : executor_(executor), supervisor_(supervisor), log_(log), tasks_(executor, log), listener_(executor) {}

ControlServer::~ControlServer() = default;

Result<void> ControlServer::start(const std::filesystem::path& socket) {
  if (auto listening = listener_.listen(socket); !listening) return listening;
  tasks_.start("control listener", accept());
  return {};
}

asio::awaitable<void> ControlServer::stop() {
  co_await tasks_.stop();
  listener_.close();
}

// ---- connections

asio::awaitable<void> ControlServer::accept() {
  while (true) {
    auto socket = co_await listener_.accept(log_);
    if (!socket) co_return;
    if (connections_.size() >= max_connections && !leave_an_idle_one()) continue;
    connections_.push_back(std::make_shared<Connection>(std::move(*socket), supervisor_));
    tasks_.start("control connection", serve(connections_.back()));
  }
}

bool ControlServer::leave_an_idle_one() {
  const auto oldest = std::ranges::find_if(connections_, [](const Shared& one) { return one->is_idle(); });
  if (oldest == connections_.end()) return false;
  (*oldest)->leave();
  connections_.erase(oldest);
  return true;
}

asio::awaitable<void> ControlServer::serve(Shared connection) {
  auto buffer = asio::dynamic_buffer(connection->request, max_request_bytes);
  const auto [error, length] =
      co_await asio::async_read_until(connection->socket, buffer, '\n', tuple_awaitable);
  connection->asked = !error;
  if (!error) {
    handle(connection, std::string_view(connection->request).substr(0, length - 1));
    tasks_.start("control end", watch_end(connection));
  } else if (error == asio::error::not_found) {  // no line feed in all that there may be
    const std::string most = std::to_string(max_request_bytes);
    connection->say(
        refusal({ErrorCode::too_large, "a request is one line of at most " + most + " bytes", ""}));
    connection->finish();
  } else {
    connection->gone = true;
  }
  while (!connection->gone) {
    if (!connection->unsent.empty()) {
      const std::string sending = std::exchange(connection->unsent, {});
      const auto [failed, count] =
          co_await asio::async_write(connection->socket, asio::buffer(sending), tuple_awaitable);
      if (failed) break;
    } else if (connection->finished) {
      break;
    } else {
      connection->wake.expires_at(asio::steady_timer::time_point::max());
      co_await connection->wake.async_wait(tuple_awaitable);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) break;
    }
  }
  connection->leave();
  std::erase(followers_, connection.get());
  std::erase(connections_, connection);
}

// Nothing is expected but the end.
asio::awaitable<void> ControlServer::watch_end(Shared connection) {
  std::array<char, 256> rest{};
  while (true) {
    const auto [error, count] =
        co_await connection->socket.async_read_some(asio::buffer(rest), tuple_awaitable);
    if (error) break;
  }
  // A half-closed connection still wants its answer.
  if (connection->observer || connection->follower) connection->gone = true;
  connection->wake.cancel();
}

// ---- requests

void ControlServer::handle(const Shared& connection, std::string_view line) {
  const auto parsed = parse_json(line);
  Result<void> done;
  if (!parsed || !parsed->is_object()) {
    done = fail(ErrorCode::invalid_argument, "a request is one line with a JSON object");
  } else {
    const JsonObject& request = parsed->get_object();
    const auto what = JsonReader(request).string("request", 64);
    if (!what) {
      done = fail(what);
    } else if (*what == "ping") {
      connection->say(success());
      connection->finish();
    } else if (*what == "list") {
      done = list(connection);
    } else if (*what == "show") {
      done = show(connection, request);
    } else if (*what == "command") {
      done = command(connection, request);
    } else if (*what == "act") {
      done = act(connection, request);
    } else if (*what == "logs") {
      done = logs(connection, request);
    } else if (*what == "update") {
      done = update(connection, request);
    } else if (*what == "journal") {
      done = journal(connection, request);
    } else {
      done = fail(ErrorCode::invalid_argument, "there is no request '" + *what + "'");
    }
  }
  if (done) return;
  connection->say(refusal(done.error()));
  connection->finish();
}

Result<std::string> ControlServer::module_of(const JsonObject& request) const {
  auto module = connected_module_of(request);
  if (!module || supervisor_.has(*module)) return module;
  return fail(ErrorCode::failed_precondition,
              "the agent has no folder of module '" + *module + "', and does not run it");
}

Result<std::string> ControlServer::connected_module_of(const JsonObject& request) const {
  auto module = JsonReader(request).string("module", 256);
  if (!module) return module;
  const JsonObject all = supervisor_.descriptions();
  if (all.contains(*module)) return module;
  NearestName nearest(*module);
  for (const auto& known : all)
    nearest.consider(known.key());
  std::string why = "no module is called '" + *module + "'" + nearest.hint();
  if (!valid_module_name(*module))
    why += "\n  The name of a module has " + std::string(protocol::module_name_rule);
  return fail(ErrorCode::not_found, std::move(why));
}

Result<void> ControlServer::list(const Shared& connection) {
  JsonArray modules;
  for (auto& [name, description] : supervisor_.descriptions())
    modules.push_back(named(name, description));
  JsonObject answer = success();
  answer["modules"] = std::move(modules);
  answer["left_out"] = JsonArray(left_out_.begin(), left_out_.end());
  connection->say(answer);
  connection->finish();
  return {};
}

Result<void> ControlServer::show(const Shared& connection, const JsonObject& request) {
  const auto module = connected_module_of(request);
  if (!module) return fail(module);
  JsonObject answer = success();
  answer["module"] = named(*module, supervisor_.descriptions().at(*module));
  connection->say(answer);
  connection->finish();
  return {};
}

Result<void> ControlServer::command(const Shared& connection, const JsonObject& request) {
  const auto name = JsonReader(request).string("command", 64);
  if (!name) return fail(name);
  if (const auto asked = JsonReader(request).string("module", 256)) supervisor_.look_for(*asked);
  const bool may_be_gone = *name == to_string(ModuleCommand::disable);
  const auto module = may_be_gone ? connected_module_of(request) : module_of(request);
  if (!module) return fail(module);
  const auto found = std::ranges::find(commands, *name, [](ModuleCommand one) { return to_string(one); });
  if (found == commands.end()) {
    return fail(ErrorCode::invalid_argument,
                "'" + *name + "' is no command; there are enable, disable, start, stop and restart");
  }
  supervisor_.command(*module, *found, [connection](const Result<ModuleState>& settled) {
    if (!settled) {
      connection->say(refusal(settled.error()));
    } else {
      JsonObject answer = success();
      answer["state"] = to_string(*settled);
      connection->say(answer);
    }
    connection->finish();
  });
  return {};
}

Result<void> ControlServer::act(const Shared& connection, const JsonObject& request) {
  const auto module = connected_module_of(request);
  if (!module) return fail(module);
  auto action = JsonReader(request).string("action", 256);
  if (!action) return fail(action);
  const auto parameters = JsonReader(request).optional_object("parameters");
  if (!parameters) return fail(parameters);
  supervisor_.act(*module, std::move(*action), *parameters == nullptr ? JsonObject() : **parameters,
                  [connection](const Result<JsonObject>& result) {
                    if (!result) {
                      connection->say(refusal(result.error()));
                    } else {
                      JsonObject answer = success();
                      answer["result"] = *result;
                      connection->say(answer);
                    }
                    connection->finish();
                  });
  return {};
}

Result<void> ControlServer::logs(const Shared& connection, const JsonObject& request) {
  const auto module = module_of(request);
  if (!module) return fail(module);
  const auto lines = JsonReader(request).optional_integer("lines");
  if (!lines) return fail(lines);
  const auto follow = JsonReader(request).optional_boolean("follow");
  if (!follow) return fail(follow);
  if (follow->value_or(false)) {
    if (auto admitted = admit_follower(*connection); !admitted) return admitted;
  }
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(0, lines->value_or(100)));
  for (const std::string& line : supervisor_.log_of(*module).tail_lines(count))
    connection->say(log_line(line));
  if (!follow->value_or(false)) {
    connection->finish();
    return {};
  }
  const auto id = supervisor_.log_of(*module).follow(
      [connection = connection.get()](WallTime at, LogStream stream, std::string_view line) {
        connection->say(
            log_line(to_rfc3339(at) + " " + std::string(to_string(stream)) + " " + std::string(line)));
      });
  if (!id) return fail(id);
  connection->followed = *module;
  connection->follower = *id;
  connection->observer = supervisor_.observe([this, told = connection.get()] {
    if (supervisor_.has(told->followed)) return;
    told->say(refusal({ErrorCode::not_found, "the folder of module '" + told->followed + "' is gone", ""}));
    told->finish();
  });
  return {};
}

Result<void> ControlServer::update(const Shared& connection, const JsonObject& request) {
  if (updates_ == nullptr) {
    return fail(ErrorCode::failed_precondition, "this device takes no releases");
  }
  const auto check = JsonReader(request).optional_boolean("check");
  if (!check) return fail(check);
  if (check->value_or(false)) {
    updates_->check_now();
    wakeup_->deadlines_changed();
  }
  JsonObject answer = success();
  answer["update"] = updates_->details();
  connection->say(answer);
  connection->finish();
  return {};
}

Result<void> ControlServer::journal(const Shared& connection, const JsonObject& request) {
  const auto after = JsonReader(request).optional_integer("after");
  if (!after) return fail(after);
  const auto id = JsonReader(request).optional_string("journal", 64);
  if (!id) return fail(id);
  const auto follow = JsonReader(request).optional_boolean("follow");
  if (!follow) return fail(follow);
  if (follow->value_or(false)) {
    if (auto admitted = admit_follower(*connection); !admitted) return admitted;
  }
  connection->told = static_cast<std::uint64_t>(std::max<std::int64_t>(0, after->value_or(0)));
  tell_journal(*connection, id->value_or(""));
  if (!follow->value_or(false)) {
    connection->finish();
  } else if (!connection->finished) {
    connection->observer = supervisor_.observe([this, told = connection.get()] { tell_journal(*told); });
  }
  return {};
}

Result<void> ControlServer::admit_follower(Connection& connection) {
  if (followers_.size() >= max_followers) {
    const auto left = std::ranges::find_if(followers_, &Connection::finished);
    if (left == followers_.end()) {
      return fail(ErrorCode::unavailable,
                  std::to_string(max_followers) + " follow already; try again when one of them has ended");
    }
    (*left)->leave();
    followers_.erase(left);
  }
  followers_.push_back(&connection);
  return {};
}

// `journal`: of which the number is that was told last; empty: of this one.
void ControlServer::tell_journal(Connection& connection, std::string_view journal) {
  const TransitionJournal& all = supervisor_.journal();
  const TransitionJournal::Replay replay = all.after(connection.told, journal);
  if (replay.gap) connection.say(JsonObject{{"gap", true}, {"journal", all.id()}});
  for (const Transition& transition : replay.transitions) {
    JsonObject one = to_json(transition, supervisor_.wall_times());
    one["journal"] = all.id();
    connection.say(JsonObject{{"transition", std::move(one)}});
    connection.told = transition.number;
  }
  if (replay.gap && replay.transitions.empty()) connection.told = all.newest();
}

}  // namespace starling::agent
