#include "keeper/protocol.hpp"

#include <algorithm>
#include <array>

namespace starling::keeper {
namespace {

// The words on the wire of each enumeration, in its order.
constexpr std::array<std::string_view, 2> scope_names = {"main", "group"};
constexpr std::array<std::string_view, 3> state_names = {"starting", "running", "exited"};
constexpr std::array<std::string_view, 3> exit_names = {"exited", "killed", "dumped"};
constexpr std::array<std::string_view, 3> handle_names = {"stdout", "stderr", "notify"};
constexpr std::array<std::string_view, 15> step_names = {
    "request", "id",   "children", "descriptors", "notify", "fork", "session", "cgroup",
    "oom",     "nice", "limits",   "groups",      "uid",    "cwd",  "exec"};

template <typename Enumeration, std::size_t count>
std::string_view name_of(const std::array<std::string_view, count>& names, Enumeration value) {
  return names[static_cast<std::size_t>(value)];
}

template <typename Enumeration, std::size_t count>
Result<Enumeration> value_of(const std::array<std::string_view, count>& names, std::string_view key,
                             const Message& message) {
  const std::string_view name = message.find(key).value_or("");
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    return fail(ErrorCode::invalid_argument, std::string(key) + " is missing or a word that is not known");
  }
  return static_cast<Enumeration>(found - names.begin());
}

Result<std::string> id_of(const Message& message) {
  Result<std::string> id = message.text("id");
  if (id && !is_id(*id)) {
    return fail(ErrorCode::invalid_argument, "id is not 1 to 96 letters, digits, '.', '_', '-' or ':'");
  }
  return id;
}

// --- fields, read one after the other; the first error is kept

class FieldReader {
 public:
  explicit FieldReader(const Message& message) : message_(message) {}

  template <typename T>
  FieldReader& take(Result<T> value, T& into) {
    if (!value) {
      keep(value.error());
    } else {
      into = std::move(*value);
    }
    return *this;
  }
  template <std::integral Number>
  FieldReader& number(std::string_view key, Number& into) {
    return take(message_.needed_number<Number>(key), into);
  }
  template <std::integral Number>
  FieldReader& number(std::string_view key, std::optional<Number>& into, int base = 10) {
    return take(message_.number<Number>(key, base), into);
  }
  FieldReader& text(std::string_view key, std::string& into) { return take(message_.text(key), into); }
  FieldReader& id(std::string& into) { return take(id_of(message_), into); }
  template <typename Enumeration, std::size_t count>
  FieldReader& word(const std::array<std::string_view, count>& names, std::string_view key,
                    Enumeration& into) {
    return take(value_of<Enumeration>(names, key, message_), into);
  }
  template <typename Duration>
  FieldReader& duration(std::string_view key, Duration& into) {
    std::int64_t count = 0;
    number(key, count);
    into = Duration(count);
    return *this;
  }
  void keep(Error error) {
    if (!error_) error_ = std::move(error);
  }

  template <typename T>
  Result<T> finish(T& value) {
    if (error_) return std::unexpected(std::move(*error_));
    return std::move(value);
  }

