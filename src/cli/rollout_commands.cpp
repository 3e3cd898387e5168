#include "cli/rollout_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/assignment.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/progress.hpp"
#include "cli/release_queries.hpp"
#include "cli/rollout_view.hpp"
#include "cli/setting_value.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"
#include "cli/window.hpp"
#include "cli/write_outcome.hpp"
#include "protocol/software_document.hpp"

namespace starling::cli {
namespace {

std::string path_of_rollout(const std::string& id) {
  return path_of({"rollouts", id});
}

class StartRollout final : public Command {
 public:
  explicit StartRollout(CLI::App& app) {
    app.add_option("VERSION", version_, "The release to bring, like v1.2.3; it must be published")
        ->type_name(" ");
    app.add_option("--set", assignments_, "A setting that it brings, beside a release or alone; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->check(assignment());
    target_.add_to(app, TargetOptions::With::group_too);
    app.add_option("--stages", stages_, "Shares of the target's devices, or one label each; the last is 100%")
        ->type_name("LIST")
        ->capture_default_str();
    app.add_option("--soak", soak_, "How long a stage must have been well before the next one opens")
        ->type_name("SPAN")
        ->capture_default_str();
    app.add_option("--max-failures", max_failures_,
                   "If more of the devices fail, it is taken back as by abort")
        ->type_name("PERCENT")
        ->capture_default_str();
    app.add_option("--window", windows_,
                   "When stages may open, like 'Mon-Fri 02:00-04:00 Europe/Berlin'; without a zone: UTC; "
                   "repeatable")
        ->type_name("WINDOW")
        ->allow_extra_args(false);
    app.add_flag("--needs-approval", needs_approval_,
                 "Each stage waits until somebody else approves it: starling rollout approve");
    app.add_flag("--wait-for-absent", waits_for_absent_,
                 "A stage waits for devices that are offline too, instead of passing them by");
    app.add_flag("--supersede", supersede_, "Take the place of a rollout that brings the same");
    app.add_option("--reason", reason_, "Why; kept in the change log");
    app.parse_complete_callback([this] {
      if (version_.empty() && assignments_.empty()) {
        throw CLI::ValidationError("rollout start", "name a VERSION, or settings with --set KEY=VALUE");
      }
    });
  }

  Result<ExitCode> run(Session& session) override {
    auto body = plan();
    if (!body) return fail(body);
    auto values = values_of(session);
    if (!values) return fail(values);
    auto target = target_.target(session.api);
    if (!target) return fail(target);
    (*body)["values"] = std::move(*values);
    if (!target->is_null()) (*body)["target"] = std::move(*target);
    const auto answer = session.api.write(http::Method::post, "/api/v1/rollouts", *body);
    if (!answer) return fail(answer);
    if (print_json(session, *answer)) return ExitCode::done;
    const std::string id = text_at(*answer, {"id"});
    session.console.line(fmt::format("revision {}: rollout {} on {} has started ({})",
                                     number_at(*answer, {"revision"}), id, target_.text(),
                                     counted(number_at(*answer, {"targeted"}), "device")));
    note_masked(session, *answer);
    for (const Json& note : array_at(*answer, {"notes"}))
      if (note.is_string()) session.console.note(printable(std::string_view(note.get_string())));
    if (!version_.empty()) note_when_taken(session, version_);
    session.console.note(fmt::format("to see how far it is: starling rollout status {} --watch", id));
    return ExitCode::done;
  }

 private:
  Result<JsonObject> plan() const {
    auto stages = parse_stages(stages_, needs_approval_);
    if (!stages) return fail(stages, "--stages");
    const auto soak = parse_span(soak_);
    if (!soak) return fail(soak, "--soak");
    const auto failures = parse_percent(max_failures_);
    if (!failures) return fail(failures, "--max-failures");
    JsonObject body{{"stages", std::move(*stages)}, {"soak_ms", soak->count()}, {"max_failures", *failures}};
    JsonArray windows;
    for (const std::string& text : windows_) {
      auto window = parse_window(text);
      if (!window) return fail(window, "--window");
      windows.emplace_back(std::move(*window));
    }
    if (!windows.empty()) body["windows"] = std::move(windows);
    if (waits_for_absent_) body["waits_for_absent"] = true;
    if (supersede_) body["supersede"] = true;
    if (!reason_.empty()) body["reason"] = reason_;
    return body;
  }

  Result<JsonObject> values_of(Session& session) const {
    JsonObject values;
    if (!assignments_.empty()) {
      const auto components = session.api.list("/api/v1/components");
      if (!components) return fail(components);
      auto parsed = SettingCatalog(*components).parse_values(assignments_);
      if (!parsed) return fail(parsed);
      values = std::move(*parsed);
    }
    if (!version_.empty()) values[protocol::software_release_key] = version_;
    return values;
  }

  TargetOptions target_;
  std::vector<std::string> assignments_, windows_;
  std::string version_, reason_;
  std::string stages_ = "5%,25%,100%", soak_ = "30m", max_failures_ = "2%";
  bool needs_approval_ = false, waits_for_absent_ = false, supersede_ = false;
};

class ListRollouts final : public Command {
 public:
  explicit ListRollouts(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/rollouts");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"ID"}, {"STATE"}, {"BRINGS", Table::Align::left, true}, {"PROGRESS"}, {"OPENED"}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& rollout = as_object(item);
      const std::string state = text_at(rollout, {"state"});
      const std::string opened = text_at(rollout, {"opened_at"});
      table.add({text_at(rollout, {"id"}),
                 {state, rollout_colour(state)},
                 brought_by(rollout),
                 stage_line(rollout),
                 opened.empty() ? "" : age(opened, session.clock.wall())});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.note("no rollouts; starling rollout start --help says how one begins");
    return ExitCode::done;
  }
};

class RolloutStatus final : public Command {
 public:
  explicit RolloutStatus(CLI::App& app) {
    app.add_option("ID", id_, "Of a rollout; without: the newest one that goes on, or else the newest")
        ->type_name(" ");
    app.add_flag("-w,--watch", watch_, "Until it has ended; exit 3 if it was not finished");
  }

