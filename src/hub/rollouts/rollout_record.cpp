#include "hub/rollouts/rollout_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "base/rfc3339.hpp"
#include "base/utf8.hpp"
#include "protocol/field_reader.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {
namespace {

using protocol::FieldReader;

constexpr std::size_t max_values = 256;
constexpr std::size_t max_stages = 16;
constexpr std::size_t max_windows = 16;
constexpr std::size_t max_reason_bytes = 4096;
constexpr auto latest = std::chrono::year(9999) / 12 / 31;
constexpr std::int64_t longest_soak_ms = Milliseconds(std::chrono::days(90)).count();

constexpr std::array<KeptRolloutState, 10> kept_states{
    KeptRolloutState::awaiting,  KeptRolloutState::ready,   KeptRolloutState::open,
    KeptRolloutState::held,      KeptRolloutState::paused,  KeptRolloutState::yielding,
    KeptRolloutState::finished,  KeptRolloutState::aborted, KeptRolloutState::stopped,
    KeptRolloutState::superseded};

std::int64_t number(std::size_t value) {
  return static_cast<std::int64_t>(value);
}

WallTime read_time(FieldReader& reader, std::string_view key) {
  const std::string text = reader.optional_text(key, 64);
  if (text.empty()) return {};
  const auto time = parse_rfc3339(text);
  const bool fits = time && *time >= WallTime() && *time < WallTime(std::chrono::sys_days(latest));
  if (!fits) reader.refuse(key, "must be a time like 2030-01-01T00:00:00Z");
  return time.value_or(WallTime());
}

RolloutValue read_value(FieldReader& reader) {
  RolloutValue value;
  auto layer = protocol::LayerId::parse(reader.text("layer", 4096));
  if (!layer) reader.refuse("layer", "is no layer");
  if (layer) value.setting.layer = std::move(*layer);
  value.setting.key = reader.text("key", 512);
  if (value.setting.key.empty()) reader.refuse("key", "must not be empty");
  value.value = reader.optional_any("value");
  return value;
}

Stage read_stage(FieldReader& reader) {
  Stage stage;
  const auto share = reader.optional_integer("share", 1, Stage::whole, 0);
  auto selector = protocol::Selector::parse(reader.optional_text("selector", 4096));
  if (!selector) reader.refuse("selector", "is no selector");
  if (share > 0) stage.share = static_cast<int>(share);
  if (selector) stage.selector = std::move(*selector);
  if (stage.share.has_value() != stage.selector.empty()) {
    reader.refuse("share", "or a selector must be given, and not both");
  }
  stage.needs_approval = reader.optional_boolean("needs_approval", false);
  return stage;
}

Approval read_approval(FieldReader& reader) {
  Approval approval;
  approval.stage = static_cast<std::size_t>(reader.integer("stage", 0, max_stages - 1));
  approval.principal = reader.text("principal", 256);
  approval.at = read_time(reader, "at");
  return approval;
}

constexpr std::int64_t most_devices = std::numeric_limits<std::int32_t>::max();

StageCounts read_counts(FieldReader& reader) {
  const auto count = [&](std::string_view key) {
    return static_cast<std::size_t>(reader.integer(key, 0, most_devices));
  };
  StageCounts counts;
  counts.devices = count("devices");
  counts.done = count("done");
  counts.failed = count("failed");
  counts.pending = count("pending");
  counts.absent = count("absent");
  const auto later = [&](std::string_view key) {  // not in the records of older hubs
    return static_cast<std::size_t>(reader.optional_integer(key, 0, most_devices, 0));
  };
  counts.masked = later("masked");
  counts.lacking = later("lacking");
  counts.hindered = later("hindered");
  return counts;
}

FailureGroup read_failures(FieldReader& reader) {
  FailureGroup group;
  group.devices = static_cast<std::size_t>(reader.integer("devices", 0, most_devices));
  group.example = reader.text("example", max_reason_bytes);
  group.device = reader.text("device", 128);
  return group;
}

KeptRolloutState read_state(FieldReader& reader) {
  const std::string name = reader.optional_text("state", 32);
  if (name.empty()) return KeptRolloutState::awaiting;
  const auto found =
      std::ranges::find_if(kept_states, [&](KeptRolloutState state) { return to_string(state) == name; });
  if (found != kept_states.end()) return *found;
  reader.refuse("state", "is no state of a rollout");
  return KeptRolloutState::awaiting;
}

std::vector<MaintenanceWindow> read_windows(FieldReader& reader) {
  return reader.optional_list<MaintenanceWindow>("windows", max_windows, [&](FieldReader& each) {
    auto window = MaintenanceWindow::from_json(each.all(), "");
    if (window) return *window;
    each.refuse(std::string_view(window.error().field).substr(1), "is wrong: " + window.error().message);
    return MaintenanceWindow();
  });
}

JsonArray stages_json(const std::vector<Stage>& stages) {
  JsonArray array;
  for (const Stage& stage : stages) {
    JsonObject json;
    if (stage.share) {
      json["share"] = *stage.share;
    } else {
      json["selector"] = stage.selector.canonical();
    }
    if (stage.needs_approval) json["needs_approval"] = true;
    array.emplace_back(std::move(json));
  }
  return array;
}

JsonArray failures_json(const std::vector<FailureGroup>& failures) {
  JsonArray array;
  for (const FailureGroup& group : failures) {
    array.emplace_back(JsonObject{{"devices", number(group.devices)},
                                  {"example", cut_utf8(group.example, max_reason_bytes)},
                                  {"device", group.device}});
  }
  return array;
}

RolloutPlan read_plan(FieldReader& reader) {
  RolloutPlan plan;
  plan.author = reader.optional_text("author", 256);
  plan.values = reader.optional_list<RolloutValue>("values", max_values, read_value);
  plan.stages = reader.optional_list<Stage>("stages", max_stages, read_stage);
  plan.soak = Milliseconds(reader.optional_integer("soak_ms", 0, longest_soak_ms, plan.soak.count()));
  plan.max_failures =
      static_cast<int>(reader.optional_integer("max_failures", 0, Stage::whole, plan.max_failures));
  plan.min_failures = static_cast<std::size_t>(reader.optional_integer("min_failures", 1, 1'000'000, 1));
  plan.waits_for_absent = reader.optional_boolean("waits_for_absent", false);
  plan.windows = read_windows(reader);
  return plan;
}

}  // namespace

