#include "install/plan.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"

namespace starling::install {
namespace {

Result<Digest> digest_at(const JsonReader& reader, std::string_view key) {
  const auto hex = reader.string(key);
  return hex ? Digest::from_hex(*hex) : Result<Digest>(fail(hex));
}

Result<PlannedChange> change_from(const JsonObject& object) {
  const JsonReader reader(object);
  PlannedChange change;
  for (const auto& [key, into] : {std::pair("name", &change.name),
                                  {"architecture", &change.architecture},
                                  {"from", &change.from},
                                  {"to", &change.to},
                                  {"found", &change.found}}) {
    auto text = reader.string(key);
    if (!text) return fail(text);
    *into = std::move(*text);
  }
  const auto file = digest_at(reader, "file");
  if (!file) return fail(file);
  const auto way_back = digest_at(reader, "way_back");
  if (!way_back) return fail(way_back);
  change.file = *file;
  change.way_back = *way_back;
  return change;
}

Result<Plan> plan_from(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return fail(json);
  if (!json->is_object()) return fail(ErrorCode::corrupted, "no object");
  const JsonReader reader(json->get_object());
  const auto release = digest_at(reader, "release");
  if (!release) return fail(release);
  const auto changes = reader.array("changes");
  if (!changes) return fail(changes);
  const auto begun = reader.boolean("begun");
  if (!begun) return fail(begun);
  const auto kept = reader.integer("kept_ms");
  if (!kept) return fail(kept);
  Plan plan{*release, {}, *begun, *kept};
  for (const Json& one : **changes) {
    if (!one.is_object()) return fail(ErrorCode::corrupted, "a change is no object");
    auto change = change_from(one.get_object());
    if (!change) return fail(change);
    plan.changes.push_back(std::move(*change));
  }
  return plan;
}

}  // namespace

std::string text_of(const Plan& plan) {
  JsonArray changes;
  for (const PlannedChange& change : plan.changes) {
    changes.push_back(JsonObject{{"name", change.name},
                                 {"architecture", change.architecture},
                                 {"from", change.from},
                                 {"to", change.to},
                                 {"found", change.found},
                                 {"file", change.file.hex()},
                                 {"way_back", change.way_back.hex()}});
  }
  return boost::json::serialize(JsonObject{{"release", plan.release.hex()},
                                           {"changes", changes},
                                           {"begun", plan.begun},
                                           {"kept_ms", plan.kept_ms}}) +
         "\n";
}

Result<Plan> parse_plan(std::string_view text) {
  auto plan = plan_from(text);
  if (!plan) return fail(ErrorCode::corrupted, plan.error().message);
  return plan;
}

const InstalledPackage* find_package(const std::vector<InstalledPackage>& installed, std::string_view name,
                                     std::string_view architecture) {
  const auto found = std::ranges::find_if(installed, [&](const InstalledPackage& one) {
    return one.name == name &&
           (one.architecture == architecture || one.architecture == "all" || architecture == "all");
  });
  return found == installed.end() ? nullptr : &*found;
}

std::vector<PlannedChange> reversed(const std::vector<PlannedChange>& changes) {
  std::vector<PlannedChange> back;
  for (PlannedChange change : changes) {
    std::swap(change.from, change.to);
    std::swap(change.file, change.way_back);
    change.found = change.from;
    if (change.to.empty() || change.file) back.push_back(std::move(change));
  }
  return back;
}

std::vector<PlannedChange> made_of(const Plan& plan, const std::vector<InstalledPackage>& installed) {
  std::vector<PlannedChange> made;
  for (PlannedChange change : plan.changes) {
    const InstalledPackage* const there = find_package(installed, change.name, change.architecture);
    const std::string version = there == nullptr ? "" : there->version;
    const bool whole = there == nullptr || there->whole;
    const bool ours = version == change.to || version == change.found;
    if (whole && (!ours || version == change.from)) continue;
    change.found = version;
    made.push_back(std::move(change));
  }
  return made;
}

Standing standing_of(const Plan& plan, const std::vector<InstalledPackage>& installed) {
  bool all_former = true, all_wanted = true;
  for (const PlannedChange& change : plan.changes) {
    const InstalledPackage* const there = find_package(installed, change.name, change.architecture);
    const bool whole = there == nullptr || there->whole;
    const std::string_view version = there == nullptr ? std::string_view() : there->version;
    if (whole && version != change.from && version != change.to && version != change.found)
      return Standing::elsewhere;
    all_former &= whole && version == change.from;
    all_wanted &= whole && version == change.to;
  }
  return all_wanted ? Standing::wanted : all_former ? Standing::former : Standing::mixed;
}

}  // namespace starling::install
