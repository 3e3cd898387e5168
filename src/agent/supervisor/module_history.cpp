#include "agent/supervisor/module_history.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "agent/settings/sealed_json.hpp"
#include "agent/supervisor/deaths/cause_of_death.hpp"
#include "agent/supervisor/folders/manifest.hpp"
#include "agent/supervisor/folders/module_folder.hpp"
#include "agent/supervisor/module_report.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_file_bytes = 512 * 1024;
constexpr std::size_t max_text_bytes = 512;
constexpr int most_deaths = std::numeric_limits<int>::max();

JsonObject to_json(const ModulePast& past) {
  JsonObject json;
  put_deaths(json, past.deaths);
  if (!past.quarantine.empty()) json["quarantine"] = past.quarantine;
  if (past.waited) json["waited"] = true;
  if (past.by_hub) json["by_hub"] = true;
  if (past.last_death) json["last_death"] = to_json(*past.last_death);
  return json;
}

std::vector<std::string> lines_at(const JsonObject& json, std::string_view key) {
  std::vector<std::string> lines;
  const auto array = JsonReader(json).optional_array(key);
  if (!array || *array == nullptr) return lines;
  for (const Json& line : **array)
    if (line.is_string()) lines.emplace_back(line.get_string());
  return lines;
}

template <typename Value, std::size_t Count>
Value named(const std::array<Value, Count>& all, std::string_view name, Value otherwise) {
  const auto found = std::ranges::find_if(all, [&](Value one) { return to_string(one) == name; });
  return found == all.end() ? otherwise : *found;
}

DeathReport death_from(const JsonObject& json) {
  using enum DeathClass;
  constexpr std::array classes{finished, exit_code,     signal,  out_of_memory,
                               watchdog, start_timeout, stopped, unknown};
  constexpr std::array confidences{Confidence::certain, Confidence::likely, Confidence::guess};
  const JsonReader reader(json);
  DeathReport death;
  death.death_class = named(classes, reader.string("class").value_or(""), unknown);
  death.confidence = named(confidences, reader.string("confidence").value_or(""), Confidence::guess);
  death.text = reader.string("text").value_or("");
  death.fingerprint = reader.string("fingerprint").value_or("");
  death.release = reader.string("release").value_or("");
  death.evidence = lines_at(json, "evidence");
  death.last_lines = lines_at(json, "last_lines");
  return death;
}

DeathReport without_evidence(DeathReport death) {
  death.evidence.clear();
  death.last_lines.clear();
  return death;
}

int deaths_in(const JsonObject& json) {
  return static_cast<int>(
      std::clamp<std::int64_t>(JsonReader(json).integer("deaths").value_or(0), 0, most_deaths));
}

DeathCount deaths_from(const JsonObject& json) {
  DeathCount count;
  count.all = deaths_in(json);
  const auto kinds = JsonReader(json).object("deaths_by_kind");
  if (!kinds) return count;
  for (const auto& [fingerprint, value] : **kinds) {
    if (count.kinds.size() == DeathCount::max_kinds) break;
    if (!value.is_object()) continue;
    DeathKind kind{without_evidence(death_from(value.get_object())),
                   std::min(deaths_in(value.get_object()), count.all)};
    kind.newest.fingerprint = fingerprint;
    if (kind.deaths > 0) count.kinds.push_back(std::move(kind));
  }
  return count;
}

void add(const DeathReport& report, DeathCount& count) {
  if (count.all == most_deaths) return;
  ++count.all;
  if (report.fingerprint.empty()) return;
  const auto known = std::ranges::find_if(
      count.kinds, [&](const DeathKind& kind) { return kind.newest.fingerprint == report.fingerprint; });
  const int before = known == count.kinds.end() ? 0 : known->deaths;
  if (known != count.kinds.end()) count.kinds.erase(known);
  count.kinds.push_back({without_evidence(report), before + 1});
  if (count.kinds.size() > DeathCount::max_kinds) count.kinds.erase(count.kinds.begin());
}

