#include "cli/write_outcome.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/shell_word.hpp"
#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"
#include "protocol/layer.hpp"

namespace starling::cli {
namespace {

void note_missing_assets(Session& session, const JsonObject& answer) {
  const JsonArray& missing = array_at(answer, {"missing_assets"});
  if (missing.empty()) return;
  session.console.note(
      fmt::format("no asset is called {}: devices take the name as it is (starling asset add NAME FILE)",
                  printable(joined(missing))));
}

void print_written(Session& session, const JsonObject& answer, std::string_view what) {
  if (find(answer, {"revision"}) == nullptr) {
    const std::int64_t since = number_at(answer, {"unchanged_since"});
    session.console.line("nothing to change: it is that way already" +
                         (since == 0 ? std::string() : fmt::format(", since revision {}", since)));
  } else {
    const std::string devices =
        find(answer, {"targeted"}) == nullptr
            ? std::string()
            : fmt::format(" ({})", counted(number_at(answer, {"targeted"}), "device"));
    session.console.line(fmt::format("revision {}: {}{}", number_at(answer, {"revision"}), what, devices));
  }
  note_masked(session, answer);
  note_missing_assets(session, answer);
}

// The options by which a write reaches that layer; nothing: none does. `device_name`: of the one on which
// the layer is in force.
std::optional<std::string> options_for(const protocol::LayerId& layer, std::string_view device_name) {
  using enum protocol::LayerKind;
  const bool of_device = layer.kind == device || layer.kind == policy_device;
  const std::string scope = shell_word(printable(of_device ? device_name : layer.scope));
  switch (layer.kind) {
    case fleet: return "";
    case persona: return " --persona " + scope;
    case group: return " --group " + scope;
    case device: return " --device " + scope;
    case policy_fleet: return " --policy";
    case policy_group: return " --group " + scope + " --policy";
    case policy_device: return " --device " + scope + " --policy";
    case defaults: break;
  }
  return std::nullopt;
}

// How the first of them is taken away, as a command.
void note_way_out(Session& session, const JsonObject& first) {
  const auto layer = protocol::LayerId::parse(text_at(first, {"layer"}));
  const auto options = layer ? options_for(*layer, text_at(first, {"device_name"})) : std::nullopt;
  if (!options) return;
  session.console.note(fmt::format("'starling settings unset {}{}' takes the first of these values away",
                                   shell_word(printable(text_at(first, {"key"}))), *options));
}

ExitCode worse(ExitCode one, ExitCode other) {
  if (one == ExitCode::refused || other == ExitCode::refused) return ExitCode::refused;
  return std::max(one, other);
}

}  // namespace

void note_masked(Session& session, const JsonObject& answer) {
  const JsonArray& masked = array_at(answer, {"masked"});
  const auto listed = static_cast<std::int64_t>(masked.size());
  const std::int64_t count = std::max(number_at(answer, {"masked_count"}), listed);
  if (count == 0) return;
  session.console.note(
      fmt::format("{} not in force, because a higher layer has another:", counted(count, "written value")));
  Table table({{"DEVICE"}, {"KEY"}, {"LAYER IN FORCE"}});
  for (const Json& item : masked) {
    const JsonObject& entry = as_object(item);
    const std::string device = text_at(entry, {"device"});
    const std::string layer = text_at(entry, {"layer"});
    const bool own = layer == "device:" + device;
    table.add({text_at(entry, {"device_name"}), text_at(entry, {"key"}), own ? "device (its own)" : layer});
  }
  session.console.progress(table.render(session.console.err_terminal()));
  if (count > listed) session.console.progress(fmt::format("... and {} more\n", count - listed));
  if (listed > 0) note_way_out(session, as_object(masked.front()));
}

void note_if_nobody(Session& session, const JsonObject& answer) {
  if (find(answer, {"targeted"}) == nullptr || number_at(answer, {"targeted"}) != 0) return;
  session.console.note("no device matches now; it holds for those that will (see: starling device list)");
}

Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what,
                              const WaitOptions& wait, const Json& target, const Meanwhile& meanwhile) {
  // What was written before may still be on its way to the devices.
  const bool changed = find(answer, {"revision"}) != nullptr;
  const std::int64_t revision = number_at(answer, {changed ? "revision" : "unchanged_since"});
  const Parameters of = changed ? Parameters() : query_of_target(target);
  if (!session.json()) print_written(session, answer, what);
  ExitCode code = ExitCode::done;
  if (meanwhile) {
    const auto done = meanwhile(answer);
    if (!done) return done;
    code = *done;
  }
  if (wait.wanted() && revision > 0) {
    auto progress = wait_for_change(session, revision, wait.timeout(), of);
    if (!progress) return fail(progress);
    code = worse(code, outcome_of(counts_of(*progress)));
    if (!session.json()) print_progress(session, *progress);
    answer["progress"] = std::move(*progress);
  }
  print_json(session, answer);
  return code;
}

Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what) {
  return finish_write(session, std::move(answer), what, WaitOptions{});
}

}  // namespace starling::cli
