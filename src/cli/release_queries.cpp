#include "cli/release_queries.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/release_pack_commands.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t shown_devices = 5;

std::string architectures_of(const JsonObject& release) {
  std::string names;
  for (const auto& [name, tar] : object_at(release, {"architectures"}))
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

std::string minutes_text(std::int64_t minutes) {
  return minutes % 60 == 0 ? fmt::format("{} h", minutes / 60) : fmt::format("{} min", minutes);
}

// "3 devices: bear, owl and 1 more".
std::string use_text(std::int64_t count, const std::vector<std::string>& names) {
  const std::string text = counted(count, "device");
  return names.empty() ? text : text + ": " + first_names(names, count);
}

class ListReleases final : public Command {
 public:
  explicit ListReleases(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/releases");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"VERSION"},
                 {"STATE"},
                 {"RUNS ON", Table::Align::right},
                 {"WANTED ON", Table::Align::right},
                 {"TYPE"},
                 {"FOR"},
                 {"CREATED"},
                 {"DESCRIPTION", Table::Align::left, true}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& release = as_object(item);
      const std::string state = text_at(release, {"state"});
      table.add({text_at(release, {"version"}),
                 {state, state == "draft" ? Colour::yellow : Colour::green},
                 std::to_string(number_at(release, {"devices", "running"})),
                 std::to_string(number_at(release, {"devices", "wanted"})),
                 text_at(release, {"type"}),
                 architectures_of(release),
                 age(text_at(release, {"created_at"}), session.clock.wall()),
                 text_at(release, {"description"})});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    return ExitCode::done;
  }
};

class ShowRelease final : public Command {
 public:
  explicit ShowRelease(CLI::App& app) {
    app.add_option("VERSION", version_, "Like v1.2.3")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto release = session.api.get(path_of({"releases", version_}));
    if (!release) return fail(release);
    if (print_json(session, *release)) return ExitCode::done;
    const auto running = names_of_devices(session);
    if (!running) return fail(running);
    const Terminal& terminal = session.console.out_terminal();
    session.console.raw(
        render_facts({{"version", {text_at(*release, {"version"}), Colour::bold}},
                      {"state", text_at(*release, {"state"})},
                      {"type", text_at(*release, {"type"})},
                      {"description", text_at(*release, {"description"})},
                      {"packages", joined(array_at(*release, {"packages"}))},
                      {"created", text_at(*release, {"created_at"})},
                      {"taken", schedule_text(object_at(*release, {"schedule"}))},
                      {"runs on", use_text(number_at(*release, {"devices", "running"}), *running)},
                      {"wanted on", use_text(number_at(*release, {"devices", "wanted"}), {})}},
                     terminal));
    Table table({{"FOR"}, {"STATE"}, {"SIZE", Table::Align::right}, {"SHA256", Table::Align::left, true}});
    for (const auto& [architecture, value] : object_at(*release, {"architectures"})) {
      const JsonObject& tar = as_object(value);
      table.add({std::string_view(architecture), text_at(tar, {"state"}),
                 byte_size(static_cast<std::uint64_t>(number_at(tar, {"length"}))),
                 text_at(tar, {"sha256"})});
    }
    session.console.raw("\n" + table.render(terminal));
    show_changes(session, array_at(*release, {"changes"}));
    return ExitCode::done;
  }

 private:
  Result<std::vector<std::string>> names_of_devices(Session& session) const {
    const auto list = session.api.list("/api/v1/devices", {{"release", version_}}, shown_devices);
    if (!list) return fail(list);
    std::vector<std::string> names;
    for (const Json& device : array_at(*list, {"items"}))
      names.push_back(text_at(as_object(device), {"device_name"}));
    return names;
  }

  static void show_changes(Session& session, const JsonArray& changes) {
    Table table({{"REVISION", Table::Align::right},
                 {"WHEN"},
                 {"BY"},
                 {"WHAT"},
                 {"TAKEN", Table::Align::left, true},
                 {"WHY", Table::Align::left, true}});
    for (const Json& item : changes) {
      const JsonObject& change = as_object(item);
      table.add({std::to_string(number_at(change, {"revision"})), local_date(text_at(change, {"at"})),
                 text_at(change, {"by"}), text_at(change, {"action"}),
                 schedule_text(object_at(change, {"schedule"})), text_at(change, {"reason"})});
    }
    if (!table.empty()) session.console.raw("\n" + table.render(session.console.out_terminal()));
  }

  std::string version_;
};

}  // namespace

std::string schedule_text(const JsonObject& schedule) {
  if (schedule.empty()) return "";
  if (flag_at(schedule, {"now"})) return "at once";
  const std::string not_before = text_at(schedule, {"not_before"});
  const std::int64_t deadline = number_at(schedule, {"deadline_hours"});
  const bool urgent = text_at(schedule, {"type"}) == "urgent";
  std::string at = text_at(schedule, {"at"});
  if (at.empty() && !urgent && not_before.empty()) at = "02:00";
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (urgent) add("after an hour without use");
  if (!at.empty()) {
    const std::int64_t window = number_at(schedule, {"window_minutes"});
    add(fmt::format("at {} of the device's time, for {}", at, minutes_text(window > 0 ? window : 120)));
  }
  if (!not_before.empty()) add("not before " + local_date(not_before));
  if (deadline > 0) add(fmt::format("after {} h in any case", deadline));
  return text;
}

void note_when_taken(Session& session, const std::string& version) {
  const auto release = session.api.get(path_of({"releases", version}));
  const std::string when = release ? schedule_text(object_at(*release, {"schedule"})) : std::string();
  if (when.empty()) return;
  const bool at_once = flag_at(*release, {"schedule", "now"});
  session.console.note(
      fmt::format("devices take {} {}{}", version, when,
                  at_once ? "" : "; at once instead: starling release schedule " + version + " --now"));
}

void add_release_queries(CommandTree& tree, CLI::App& noun) {
  add_command<ListReleases>(tree, noun, "list", "List releases and drafts, and how many devices have which");
  add_command<ShowRelease>(tree, noun, "show",
                           "One release: when devices take it, which run it, its tars, and who changed what");
}

}  // namespace starling::cli