std::vector<std::string> tied_releases(const RolloutPlan& plan) {
  std::vector<std::string> releases;
  bool brings_more = false;
  for (const RolloutValue& each : plan.values) {
    const bool is_release = each.setting.key == protocol::software_release_key;
    brings_more |= !is_release;
    if (is_release && each.value.is_string()) releases.emplace_back(each.value.get_string());
  }
  if (!brings_more) releases.clear();
  return releases;
}

Json RolloutRecord::to_json() const {
  JsonArray values, given, windows;
  for (const RolloutValue& each : plan.values) {
    values.emplace_back(
        JsonObject{{"layer", each.setting.layer.text()}, {"key", each.setting.key}, {"value", each.value}});
  }
  for (const Approval& each : approvals) {
    given.emplace_back(JsonObject{
        {"stage", number(each.stage)}, {"principal", each.principal}, {"at", to_rfc3339(each.at)}});
  }
  for (const MaintenanceWindow& window : plan.windows)
    windows.emplace_back(window.to_json());
  JsonObject json{{"author", plan.author},
                  {"values", std::move(values)},
                  {"stages", stages_json(plan.stages)},
                  {"soak_ms", plan.soak.count()},
                  {"max_failures", plan.max_failures},
                  {"min_failures", number(plan.min_failures)},
                  {"waits_for_absent", plan.waits_for_absent},
                  {"windows", std::move(windows)},
                  {"started", started},
                  {"state", to_string(state)},
                  {"open", number(open)},
                  {"approvals", std::move(given)}};
  if (open > 0) json["opened_at"] = to_rfc3339(opened_at);
  if (!why.empty()) json["why"] = why;
  if (!heir.empty()) json["heir"] = heir;
  if (was_held) json["was_held"] = true;
  if (!failures.empty()) json["failures"] = failures_json(failures);
  JsonArray counted;
  for (const StageCounts& each : counts)
    counted.emplace_back(each.to_json());
  if (!counted.empty()) json["counts"] = std::move(counted);
  return json;
}

Result<RolloutRecord> RolloutRecord::from_json(std::string_view id, const Json& body) {
  if (!body.is_object()) return fail(ErrorCode::invalid_argument, "a rollout must be an object");
  FieldReader reader(body.get_object());
  RolloutRecord record;
  record.id = id;
  record.plan = read_plan(reader);
  record.started = reader.optional_integer("started", 0, std::numeric_limits<std::int64_t>::max(), 0);
  record.state = read_state(reader);
  record.open = static_cast<std::size_t>(
      reader.optional_integer("open", 0, static_cast<std::int64_t>(record.plan.stages.size()), 0));
  record.opened_at = read_time(reader, "opened_at");
  record.approvals = reader.optional_list<Approval>("approvals", max_stages, read_approval);
  record.why = reader.optional_text("why", max_reason_bytes);
  record.heir = reader.optional_text("heir", 128);
  record.was_held = reader.optional_boolean("was_held", false);
  record.counts = reader.optional_list<StageCounts>("counts", max_stages, read_counts);
  record.failures =
      reader.optional_list<FailureGroup>("failures", RolloutRecord::max_failure_groups, read_failures);
  auto read = reader.finish<RolloutRecord>(std::move(record));
  if (!read) return read;
  if (auto checked = check_plan(read->plan); !checked) return fail(checked);
  if (!read->counts.empty() && read->counts.size() != read->plan.stages.size()) {
    return fail(ErrorCode::invalid_argument, "the counts must be of each stage", "/counts");
  }
  return read;
}

Result<void> check_plan(const RolloutPlan& plan) {
  const auto wrong = [](std::string message, std::string field) {
    return fail(ErrorCode::invalid_argument, std::move(message), std::move(field));
  };
  if (plan.values.empty()) return wrong("a rollout brings one value at least", "/values");
  std::set<std::string> settings;
  for (const RolloutValue& each : plan.values) {
    if (!settings.insert(each.setting.text()).second) {
      return wrong(fmt::format("'{}' is named twice", each.setting.text()), "/values");
    }
  }
  if (plan.stages.empty()) return wrong("a rollout has one stage at least", "/stages");
  int share = 0;
  for (const Stage& stage : plan.stages) {
    if (!stage.share) continue;
    if (*stage.share <= share) return wrong("the shares of stages must grow", "/stages");
    share = *stage.share;
  }
  if (plan.stages.back().share != Stage::whole) {
    return wrong("the last stage must be the whole: a share of 10000", "/stages");
  }
  return {};
}

}  // namespace starling::hub
