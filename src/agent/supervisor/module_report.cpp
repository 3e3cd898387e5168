#include "agent/supervisor/module_report.hpp"

#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "agent/supervisor/deaths/cause_of_death.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

std::string_view pace_name(RetryPace pace) {
  constexpr std::array<std::string_view, 4> names{"quick", "slow", "memory-hold", "never"};
  return names[static_cast<std::size_t>(pace)];
}

void put_time(JsonObject& json, std::string_view key, const std::optional<SteadyTime>& time,
              const WallTimes& times) {
  if (time) json[key] = to_rfc3339(times.of(*time));
}

void put_text(JsonObject& json, std::string_view key, std::string_view text) {
  if (!text.empty()) json[key] = text;
}

}  // namespace

JsonObject to_json(const DeathReport& death) {
  JsonObject json;
  json["class"] = to_string(death.death_class);
  json["confidence"] = to_string(death.confidence);
  json["text"] = death.text;
  put_text(json, "fingerprint", death.fingerprint);
  put_text(json, "release", death.release);
  JsonArray evidence;
  for (const std::string& line : death.evidence)
    evidence.push_back(JsonString(line));
  if (!evidence.empty()) json["evidence"] = std::move(evidence);
  JsonArray lines;
  for (const std::string& line : death.last_lines)
    lines.push_back(JsonString(line));
  if (!lines.empty()) json["last_lines"] = std::move(lines);
  return json;
}

void put_deaths(JsonObject& module, const DeathCount& deaths) {
  if (deaths.all > 0) module["deaths"] = deaths.all;
  JsonObject kinds;
  for (const DeathKind& kind : deaths.kinds) {
    JsonObject json = to_json(kind.newest);
    json.erase("fingerprint");
    json["deaths"] = kind.deaths;
    kinds[kind.newest.fingerprint] = std::move(json);
  }
  if (!kinds.empty()) module["deaths_by_kind"] = std::move(kinds);
}

JsonObject to_json(const ModuleStatus& status, const WallTimes& times) {
  JsonObject json;
  json["enabled"] = status.enabled;
  if (!status.settled) json["settled"] = false;
  if (status.provisional) json["provisional"] = true;
  put_text(json, "quarantine", status.quarantine);
  json["state"] = to_string(status.state);
  if (status.since) json["since_ms"] = times.of(*status.since).time_since_epoch().count();
  json["cause"] = to_string(status.cause);
  put_text(json, "detail", status.detail);
  put_text(json, "waits_for", status.waits_for);
  put_text(json, "status", status.status_text);
  if (status.reloading) json["reloading"] = true;
  put_text(json, "problem", status.problem);
  put_text(json, "manifest_problem", status.manifest_problem);
  if (status.manifest_pending)
    json["manifest_pending"] = "its module.toml has changed: it counts from the next start";
  put_text(json, "limits_note", status.limits_note);
  json["epoch"] = status.epoch;
  if (status.wanted && status.attempt > 1) json["attempt"] = status.attempt;
  if (status.restarts > 0) json["restarts"] = status.restarts;
  put_time(json, "deadline", status.deadline, times);
  put_time(json, "next_retry", status.next_retry, times);
  if (status.wanted && status.pace != RetryPace::quick) json["pace"] = pace_name(status.pace);
  if (status.pid != 0) json["pid"] = status.pid;
  if (status.main_pid != 0) json["main_pid"] = status.main_pid;
  if (status.last_death) json["last_death"] = to_json(*status.last_death);
  return json;
}

void leave_out_evidence(JsonObject& module) {
  Json* death = module.if_contains("last_death");
  if (death == nullptr) return;
  death->get_object().erase("last_lines");
  death->get_object().erase("evidence");
}

void leave_out_texts(JsonObject& module) {
  constexpr std::size_t beginning = 40;
  for (const char* name :
       {"settled", "detail", "waits_for", "status", "problem", "manifest_pending", "manifest_note",
        "limits_note", "attempt", "deadline", "main_pid", "use", "deaths_by_kind"})
    module.erase(name);
  for (const char* name :
       {"quarantine", "manifest_problem", "config_problem", "render_problem", "edit_refused"})
    if (Json* text = module.if_contains(name)) *text = printable_text(text->as_string(), beginning);
  leave_out_evidence(module);
  if (Json* death = module.if_contains("last_death")) death->get_object().erase("text");
}

JsonObject to_json(const ResourceUse& use) {
  JsonObject json;
  json["cpu_us"] = use.cpu_us;
  json["cpu_percent"] = std::round(use.cpu_percent * 10) / 10;
  if (use.memory_kb) json["memory_kb"] = *use.memory_kb;
  json["descriptors"] = use.descriptors;
  json["processes"] = use.processes;
  return json;
}

JsonObject to_json(const Transition& transition, const WallTimes& times) {
  JsonObject json;
  json["number"] = transition.number;
  json["at"] = to_rfc3339(transition.at);
  json["module"] = transition.module;
  json["from"] = to_string(transition.from);
  json["to"] = to_string(transition.to);
  json["cause"] = to_string(transition.cause);
  put_text(json, "detail", transition.detail);
  json["epoch"] = transition.epoch;
  json["attempt"] = transition.attempt;
  json["enabled"] = transition.enabled;
  json["settled"] = transition.settled;
  put_time(json, "deadline", transition.deadline, times);
  put_time(json, "next_retry", transition.next_retry, times);
  return json;
}

}  // namespace starling::agent