 private:
  const Message& message_;
  std::optional<Error> error_;
};

std::vector<std::string> texts(const Message& message, std::string_view key) {
  const std::vector<std::string_view> views = message.list(key);
  return {views.begin(), views.end()};
}

Result<std::vector<std::uint32_t>> groups_of(const Message& message) {
  std::vector<std::uint32_t> groups;
  for (const std::string_view text : message.list("group")) {
    const Result<std::uint32_t> group = parse_number<std::uint32_t>("group", text);
    if (!group) return fail(group);
    groups.push_back(*group);
  }
  return groups;
}

Result<SpawnRequest> spawn_request_of(const Message& message) {
  SpawnRequest request;
  FieldReader reader(message);
  reader.id(request.id)
      .text("exec", request.executable)
      .number("uid", request.uid)
      .number("gid", request.gid)
      .take(groups_of(message), request.groups)
      .number("nice", request.nice)
      .number("oom_score_adj", request.oom_score_adj)
      .number("limit_nofile", request.limit_nofile)
      .number("limit_core", request.limit_core_bytes)
      .number("limit_as", request.limit_as_bytes)
      .number("umask", request.umask, 8);
  request.arguments = texts(message, "arg");
  request.environment = texts(message, "env");
  request.folder = message.find("cwd").value_or("");
  request.cgroup = message.find("cgroup").value_or("");
  request.notify = message.find("notify") == "1";
  request.mark = message.find("mark").value_or("");
  if (request.mark.size() > max_mark_bytes) {
    reader.keep(Error{ErrorCode::invalid_argument, "mark is longer than 128 bytes", ""});
  }
  if (!request.executable.starts_with('/')) {
    reader.keep(Error{ErrorCode::invalid_argument, "exec is not an absolute path", ""});
  }
  // To the kernel this number means: leave it as it is.
  constexpr std::uint32_t nobody_changes = 0xffff'ffff;
  if (request.uid == nobody_changes || request.gid == nobody_changes) {
    reader.keep(Error{ErrorCode::invalid_argument, "uid or gid is out of range", ""});
  }
  if (request.umask && *request.umask > 0777) {
    reader.keep(Error{ErrorCode::invalid_argument, "umask is not an octal number up to 777", ""});
  }
  return reader.finish(request);
}

Request spawn_or_bad_spawn(const Message& message) {
  Result<SpawnRequest> request = spawn_request_of(message);
  if (request) return std::move(*request);
  return BadSpawn{std::string(message.find("id").value_or("")), request.error().message};
}

Result<SignalRequest> signal_request_of(const Message& message) {
  SignalRequest request;
  return FieldReader(message)
      .id(request.id)
      .number("signal", request.number)
      .word(scope_names, "scope", request.scope)
      .finish(request);
}

Result<NameMain> name_main_of(const Message& message) {
  NameMain request;
  return FieldReader(message)
      .id(request.id)
      .number("pid", request.pid)
      .number("start", request.start)
      .finish(request);
}

Result<Exit> exit_of(const Message& message) {
  Exit exit;
  return FieldReader(message)
      .word(exit_names, "code", exit.kind)
      .number("status", exit.status)
      .duration("at", exit.at)
      .duration("user_us", exit.user)
      .duration("system_us", exit.system)
      .number("maxrss_kb", exit.max_rss_kb)
      .finish(exit);
}

Result<std::vector<Handle>> handles_of(const Message& message) {
  std::vector<Handle> handles;
  for (const std::string_view name : message.list("fd")) {
    const auto found = std::ranges::find(handle_names, name);
    if (found == handle_names.end())
      return fail(ErrorCode::invalid_argument, "fd is a word that is not known");
    handles.push_back(static_cast<Handle>(found - handle_names.begin()));
  }
  return handles;
}

Result<HeldChild> child_of(const Message& message) {
  HeldChild child;
  FieldReader reader(message);
  reader.id(child.id)
      .number("pid", child.pid)
      .number("start", child.start)
      .word(state_names, "state", child.state)
      .take(handles_of(message), child.handles);
  child.in_cgroup = message.find("cgroup") == "1";
  child.mark = message.find("mark").value_or("");
  if (message.find("leader")) {
    reader.number("leader", child.leader).number("leader_start", child.leader_start);
  }
  if (child.state == ChildState::exited) reader.take(exit_of(message), child.exit.emplace());
  return reader.finish(child);
}

Result<Exited> exited_of(const Message& message) {
  Exited exited;
  return FieldReader(message)
      .id(exited.id)
      .number("pid", exited.pid)
      .take(exit_of(message), exited.exit)
      .finish(exited);
}

Result<Welcome> welcome_of(const Message& message) {
  Welcome welcome;
  return FieldReader(message)
      .number("version", welcome.version)
      .number("pid", welcome.keeper_pid)
      .number("starts", welcome.starts)
      .number("crashes", welcome.crashes)
      .number("unrecorded", welcome.unrecorded)
      .finish(welcome);
}

Result<SpawnFailed> spawn_failed_of(const Message& message) {
  SpawnFailed failed;
  failed.id = message.find("id").value_or("");  // as it was asked for, even if it is no id
  return FieldReader(message)
      .word(step_names, "step", failed.step)
      .number("errno", failed.error)
      .finish(failed);
}

Result<SignalFailed> signal_failed_of(const Message& message) {
  SignalFailed failed;
  return FieldReader(message).id(failed.id).number("errno", failed.error).finish(failed);
}

Result<MainTaken> main_taken_of(const Message& message) {
  MainTaken taken;
  return FieldReader(message)
      .id(taken.id)
      .number("pid", taken.pid)
      .number("start", taken.start)
      .finish(taken);
}

Result<MainRefused> main_refused_of(const Message& message) {
  MainRefused refused;
  return FieldReader(message)
      .id(refused.id)
      .number("pid", refused.pid)
      .number("errno", refused.error)
      .finish(refused);
}

template <typename Wrapper>
auto wrapped(auto result) -> Result<Wrapper> {
  if (!result) return fail(result);
  return Wrapper{std::move(*result)};
}

// --- fields, written

template <typename T>
void add(Message& message, std::string_view key, const std::optional<T>& value) {
  if (value) message.add(key, *value);
}

void add(Message& message, const Exit& exit) {
  message.add("code", name_of(exit_names, exit.kind));
  message.add("status", exit.status);
  message.add("at", static_cast<std::int64_t>(exit.at.count()));
  message.add("user_us", static_cast<std::int64_t>(exit.user.count()));
  message.add("system_us", static_cast<std::int64_t>(exit.system.count()));
  message.add("maxrss_kb", exit.max_rss_kb);
}

Message message_of(std::string_view verb, const HeldChild& child) {
  Message message(verb);
  message.add("id", child.id);
  message.add("pid", child.pid);
  message.add("start", child.start);
  message.add("state", name_of(state_names, child.state));
  message.add("cgroup", child.in_cgroup ? 1 : 0);
  if (child.leader != 0) {
    message.add("leader", child.leader);
    message.add("leader_start", child.leader_start);
  }
  for (const Handle handle : child.handles)
    message.add("fd", name_of(handle_names, handle));
  if (child.exit) add(message, *child.exit);
  if (!child.mark.empty()) message.add("mark", child.mark);
  return message;
}

struct MakeMessage {
  Message operator()(const UnknownVerb& unknown) const { return Message(unknown.verb); }
  Message operator()(const Hello& hello) const {
    Message message("hello");
    message.add("version", hello.version);
    return message;
  }
  Message operator()(const SpawnRequest& request) const {
    Message message("spawn");
    message.add("id", request.id);
    message.add("exec", request.executable);
    for (const std::string& argument : request.arguments)
      message.add("arg", argument);
    for (const std::string& entry : request.environment)
      message.add("env", entry);
    if (!request.folder.empty()) message.add("cwd", request.folder);
    add(message, "uid", request.uid);
    add(message, "gid", request.gid);
    for (const std::uint32_t group : request.groups)
      message.add("group", group);
    add(message, "nice", request.nice);
    add(message, "oom_score_adj", request.oom_score_adj);
    add(message, "limit_nofile", request.limit_nofile);
    add(message, "limit_core", request.limit_core_bytes);
    add(message, "limit_as", request.limit_as_bytes);
    if (request.umask) {
      char octal[16];
      message.add("umask", std::string_view(octal, std::to_chars(octal, octal + 16, *request.umask, 8).ptr));
    }
    if (!request.cgroup.empty()) message.add("cgroup", request.cgroup);
    if (request.notify) message.add("notify", 1);
    if (!request.mark.empty()) message.add("mark", request.mark);
    return message;
  }
  Message operator()(const BadSpawn& bad) const {
    Message message("spawn");
    message.add("id", bad.id);
    return message;
  }
  Message operator()(const SignalRequest& request) const {
    Message message("signal");
    message.add("id", request.id);
    message.add("signal", request.number);
    message.add("scope", name_of(scope_names, request.scope));
    return message;
  }
  Message operator()(const NameMain& request) const {
    Message message("main");
    message.add("id", request.id);
    message.add("pid", request.pid);
    message.add("start", request.start);
    return message;
  }
  Message operator()(const Forget& forget) const {
    Message message("forget");
    message.add("id", forget.id);
    return message;
  }
  Message operator()(const Healthy&) const { return Message("healthy"); }
  Message operator()(const Stopping& stopping) const {
    Message message("stopping");
    message.add("within_ms", stopping.within_ms);
    return message;
  }
  Message operator()(const Watch& watch) const {
    Message message("watch");
    message.add("within_ms", watch.within_ms);
    return message;
  }
  Message operator()(const List&) const { return Message("list"); }

