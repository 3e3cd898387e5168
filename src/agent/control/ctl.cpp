#include "agent/control/ctl.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <set>

#include "agent/control/control_client.hpp"
#include "agent/control/doctor.hpp"
#include "base/json_text.hpp"
#include "base/rfc3339.hpp"
#include "base/usage_error.hpp"

namespace starling::agent {
namespace {

struct Wishes {
  std::string state, module, action, journal, output = "text";
  std::int64_t lines = 100, after = 0;
  bool follow = false, check = false;
  bool json() const { return output == "json"; }
};

// What has been printed so far.
struct Printed {
  std::string journal;
};

std::string text_in(const JsonObject& object, std::string_view key) {
  const Json* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  return value->is_string() ? std::string(value->get_string()) : json_text(*value);
}

// "3 min"
std::string span_text(Milliseconds span) {
  const std::int64_t seconds = std::max<std::int64_t>(0, span.count() / 1'000);
  constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
  if (seconds < minute) return fmt::format("{} s", seconds);
  if (seconds < hour) return fmt::format("{} min", seconds / minute);
  return seconds < 2 * day ? fmt::format("{} h", seconds / hour) : fmt::format("{} d", seconds / day);
}

// How long it has been as it is.
std::string lasting(const JsonObject& module) {
  const auto since = JsonReader(module).optional_integer("since_ms");
  if (!since || !*since) return {};
  return span_text(SystemClock().wall() - WallTime(Milliseconds(**since)));
}

std::string enabled_text(const JsonObject& module) {
  if (module.contains("unmanaged")) return "unmanaged";
  return text_in(module, "enabled") == "true" ? "yes" : "no";
}

std::string first_text_in(const JsonObject& module, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (std::string text = text_in(module, key); !text.empty()) return text;
  return {};
}

std::string retry_text(const JsonObject& module) {
  const std::string state = text_in(module, "state");
  if (state != "crashed" && state != "error") return {};
  const auto retry = parse_rfc3339(text_in(module, "next_retry"));
  if (!retry) return "; not tried again until it is started or changed";
  return "; tried again in " + span_text(*retry - SystemClock().wall());
}

// Of an enabled one; the column before says so of one that is disabled.
std::string why_down(const JsonObject& module) {
  if (text_in(module, "state") != "disabled" || text_in(module, "enabled") != "true") return {};
  return text_in(module, "cause") == "finished" ? "its work is done" : "stopped";
}

std::string why_of(const JsonObject& module) {
  if (std::string problem = first_text_in(module, {"quarantine", "manifest_problem", "config_problem",
                                                   "render_problem", "problem", "waits_for"});
      !problem.empty())
    return problem;
  if (const std::string detail = text_in(module, "detail"); !detail.empty())
    return detail + retry_text(module);
  if (std::string refused = text_in(module, "edit_refused"); !refused.empty()) return refused;
  if (std::string down = why_down(module); !down.empty()) return down;
  return first_text_in(module, {"manifest_pending", "manifest_note", "limits_note", "status"});
}

void print_modules(const JsonArray& modules) {
  constexpr std::string_view columns = "{:<20} {:<9} {:<10} {:<7} {:<8} {}\n";
  fmt::print(columns, "MODULE", "ENABLED", "STATE", "FOR", "PID", "WHY");
  for (const Json& one : modules) {
    const JsonObject& module = one.get_object();
    fmt::print(columns, text_in(module, "name"), enabled_text(module), text_in(module, "state"),
               lasting(module), text_in(module, "pid"), why_of(module));
  }
}

void print_deaths(const JsonObject& kinds) {
  for (const auto& [fingerprint, kind] : kinds) {
    if (const JsonObject* death = kind.if_object(); death != nullptr)
      fmt::print("{:<18} {} x {}\n", "died", text_in(*death, "deaths"), text_in(*death, "text"));
  }
}

void print_module(const JsonObject& module) {
  for (const auto& member : module) {
    if (member.key() == "deaths_by_kind" && member.value().is_object()) {
      print_deaths(member.value().get_object());
      continue;
    }
    if (member.key() == "last_death" && member.value().is_object()) {
      const JsonObject& death = member.value().get_object();
      const std::string release = text_in(death, "release");
      fmt::print("{:<18} {} ({}, {}{}{})\n", "last death", text_in(death, "text"), text_in(death, "class"),
                 text_in(death, "confidence"), release.empty() ? "" : ", release ", release);
      const Json* lines = death.if_contains("last_lines");
      if (lines == nullptr || !lines->is_array()) continue;
      for (const Json& line : lines->get_array())
        fmt::print("{:<18} | {}\n", "", std::string_view(line.get_string()));
      continue;
    }
    const bool state = member.key() == "state" && module.contains("since_ms");
    if (member.key() == "since_ms") continue;  // said with the state
    fmt::print("{:<18} {}{}\n", std::string_view(member.key()), text_in(module, member.key()),
               state ? " for " + lasting(module) : "");
  }
}

std::string failure_text(const JsonObject& failure) {
  const auto at = JsonReader(failure).optional_integer("at_ms");
  const std::string when = at && *at ? to_rfc3339(WallTime(Milliseconds(**at))) + " " : "";
  return when + text_in(failure, "message");
}

void print_update(const JsonObject& update) {
  constexpr std::string_view row = "{:<12} {}\n";
  for (const char* key : {"state", "release", "confirmed", "wanted", "step", "waits_for", "damage"}) {
    if (const std::string text = text_in(update, key); !text.empty()) fmt::print(row, key, text);
  }
  std::set<std::string> told;
  const auto once = [&told](const JsonObject& failure) {
    std::string text = failure_text(failure);
    return told.insert(text).second ? text : "as above";
  };
  if (const Json* failure = update.if_contains("failure"))
    fmt::print(row, "failure", once(failure->get_object()));
  if (const Json* last = update.if_contains("last_failed")) {
    const JsonObject& failed = last->get_object();
    fmt::print(row, "last failed",
               text_in(failed, "release") + " " + text_in(failed, "became") + " " + once(failed));
  }
  for (const Json& one : update.at("refused").get_array()) {
    const JsonObject& refused = one.get_object();
    fmt::print(row, text_in(refused, "became"), text_in(refused, "sha256") + " " + once(refused));
  }
}

void print_transition(const JsonObject& one, Printed& printed) {
  const std::string journal = text_in(one, "journal");
  if (std::exchange(printed.journal, journal) != journal) fmt::print(stderr, "(journal {})\n", journal);
  const std::string detail = text_in(one, "detail");
  fmt::print("{:>5} {} {}: {} -> {} ({}{}{})\n", text_in(one, "number"), text_in(one, "at"),
             text_in(one, "module"), text_in(one, "from"), text_in(one, "to"), text_in(one, "cause"),
             detail.empty() ? "" : ": ", detail);
}

void print_line(const JsonObject& line, const Wishes& wishes, Printed& printed) {
  if (const Json* modules = line.if_contains("modules")) {
    if (wishes.json()) return (void)fmt::print("{}\n", json_text(*modules));
    return print_modules(modules->get_array());
  }
  if (const Json* module = line.if_contains("module")) {
    if (wishes.json()) return (void)fmt::print("{}\n", json_text(*module));
    return print_module(module->get_object());
  }
  if (const Json* update = line.if_contains("update")) {
    if (wishes.json()) return (void)fmt::print("{}\n", json_text(*update));
    return print_update(update->get_object());
  }
  if (const Json* text = line.if_contains("line")) {
    fmt::print("{}\n", std::string_view(text->get_string()));
  } else if (const Json* transition = line.if_contains("transition")) {
    if (wishes.json()) return (void)fmt::print("{}\n", json_text(*transition));
    print_transition(transition->get_object(), printed);
  } else if (line.contains("gap")) {
    fmt::print(stderr, "(others came before, and are no longer kept)\n");
  } else if (const Json* result = line.if_contains("result")) {
    fmt::print("{}\n", json_text(*result));
  } else if (line.contains("state")) {
    if (wishes.json()) return (void)fmt::print("{}\n", json_text(line));
    fmt::print("{} is {}\n", wishes.module, text_in(line, "state"));
  }
}

int failed(const std::string& why) {
  fmt::print(stderr, "starling-agent ctl: {}\n", why);
  return 1;
}

// Where it does not answer, the doctor says more.
int failed(const Error& error, const Wishes& wishes) {
  if (error.code != ErrorCode::timed_out) return failed(error.message);
  return failed(error.message + ": it hangs, or its device is very busy. This says more:\n  " +
                ctl_command(wishes.state, "doctor"));
}

// The answer comes when something has come about, or goes on.
bool may_take_long(const JsonObject& request) {
  const std::string what = text_in(request, "request");
  return what == "command" || what == "act" || request.at("follow") == Json(true);
}

// Whatever the agent answers: it lives.
Result<void> ping(const Wishes& wishes, Milliseconds patience) {
  auto conversation = ControlClient::ask(wishes.state, JsonObject{{"request", "ping"}}, patience);
  if (!conversation) return fail(conversation);
  if (const auto answer = conversation->next(); !answer) return fail(answer);
  return {};
}

int ask(const Wishes& wishes, const JsonObject& request, Milliseconds patience) {
  const bool long_lasting = may_take_long(request);
  if (long_lasting) {
    if (const auto lives = ping(wishes, patience); !lives) return failed(lives.error(), wishes);
  }
  auto conversation = ControlClient::ask(wishes.state, request, long_lasting ? Milliseconds(0) : patience);
  if (!conversation) return failed(conversation.error(), wishes);
  bool any = false;
  Printed printed;
  while (true) {
    const auto line = conversation->next();
    if (!line) return failed(line.error(), wishes);
    if (!*line) break;
    any = true;
    const Json* ok = (*line)->if_contains("ok");
    if (ok != nullptr && ok->is_bool() && !ok->get_bool()) return failed(text_in(**line, "message"));
    print_line(**line, wishes, printed);
    std::fflush(stdout);
  }
  if (wishes.follow) {
    const bool log = !wishes.module.empty();
    return failed("the agent ended, or tells nothing more. Once it runs, this follows it anew:\n  " +
                  ctl_command(wishes.state, log ? "module logs " + wishes.module + " -f" : "journal -f"));
  }
  if (any || request.at("request") == "journal") return 0;
  if (request.at("request") != "logs") return failed("the agent ended before it answered");
  if (wishes.lines > 0) fmt::print(stderr, "({} has written nothing yet)\n", wishes.module);
  return 0;
}

// 0: nothing stands in the way of the device's work.
int print_findings(const std::vector<Finding>& findings, bool json) {
  const auto word = [](const Finding& finding) {
    return finding.kind == Finding::Kind::good      ? "good"
           : finding.kind == Finding::Kind::warning ? "warning"
                                                    : "problem";
  };
  JsonArray array;
  for (const Finding& finding : findings) {
    JsonArray commands;
    for (const std::string& command : finding.commands)
      commands.push_back(JsonString(command));
    array.push_back(JsonObject{{"kind", word(finding)},
                               {"what", finding.what},
                               {"advice", finding.advice},
                               {"commands", std::move(commands)}});
    if (json) continue;
    fmt::print("{:<8} {}\n", word(finding), finding.what);
    if (!finding.advice.empty()) fmt::print("{:<8} -> {}\n", "", finding.advice);
    for (const std::string& command : finding.commands)
      fmt::print("{:<8} -> {}\n", "", command);
  }
  if (json) fmt::print("{}\n", json_text(array));
  return std::ranges::any_of(findings, [](const Finding& one) { return one.kind == Finding::Kind::problem; });
}

void add_module_commands(CLI::App& app, Wishes& wishes, JsonObject& request) {
  CLI::App* module = app.add_subcommand("module", "The modules of this device");
  module->require_subcommand(1);
  const auto set = [&request](std::string_view what) {
    return [&request, what = std::string(what)] { request["request"] = what; };
  };
  module->add_subcommand("list", "All of them, with desired and actual state, and for how long")
      ->callback(set("list"));
  const auto named = [&](const char* name, const char* help) {
    CLI::App* command = module->add_subcommand(name, help);
    command->add_option("NAME", wishes.module, "The module's name")->required();
    return command;
  };
  named("show", "One of them, with its last death")->callback(set("show"));
  constexpr std::pair<const char*, const char*> commands[] = {
      {"enable", "Start it, now and after each boot; the hub is told"},
      {"disable", "Stop it, now and after each boot; the hub is told"},
      {"start", "Start it now, enabled or not; it comes back with the device until it is stopped"},
      {"stop", "Stop it until it is started, or the device is shut down and started again"},
      {"restart", "Stop it and start it again"}};
  for (const auto& [name, help] : commands) {
    named(name, help)->callback([&request, word = std::string(name)] {
      request["request"] = "command";
      request["command"] = word;
    });
  }
  CLI::App* act = named("act", "Ask it to do something once: what it knows is the module's own");
  act->add_option("ACTION", wishes.action, "A recorder knows start, stop and pause")->required();
  act->callback(set("act"));
  CLI::App* logs = named("logs", "What it has written");
  logs->add_option("-n,--lines", wishes.lines, "How many lines")->check(CLI::Range(0, 10'000));
  logs->add_flag("-f,--follow", wishes.follow, "Go on with what it writes");
  logs->callback(set("logs"));
}

void add_update_commands(CLI::App& app, Wishes& wishes, JsonObject& request) {
  CLI::App* update =
      app.add_subcommand("update", "Which release runs, which is wanted, and what is in its way");
  update->callback([&request] { request["request"] = "update"; });
  update->add_subcommand("status", "That, and nothing else");
  update
      ->add_subcommand("check",
                       "Look for what is wanted now, and try once more what was refused or taken back")
      ->alias("retry")
      ->callback([&wishes] { wishes.check = true; });
  update->require_subcommand(0, 1);
}

void add_journal_command(CLI::App& app, Wishes& wishes, JsonObject& request) {
  CLI::App* journal = app.add_subcommand("journal", "What became of the modules, transition by transition");
  journal->add_option("--after", wishes.after, "Those after this number")->check(CLI::NonNegativeNumber);
  journal->add_option("--journal", wishes.journal,
                      "Of which that number is: each start of the agent has its own");
  journal->add_flag("-f,--follow", wishes.follow, "Go on with what happens");
  journal->callback([&request] { request["request"] = "journal"; });
}

// The command line, and what it was found to say.
struct CommandLine {
  CommandLine() {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--state", wishes.state, "The agent's folder")->required()->envname("STARLING_STATE");
    app.add_option("-o,--output", wishes.output, "text or json")->check(CLI::IsMember({"text", "json"}));
    add_module_commands(app, wishes, request);
    add_update_commands(app, wishes, request);
    add_journal_command(app, wishes, request);
    doctor = app.add_subcommand("doctor", "Looks at what this device needs, and says what is wrong");
    doctor->add_option("--hub", patient.hub, "Address of the hub, to be tried")->envname("STARLING_HUB");
    doctor->add_option("--pin", patient.pins, "The hub's pin")->delimiter(',')->envname("STARLING_PIN");
  }
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  CLI::App app{"Asks the agent that runs on this device.", "starling-agent ctl"};
  CLI::App* doctor = nullptr;
  Wishes wishes;
  JsonObject request;
  Patient patient;
};

}  // namespace

Result<void> check_ctl(const std::vector<std::string>& words) {
  CommandLine line;
  try {
    line.app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::invalid_argument, error.what());
  }
  return {};
}

int run_ctl(int argc, char** argv, Milliseconds patience) {
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return line.app.exit(error);
    failed(usage_error(error, line.app));
    return 2;
  }
  const Wishes& wishes = line.wishes;
  if (line.doctor->parsed()) {
    line.patient.state = wishes.state;
    if (std::filesystem::exists("/run/systemd/system")) line.patient.unit_state = "/var/lib/starling-agent";
    return print_findings(examine(line.patient), wishes.json());
  }
  JsonObject request = std::move(line.request);
  request["module"] = wishes.module;
  request["action"] = wishes.action;
  request["lines"] = wishes.lines;
  request["after"] = wishes.after;
  if (!wishes.journal.empty()) request["journal"] = wishes.journal;
  request["follow"] = wishes.follow;
  request["check"] = wishes.check;
  return ask(wishes, request, patience);
}

}  // namespace starling::agent