  Result<ExitCode> run(Session& session) override {
    if (id_.empty()) {
      auto chosen = newest(session);
      if (!chosen) return fail(chosen);
      id_ = std::move(*chosen);
    }
    auto rollout = session.api.get(path_of_rollout(id_));
    if (!rollout) return fail(rollout);
    if (watch_) return watch(session, std::move(*rollout));
    if (print_json(session, *rollout)) return ExitCode::done;
    session.console.raw(rollout_text(*rollout, session.clock.wall(), session.console.out_terminal()));
    return ExitCode::done;
  }

 private:
  static Result<std::string> newest(Session& session) {
    const auto list = session.api.list("/api/v1/rollouts");
    if (!list) return fail(list);
    const JsonArray& items = array_at(*list, {"items"});
    if (items.empty()) {
      return fail(ErrorCode::not_found,
                  "there is no rollout yet; starling rollout start --help says how one begins");
    }
    const auto going_on =
        std::ranges::find_if(items, [](const Json& item) { return !flag_at(as_object(item), {"ended"}); });
    return text_at(as_object(going_on == items.end() ? items.front() : *going_on), {"id"});
  }

  // A hub that is away for a moment is waited for.
  Result<ExitCode> watch(Session& session, JsonObject rollout) {
    Milliseconds delay = first_look_wait;
    while (true) {
      show(session, rollout);
      if (flag_at(rollout, {"ended"})) break;
      session.api.pause(delay);
      delay = std::min(delay * 3 / 2, longest_look_wait);
      auto next = session.api.get(path_of_rollout(id_));
      const bool away =
          !next && (next.error().code == ErrorCode::unavailable || next.error().code == ErrorCode::timed_out);
      if (!next && !away) return fail(next);
      if (next) rollout = std::move(*next);
    }
    return text_at(rollout, {"state"}) == "finished" ? ExitCode::done : ExitCode::refused;
  }

