#include "agent/control/doctor.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "agent/components.hpp"
#include "agent/control/control_client.hpp"
#include "agent/identity.hpp"
#include "agent/update/device_time.hpp"
#include "base/files.hpp"
#include "base/http/client.hpp"
#include "base/json_folder.hpp"

namespace starling::agent {
namespace {

using Kind = Finding::Kind;
namespace fs = std::filesystem;
namespace asio = boost::asio;

constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::uint64_t little_space = 200 * mebibyte, no_space = 20 * mebibyte;

constexpr std::string_view unit_status = "systemctl status starling-agent";
constexpr std::string_view unit_log = "journalctl -u starling-agent -n 50";

// With where the agent says more: in the journal, where its unit starts it, or else wherever somebody did.
Finding told_more(const Patient& patient, Finding finding, std::string_view command) {
  std::error_code ignored;
  if (!patient.unit_state.empty() && fs::equivalent(patient.state, patient.unit_state, ignored)) {
    finding.commands.emplace_back(command);
  } else {
    finding.advice += "; what starling-keeper writes, where it was started, says more";
  }
  return finding;
}

Finding state_folder(const fs::path& state) {
  if (::access(state.c_str(), R_OK | W_OK | X_OK) == 0)
    return {Kind::good, "the state folder is readable", {}};
  const int reason = errno;
  return {Kind::problem, fmt::format("{}: {}", state.string(), std::strerror(reason)),
          reason == ENOENT ? "is --state the folder that the agent is started with?"
          : reason == EROFS
              ? "the card is mounted read-only, often because it is worn out: look into dmesg, replace it"
              : "run this as the agent's user, or with sudo"};
}

Finding disk_space(const fs::path& state) {
  struct statvfs room {};
  if (::statvfs(state.c_str(), &room) != 0) return {Kind::problem, "the disk cannot be asked", {}};
  const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
  std::string what = fmt::format("{} MiB of disk are free", free / mebibyte);
  if (free < no_space) return {Kind::problem, std::move(what), "settings can no longer be saved: free some"};
  if (free < little_space) return {Kind::warning, std::move(what), "a release may not fit: free some"};
  return {Kind::good, std::move(what), {}};
}

Finding identity(const Patient& patient) {
  constexpr std::size_t max_bytes = 64 * 1024;
  const auto text = read_file(patient.state / Identity::path, max_bytes);
  if (!text && text.error().code == ErrorCode::not_found) {
    return told_more(
        patient,
        {Kind::problem, "this device has no identity yet: the agent has never run on this folder",
         "start the agent"},
        unit_status);
  }
  const auto parsed = text ? parse_json(*text) : Result<Json>(std::unexpected(text.error()));
  if (!parsed || !parsed->is_object()) {
    return {Kind::problem, "identity.json cannot be read: " + (parsed ? "no object" : parsed.error().message),
            "start the agent: its message says how a lost identity is replaced"};
  }
  const Json* id = parsed->get_object().if_contains("device_id");
  return {Kind::good,
          "this device is " + (id != nullptr && id->is_string() ? std::string(id->get_string()) : "unknown"),
          {}};
}

using LeftOut = std::vector<std::string>;

// Where no agent says which it leaves out: those that it would, started as it usually is.
std::vector<Finding> component_files(const fs::path& state, std::optional<LeftOut> said) {
  if (!said) {
    const auto shipped = shipped_folder("components");
    if (!shipped) return {};
    auto components = read_components(*shipped, state);
    if (!components) return {{Kind::problem, components.error().message, "install the agent anew"}};
    said = std::move(components->left_out);
  }
  std::vector<Finding> findings;
  for (const std::string& why : *said) {
    findings.push_back({Kind::problem, "a component file is left out: " + why,
                        "its settings are missing: mend it, then start the agent anew"});
  }
  return findings;
}

Finding enrolment(const fs::path& state) {
  if (fs::exists(state / Identity::token_path)) return {Kind::good, "the hub has enrolled this device", {}};
  return {Kind::warning, "no hub has enrolled this device yet",
          "the agent needs a valid STARLING_ENROLMENT_KEY and a way to its hub; its log says what failed"};
}

Finding clock() {
  if (clock_is_synchronised()) return {Kind::good, "the clock is kept right by NTP", {}};
  const WallTime now = SystemClock().wall();
  const std::string says = "the clock says " + to_rfc3339(std::chrono::floor<Seconds>(now));
  const std::string ntp = "timedatectl says what is wrong with NTP; UDP port 123 has to be open";
  if (now < build_day()) return {Kind::problem, says + ", which is before this agent was built", ntp};
  return {Kind::warning, says + ", and NTP does not keep it right",
          "where that is the time and the hub is reached, nothing need be done: the hub tells the time, too. "
          "Else: " +
              ntp};
}

// Its lock is looked at, and not tried: an agent that starts at this moment must get it.
bool is_locked(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return false;
  std::ifstream locks("/proc/locks");
  const std::string inode = fmt::format(":{} ", found.st_ino);
  for (std::string line; std::getline(locks, line);)
    if (line.find("FLOCK") != std::string::npos && line.find(inode) != std::string::npos) return true;
  return false;
}

std::string word_in(const JsonObject& object, std::string_view member) {
  const Json* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool runs(std::string_view state) {
  return state == "starting" || state == "idle" || state == "recording";
}

// What is disabled may be as it likes: nobody waits for it.
Finding judgement_of(const fs::path& state_folder, const std::string& name, const JsonObject& module) {
  const auto text = [&module](std::string_view member) { return word_in(module, member); };
  const auto command = [&](const char* verb) {
    return ctl_command(state_folder, fmt::format("module {} {}", verb, name));
  };
  const std::vector<std::string> ask{command("show"), command("logs")};
  const std::string whose = "module " + name + " ";
  const std::string itself = "mend that: the agent sees it by itself";
  const Json* const on = module.if_contains("enabled");
  const Kind kind = on != nullptr && *on == Json(true) ? Kind::problem : Kind::warning;
  const std::string state = text("state");
  if (const std::string why = text("quarantine"); !why.empty()) {
    return {Kind::problem,
            whose + "could not be enabled: " + why,
            "mend that and enable it again, or disable it, which is the end of it too",
            {command("enable"), command("disable")}};
  }
  if (const std::string why = text("manifest_problem"); !why.empty() && runs(state))
    return {Kind::warning, whose + "runs, and could not be started again: " + why, itself};
  if (const std::string why = text("manifest_problem"); !why.empty())
    return {kind, whose + "cannot be started: " + why, itself};
  if (state == "error" || state == "crashed")
    return {kind, whose + "is " + state + ": " + text("detail"), {}, ask};
  if (const std::string why = text("config_problem"); !why.empty())
    return {Kind::warning, whose + "has a problem: " + why, itself};
  if (const std::string why = text("render_problem"); !why.empty())
    return {Kind::warning, whose + "has a problem: " + why, {}, ask};
  if (const std::string why = text("waits_for"); !why.empty())
    return {Kind::warning, whose + "does not run: it " + why, {}, {ctl_command(state_folder, "module list")}};
  return {};
}

std::vector<Finding> judgements_of(const fs::path& state_folder, const JsonArray& modules) {
  std::vector<Finding> findings;
  for (const Json& module : modules) {
    if (!module.is_object()) continue;
    const std::string name = JsonReader(module.get_object()).string("name").value_or("");
    Finding finding = judgement_of(state_folder, name, module.get_object());
    if (finding.kind != Kind::good) findings.push_back(std::move(finding));
  }
  if (findings.empty()) {
    findings.push_back({Kind::good, fmt::format("none of its {} modules is in trouble", modules.size()), {}});
  }
  return findings;
}

LeftOut left_out_in(const JsonObject& answer) {
  LeftOut left_out;
  const Json* said = answer.if_contains("left_out");
  if (said == nullptr || !said->is_array()) return left_out;
  for (const Json& why : said->get_array())
    if (why.is_string()) left_out.emplace_back(why.get_string());
  return left_out;
}

struct AgentFindings {
  std::vector<Finding> findings;
  std::optional<LeftOut> left_out;  // of its component files; nullopt: no agent answers
};

AgentFindings agent_and_modules(const Patient& patient) {
  const fs::path& state = patient.state;
  using Answer = Result<std::optional<JsonObject>>;
  auto client = ControlClient::ask(state, JsonObject{{"request", "list"}}, ControlClient::usual_patience);
  const bool hangs = !client && client.error().code == ErrorCode::timed_out;
  if (!client && !hangs && is_locked(state / "agent.lock")) {
    return {{told_more(patient,
                       {Kind::warning, "an agent runs, and its modules cannot be asked for",
                        "without --modules that is as it should be"},
                       unit_log)},
            {}};
  }
  if (!client && !hangs) {
    return {{told_more(patient,
                       {Kind::problem, "no agent runs on " + state.string(),
                        "start it, if no other --state is its folder"},
                       unit_status)},
            {}};
  }
  const Answer answer = client ? client->next() : Answer(fail(client));
  const Json* modules = answer && *answer ? (**answer).if_contains("modules") : nullptr;
  if (modules == nullptr || !modules->is_array()) {
    const std::string why = answer ? "it ended" : answer.error().message;
    return {{told_more(patient,
                       {Kind::problem, "the agent does not say how its modules are: " + why,
                        "it may be busy: try again"},
                       unit_log)},
            {}};
  }
  std::vector<Finding> findings = judgements_of(state, modules->get_array());
  findings.insert(findings.begin(), Finding{Kind::good, "the agent runs", {}});
  return {std::move(findings), left_out_in(**answer)};
}

std::string advice_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::permission_denied:
      return "the hub's certificate is not the one that is pinned: compare STARLING_PIN with what the hub "
             "prints at its start";
    case ErrorCode::timed_out: return "something drops what is sent there: a firewall, or a wrong address";
    default:
      return "is the address right, does the hub run, is the network up (ip route, getent hosts NAME)?";
  }
}

Finding hub(const Patient& patient) {
  if (patient.hub.empty()) {
    return {Kind::warning, "the way to the hub was not tried", "give --hub and --pin, as the agent has them"};
  }
  const auto url = http::Url::parse(patient.hub);
  if (!url) return {Kind::problem, "the hub's address is wrong: " + url.error().message, "https://HOST:PORT"};
  asio::io_context context(1);
  http::Client client(context.get_executor(), *url, {patient.pins});
  http::Client::Call call;
  call.target = "/healthz";
  constexpr std::size_t max_answer = 64 * 1024;
  call.max_response_bytes = max_answer;
  auto answer = asio::co_spawn(context, client.call(std::move(call)), asio::use_future);
  context.run();
  const auto response = answer.get();
  if (!response) {
    return {Kind::problem,
            fmt::format("the hub {} cannot be reached: {}", patient.hub, response.error().message),
            advice_for(response.error())};
  }
  constexpr int ok = 200;
  if (response->status == ok) return {Kind::good, fmt::format("the hub {} answers", patient.hub), {}};
  return {Kind::problem, fmt::format("{} answers with status {}", patient.hub, response->status),
          "this may be another program's port, or a proxy that is not set up"};
}

}  // namespace

std::vector<Finding> examine(const Patient& patient) {
  const Finding folder = state_folder(patient.state);
  auto [findings, left_out] = folder.kind == Kind::good ? agent_and_modules(patient) : AgentFindings();
  findings.push_back(folder);
  if (folder.kind == Kind::good) {
    findings.push_back(disk_space(patient.state));
    findings.push_back(identity(patient));
    std::ranges::move(component_files(patient.state, std::move(left_out)), std::back_inserter(findings));
    findings.push_back(enrolment(patient.state));
  }
  findings.push_back(clock());
  findings.push_back(hub(patient));
  return findings;
}

}  // namespace starling::agent
