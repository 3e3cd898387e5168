#include "cli/changes_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/change_text.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "cli/watch.hpp"
#include "cli/whole_number.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t changes_at_once = 1000;

class ChangeWatch final : public StreamWatcher {
 public:
  ChangeWatch(Session& session, DeviceNames& names) : session_(session), names_(names) {}

  bool on_event(const StreamEvent& event) override {
    if (event.name != "change") return true;
    const auto change = parse_json(event.data, JsonLimits{16u << 20, 64});
    if (!change || !change->is_object()) return true;
    print(change->get_object());
    return true;
  }

  void print(const JsonObject& change) {
    if (session_.json()) {
      session_.console.raw(compact_json(change) + "\n");
    } else {
      session_.console.raw(change_line(change, names_, session_.console.out_terminal()));
    }
  }

 private:
  Session& session_;
  DeviceNames& names_;
};

class ListChanges final : public Command {
 public:
  explicit ListChanges(CLI::App& app) {
    since_option_ = app.add_option("--since", since_, "Only changes after that revision")
                        ->type_name("REVISION")
                        ->check(whole_number(0));
    app.add_option("-n", count_, "At most COUNT: the newest, or with --since the first after it")
        ->type_name("COUNT")
        ->check(whole_number(1));
    app.add_flag("--watch,-w", watch_, "Go on showing changes as they happen, until Ctrl-C");
  }

  Result<ExitCode> run(Session& session) override {
    auto page = since_option_->count() > 0 ? read_since(session.api) : read_newest(session.api);
    if (!page) return fail(page);
    if (!watch_ && print_json(session, *page)) return ExitCode::done;
    DeviceNames names(session.api.connection(), session.clock);
    ChangeWatch watcher(session, names);
    const JsonArray& items = array_at(*page, {"items"});
    for (const Json& item : items)
      watcher.print(as_object(item));
    if (!watch_) return ExitCode::done;
    WatchOptions options;
    options.since =
        items.empty() ? number_at(*page, {"head"}) : number_at(as_object(items.back()), {"revision"});
    if (const auto watched = watch_stream(session, options, watcher); !watched) return fail(watched);
    return ExitCode::done;
  }

 private:
  Result<JsonObject> read_newest(ApiClient& api) const {
    const std::size_t wanted = std::min(count_ == 0 ? std::size_t{20} : count_, changes_at_once);
    auto page = api.get("/api/v1/changes", {{"newest_first", "true"}, {"limit", std::to_string(wanted)}});
    if (!page) return page;
    JsonArray items = array_at(*page, {"items"});
    std::reverse(items.begin(), items.end());
    (*page)["items"] = std::move(items);
    return page;
  }

  Result<JsonObject> read_since(ApiClient& api) const {
    JsonArray items;
    std::int64_t after = since_;
    while (true) {
      const std::size_t wanted =
          count_ == 0 ? changes_at_once : std::min(changes_at_once, count_ - items.size());
      auto page =
          api.get("/api/v1/changes", {{"since", std::to_string(after)}, {"limit", std::to_string(wanted)}});
      if (!page) return page;
      const JsonArray& got = array_at(*page, {"items"});
      const std::size_t received = got.size();
      for (const Json& item : got)
        items.push_back(item);
      const bool complete = received < wanted || (count_ != 0 && items.size() >= count_);
      if (complete) {
        (*page)["items"] = std::move(items);
        return page;
      }
      after = number_at(as_object(items.back()), {"revision"});
    }
  }

  CLI::Option* since_option_ = nullptr;
  std::int64_t since_ = 0;
  std::size_t count_ = 0;
  bool watch_ = false;
};

class ShowChange final : public Command {
 public:
  explicit ShowChange(CLI::App& app) {
    app.add_option("REVISION", revision_, "Which one")->required()->type_name(" ")->check(whole_number(1));
  }

  Result<ExitCode> run(Session& session) override {
    const auto change = session.api.get(path_of({"changes", std::to_string(revision_)}));
    if (!change) return fail(change);
    if (print_json(session, *change)) return ExitCode::done;
    DeviceNames names(session.api.connection(), session.clock);
    const std::string at = text_at(*change, {"at"});
    const std::string name = text_at(*change, {"principal_name"});
    const Facts facts{{"revision", {std::to_string(revision_), Colour::bold}},
                      {"when", fmt::format("{} ({})", local_date(at), age(at, session.clock.wall()))},
                      {"who", name.empty() ? text_at(*change, {"principal"})
                                           : fmt::format("{} ({})", name, text_at(*change, {"principal"}))},
                      {"what", text_at(*change, {"action"})},
                      {"why", text_at(*change, {"reason"})}};
    session.console.raw(render_facts(facts, session.console.out_terminal()));
    for (const Json& edit : array_at(*change, {"edits"})) {
      session.console.line("  " + describe_edit(as_object(edit), names));
    }
    return ExitCode::done;
  }

 private:
  std::int64_t revision_ = 0;
};

class WaitForChange final : public Command {
 public:
  explicit WaitForChange(CLI::App& app) {
    app.add_option("REVISION", revision_, "Which one")->required()->type_name(" ")->check(whole_number(1));
    app.add_option("--wait-timeout", timeout_seconds_, "How long to wait, in seconds")
        ->type_name("SECONDS")
        ->check(CLI::Range(0, 86'400))
        ->capture_default_str();
  }

  Result<ExitCode> run(Session& session) override {
    const auto progress = wait_for_change(session, revision_, Seconds(timeout_seconds_));
    if (!progress) return fail(progress);
    if (!print_json(session, *progress)) print_progress(session, *progress);
    return outcome_of(counts_of(*progress));
  }

 private:
  std::int64_t revision_ = 0;
  std::int64_t timeout_seconds_ = 60;
};

}  // namespace

void add_changes_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("changes", "The change log, who changed what, when and why");
  noun.require_subcommand(0, 1);
  noun.footer(
      "Examples:\n"
      "  starling changes                 the newest 20\n"
      "  starling changes --since 398     all since then\n"
      "  starling changes --watch         go on\n"
      "  starling changes wait 412        until all devices have applied it");
  tree.attach(noun, std::make_unique<ListChanges>(noun));
  add_command<ShowChange>(tree, noun, "show", "One change with all its edits");
  add_command<WaitForChange>(tree, noun, "wait",
                             "Wait until every device that is online has answered a change");
}

}  // namespace starling::cli