  // A terminal is drawn anew; otherwise each difference is a line, and the end is shown whole.
  void show(Session& session, const JsonObject& rollout) {
    const Terminal& terminal = session.console.out_terminal();
    if (session.json()) {
      if (rollout == shown_) return;
      shown_ = rollout;
      session.console.raw(compact_json(Json(rollout)) + "\n");
      return;
    }
    const std::string text = rollout_text(rollout, session.clock.wall(), terminal);
    if (terminal.interactive) return session.console.raw(std::string(clear_screen) + text);
    const std::string line = fmt::format("{}: {}, {}", id_, text_at(rollout, {"state"}), stage_line(rollout));
    if (line != line_) session.console.line(local_date(session.clock.wall()) + "  " + line);
    line_ = line;
    if (flag_at(rollout, {"ended"})) session.console.raw("\n" + text);
  }

  std::string id_, line_;
  JsonObject shown_;
  bool watch_ = false;
};

// What is done to one of them; its word is the path's last part.
class ActOnRollout : public Command {
 public:
  ActOnRollout(CLI::App& app, std::string verb) : verb_(std::move(verb)) {
    app.add_option("ID", id_, "As starling rollout list has it")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

  Result<ExitCode> run(Session& session) final {
    JsonObject body;
    if (!reason_.empty()) body["reason"] = reason_;
    const auto answer = session.api.write(http::Method::post, path_of({"rollouts", id_, verb_}), body);
    if (!answer) return fail(answer);
    if (print_json(session, *answer)) return ExitCode::done;
    session.console.line(
        fmt::format("revision {}: rollout {} {}", number_at(*answer, {"revision"}), id_, outcome(*answer)));
    return ExitCode::done;
  }

 private:
  // Where it goes from there is seen a moment later.
  std::string outcome(const JsonObject& answer) const {
    if (verb_ == "approve") return "is approved";
    if (verb_ == "resume") return "goes on";
    return "is " + text_at(answer, {"state"});
  }

  std::string verb_, id_, reason_;
};

struct ApproveRollout final : ActOnRollout {
  explicit ApproveRollout(CLI::App& app) : ActOnRollout(app, "approve") {}
};
struct PauseRollout final : ActOnRollout {
  explicit PauseRollout(CLI::App& app) : ActOnRollout(app, "pause") {}
};
struct ResumeRollout final : ActOnRollout {
  explicit ResumeRollout(CLI::App& app) : ActOnRollout(app, "resume") {}
};
struct AbortRollout final : ActOnRollout {
  explicit AbortRollout(CLI::App& app) : ActOnRollout(app, "abort") {}
};

}  // namespace

void add_rollout_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("rollout", "Changes in stages");
  noun.require_subcommand(1);
  add_command<StartRollout>(tree, noun, "start", "Bring a release, settings or both to devices in stages")
      .footer(
          "Examples:\n"
          "  starling rollout start v1.2.3 --on room=lab --stages 5%,25%,100% --soak 30m --max-failures 2%\n"
          "  starling rollout start v1.2.3 --window 'Mon-Fri 02:00-04:00 Europe/Berlin'\n"
          "  starling rollout start --set audio.volume=20 --stages room=lab,100% --soak 1h\n"
          "  starling rollout start v1.2.3 --set hotword.threshold=0.6 --needs-approval");
  add_command<RolloutStatus>(tree, noun, "status", "How far one is, stage by stage, and why devices failed");
  add_command<ListRollouts>(tree, noun, "list", "List rollouts, the newest first");
  add_command<ApproveRollout>(tree, noun, "approve", "Let the next stage open; not for whoever started it");
  add_command<PauseRollout>(tree, noun, "pause", "Open nothing more; devices keep what they have");
  add_command<ResumeRollout>(tree, noun, "resume", "Let it go on after a pause");
  add_command<AbortRollout>(tree, noun, "abort", "Take it back: devices get what their layers say without it")
      .footer(
          "A device goes back to the release that its layers name without the rollout. Where they name none "
          "it\n"
          "keeps the new one: set software.release to the former version to have that again.");
}

}  // namespace starling::cli
