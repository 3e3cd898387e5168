#include "e2e/fleet.hpp"

#include <csignal>
#include <stdexcept>
#include <utility>

namespace starling::e2e {
namespace {

// Stops a process by SIGTERM; gives its exit status.
int terminate(std::optional<Process>& process) {
  process->signal(SIGTERM);
  const int status = process->wait();
  process.reset();
  return status;
}

}  // namespace

HubProcess::HubProcess(const std::filesystem::path& folder, std::vector<std::string> arguments)
    : folder_(folder), arguments_(std::move(arguments)), port_(free_port()) {}

void HubProcess::start() {
  std::vector<std::string> arguments = {"--data", data().string(), "--listen",
                                        "127.0.0.1:" + std::to_string(port_)};
  arguments.insert(arguments.end(), arguments_.begin(), arguments_.end());
  process_.emplace(Process::Options{.program = "starling-hub",
                                    .arguments = std::move(arguments),
                                    .environment = {},
                                    .output = folder_ / "hub.log"});
  eventually("the hub to be ready", [this] {
    if (!process_->running()) throw std::runtime_error("the hub ended: " + log());
    try {
      return http(port_, {.path = "/readyz"}).status == 200;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
}

void HubProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

int HubProcess::stop() {
  return terminate(process_);
}

std::string HubProcess::admin_key() const {
  std::string key = read_text(data() / "admin.key");
  while (!key.empty() && key.back() == '\n')
    key.pop_back();
  return key;
}

Reply HubProcess::ask(const std::string& method, const std::string& path, const std::optional<Json>& body,
                      std::map<std::string, std::string> headers) const {
  headers.emplace("Authorization", "Bearer " + admin_key());
  return http(port_, {.method = method, .path = path, .body = body, .headers = std::move(headers)});
}

Json HubProcess::call(const std::string& method, const std::string& path,
                      const std::optional<Json>& body) const {
  const Reply reply = ask(method, path, body);
  if (reply.status / 100 != 2) {
    throw std::runtime_error(method + " " + path + ": " + std::to_string(reply.status) + " " + reply.body);
  }
  return reply.body.empty() ? Json() : reply.json();
}

Finished HubProcess::command(std::vector<std::string> arguments) const {
  return run({.program = "starling",
              .arguments = std::move(arguments),
              .environment = {{"STARLING_HUB", url()}, {"STARLING_KEY", admin_key()}},
              .output = folder_ / ("command-" + std::to_string(++commands_) + ".log")});
}

Json HubProcess::device(std::string_view name) const {
  const Json list = call("GET", "/api/v1/devices");
  for (const Json& device : list.at("items").as_array()) {
    if (device.at("device_name").as_string() == name) return device;
  }
  return {};
}

std::string HubProcess::sync_status(std::string_view name) const {
  const Json found = device(name);
  return found.is_null() ? "unknown" : std::string(found.at("sync").at("status").as_string());
}

std::int64_t HubProcess::head() const {
  return call("GET", "/api/v1/fleet").at("revision").as_int64();
}

std::string HubProcess::make_enrolment_key() const {
  const Json made = call("POST", "/api/v1/keys", JsonObject{{"name", "end-to-end"}, {"kind", "enrolment"}});
  return std::string(made.at("key").as_string());
}

AgentProcess::AgentProcess(const std::filesystem::path& folder, Options options)
    : folder_(folder), options_(std::move(options)) {}

void AgentProcess::start() {
  start(options_.hub_url);
}

void AgentProcess::start_without_hub() {
  const auto starts = [this] {
    const std::string text = log();
    int count = 0;
    for (std::size_t at = 0; (at = text.find("agent started", at)) != std::string::npos; ++at)
      ++count;
    return count;
  };
  const int before = starts();
  start("http://127.0.0.1:1");
  eventually("the agent to start", [&] { return starts() > before || !running(); });
}

void AgentProcess::start(const std::string& hub_url) {
  std::vector<std::string> arguments = {"--state", state().string(), "--hub",      hub_url,
                                        "--name",  options_.name,    "--timezone", "Europe/Berlin"};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  process_.emplace(Process::Options{.program = "starling-agent",
                                    .arguments = std::move(arguments),
                                    .environment = {{"STARLING_ENROLMENT_KEY", options_.enrolment_key}},
                                    .output = folder_ / (options_.name + ".log")});
}

void AgentProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

int AgentProcess::stop() {
  return terminate(process_);
}

JsonObject AgentProcess::overrides() const {
  const std::string text = read_text(state() / "config_override.json");
  if (text.empty()) return {};
  auto parsed = parse_json(text);
  if (!parsed || !parsed->is_object()) throw std::runtime_error("config_override.json is torn: " + text);
  return parsed->as_object();
}

Fleet::Fleet(std::vector<std::string> device_names, std::vector<std::string> agent_arguments)
    : hub_(folder_.path()) {
  hub_.start();
  const std::string key = hub_.make_enrolment_key();
  for (const auto& name : device_names) {
    AgentProcess agent(folder_.path(), {name, hub_.url(), key, agent_arguments});
    devices_.emplace(name, std::move(agent)).first->second.start();
  }
  await_applied();
}

void Fleet::await(std::string_view name, std::string_view what,
                  const std::function<bool(std::string_view)>& good) {
  std::string last;
  try {
    eventually(std::string(name) + " to be " + std::string(what), [&] {
      last = hub_.sync_status(name);
      return good(last);
    });
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(error.what() + (", it is " + last + "\nhub:\n") + hub_.log() + "\ndevice:\n" +
                             device(name).log());
  }
}

void Fleet::await_applied(std::string_view name) {
  await(name, "as the hub wants it",
        [](std::string_view status) { return status == "in_sync" || status == "provisional"; });
}

void Fleet::await_applied() {
  for (const auto& [name, agent] : devices_)
    await_applied(name);
}

void Fleet::await_status(std::string_view name, std::string_view status) {
  await(name, status, [&](std::string_view now) { return now == status; });
}

}  // namespace starling::e2e