  Message operator()(const Welcome& welcome) const {
    Message message("welcome");
    message.add("version", welcome.version);
    message.add("pid", welcome.keeper_pid);
    message.add("starts", welcome.starts);
    message.add("crashes", welcome.crashes);
    message.add("unrecorded", welcome.unrecorded);
    return message;
  }
  Message operator()(const ChildListed& listed) const { return message_of("child", listed.child); }
  Message operator()(const Listed&) const { return Message("listed"); }
  Message operator()(const Spawned& spawned) const { return message_of("spawned", spawned.child); }
  Message operator()(const SpawnFailed& failed) const {
    Message message("spawn_failed");
    message.add("id", failed.id);
    message.add("step", to_string(failed.step));
    message.add("errno", failed.error);
    return message;
  }
  Message operator()(const SignalFailed& failed) const {
    Message message("signal_failed");
    message.add("id", failed.id);
    message.add("errno", failed.error);
    return message;
  }
  Message operator()(const MainTaken& taken) const {
    Message message("main_taken");
    message.add("id", taken.id);
    message.add("pid", taken.pid);
    message.add("start", taken.start);
    return message;
  }
  Message operator()(const MainRefused& refused) const {
    Message message("main_refused");
    message.add("id", refused.id);
    message.add("pid", refused.pid);
    message.add("errno", refused.error);
    return message;
  }
  Message operator()(const Exited& exited) const {
    Message message("exited");
    message.add("id", exited.id);
    message.add("pid", exited.pid);
    add(message, exited.exit);
    return message;
  }
  Message operator()(const Stop&) const { return Message("stop"); }
  Message operator()(const Unsupported& unsupported) const {
    Message message("unsupported");
    message.add("verb", unsupported.verb);
    return message;
  }
  Message operator()(const Problem& problem) const {
    Message message("error");
    message.add("message", problem.message);
    return message;
  }
};

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 96 && text.front() != '.' && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
  });
}