ModulePast past_from(const JsonObject& json) {
  const JsonReader reader(json);
  ModulePast past;
  past.deaths = deaths_from(json);
  past.quarantine = reader.string("quarantine").value_or("");
  past.waited = reader.boolean("waited").value_or(false);
  past.by_hub = reader.boolean("by_hub").value_or(false);
  if (const auto death = reader.object("last_death")) past.last_death = death_from(**death);
  return past;
}

}  // namespace

ModuleHistory::ModuleHistory(Disk& disk, const Clock& clock, Logger log)
    : disk_(disk), clock_(clock), log_(log) {
  const auto text = disk_.read_file(path, max_file_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return;
  auto past = text ? parse(*text) : Result<Past>(fail(text));
  if (past) {
    past_ = std::move(*past);
  } else {
    log_.warning("how modules ended before this start is forgotten",
                 {{"file", path}, {"why", past.error().message}});
  }
}

Result<ModuleHistory::Past> ModuleHistory::parse(std::string_view text) {
  const auto json = unseal(text);
  if (!json) return fail(json);
  const auto modules = JsonReader(*json).object("modules");
  if (!modules) return fail(modules);
  Past past;
  for (const auto& [name, value] : **modules) {
    if (past.size() >= max_module_folders) break;
    if (!value.is_object() || !valid_module_name(name)) continue;
    ModulePast read = past_from(value.get_object());
    DeathCount written = read.deaths;
    past[std::string(name)] = Entry{std::move(read), std::move(written)};
  }
  return past;
}

ModulePast ModuleHistory::of(std::string_view module) const {
  const auto found = past_.find(module);
  return found == past_.end() ? ModulePast{} : found->second.past;
}

DeathCount ModuleHistory::deaths(std::string_view module) const {
  const auto found = past_.find(module);
  return found == past_.end() ? DeathCount{} : found->second.written;
}

std::vector<std::string> ModuleHistory::in_quarantine() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : past_)
    if (!entry.past.quarantine.empty()) names.push_back(name);
  return names;
}

// ---- what happens

void ModuleHistory::died(std::string_view module, const DeathReport& report) {
  Entry& entry = past_[std::string(module)];
  entry.past.last_death = report;
  add(report, entry.past.deaths);
  write_after(pause);
}

void ModuleHistory::quarantined(std::string_view module, std::string_view why, bool waited, bool by_hub) {
  const std::string told = printable_text(why, max_text_bytes);
  if (told.empty() && of(module).quarantine.empty()) return;
  ModulePast& past = past_[std::string(module)].past;
  if (past.quarantine == told && past.waited == waited && past.by_hub == by_hub) return;
  past.quarantine = told;
  past.waited = waited;
  past.by_hub = by_hub;
  write_after(pause);
  if (!told.empty()) write();
}

void ModuleHistory::forget(std::string_view module) {
  const auto known = past_.find(module);
  if (known == past_.end()) return;
  past_.erase(known);
  write_after(pause);
}

// ---- the file

void ModuleHistory::write_after(Milliseconds time) {
  if (!write_at_) write_at_ = clock_.steady() + time;
}

void ModuleHistory::write() {
  if (!std::exchange(write_at_, std::nullopt)) return;
  JsonObject modules;
  std::size_t left = max_evidence_bytes;
  for (const auto& [name, entry] : past_) {
    JsonObject json = to_json(entry.past);
    const auto size = [&json] { return boost::json::serialize(json).size(); };
    if (size() > left) leave_out_evidence(json);
    if (size() > left) json.erase("last_death");
    if (size() > left) json.erase("deaths_by_kind");
    left -= std::min(left, size());
    modules[name] = std::move(json);
  }
  JsonObject file;
  file["modules"] = std::move(modules);
  if (auto written = replace_file(disk_, path, seal(std::move(file)), 0600); !written) {
    log_.warning("how modules ended is not kept", {{"error", written.error().message}});
    return write_after(disk_retry);
  }
  for (auto& [name, entry] : past_)
    entry.written = entry.past.deaths;
}

}  // namespace starling::agent