std::string_view to_string(SpawnStep step) {
  return name_of(step_names, step);
}

Result<Request> parse_request(std::string_view packet) {
  const Result<Message> message = Message::parse(packet);
  if (!message) return fail(message);
  const std::string_view verb = message->verb();
  if (verb == "spawn") return spawn_or_bad_spawn(*message);
  if (verb == "signal") return signal_request_of(*message);
  if (verb == "main") return name_main_of(*message);
  if (verb == "forget") return wrapped<Forget>(id_of(*message));
  if (verb == "healthy") return Healthy{};
  if (verb == "stopping") return wrapped<Stopping>(message->needed_number<std::uint64_t>("within_ms"));
  if (verb == "watch") return wrapped<Watch>(message->needed_number<std::uint64_t>("within_ms"));
  if (verb == "list") return List{};
  if (verb == "hello") return wrapped<Hello>(message->needed_number<std::uint32_t>("version"));
  return UnknownVerb{std::string(verb)};
}

Result<Report> parse_report(std::string_view packet) {
  const Result<Message> message = Message::parse(packet);
  if (!message) return fail(message);
  const std::string_view verb = message->verb();
  if (verb == "exited") return exited_of(*message);
  if (verb == "spawned") return wrapped<Spawned>(child_of(*message));
  if (verb == "spawn_failed") return spawn_failed_of(*message);
  if (verb == "signal_failed") return signal_failed_of(*message);
  if (verb == "main_taken") return main_taken_of(*message);
  if (verb == "main_refused") return main_refused_of(*message);
  if (verb == "welcome") return welcome_of(*message);
  if (verb == "child") return wrapped<ChildListed>(child_of(*message));
  if (verb == "listed") return Listed{};
  if (verb == "stop") return Stop{};
  if (verb == "unsupported") return wrapped<Unsupported>(message->text("verb"));
  if (verb == "error") return wrapped<Problem>(message->text("message"));
  return UnknownVerb{std::string(verb)};
}

Result<std::string> encode(const Request& request) {
  return std::visit(MakeMessage(), request).packet();
}

Result<std::string> encode(const Report& report) {
  return std::visit(MakeMessage(), report).packet();
}

}  // namespace starling::keeper
