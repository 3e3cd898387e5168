#include "cli/release_schedule_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/rollout_view.hpp"
#include "protocol/timing_policy.hpp"

namespace starling::cli {
namespace {

CLI::Validator time_of_day() {
  return CLI::Validator(
      [](const std::string& text) {
        return protocol::parse_time_of_day(text)
                   ? std::string()
                   : fmt::format("'{}' is no time of day, such as 03:30", printable(text));
      },
      "", "time of day");
}

// What the hub says of a member of the request is said of the option here.
Error at_option(Error error) {
  constexpr std::pair<std::string_view, std::string_view> options[] = {{"/at", "--at"},
                                                                       {"/not_before", "--not-before"},
                                                                       {"/window_minutes", "--window"},
                                                                       {"/deadline_hours", "--deadline"},
                                                                       {"/type", "--type"}};
  for (const auto& [pointer, option] : options)
    if (error.message.starts_with(std::string(pointer) + " "))
      error.message.replace(0, pointer.size(), option);
  return error;
}

class ScheduleRelease final : public Command {
 public:
  explicit ScheduleRelease(CLI::App& app) {
    app.add_option("VERSION", version_, "A published release")->required()->type_name(" ");
    auto* now = app.add_flag("--now", now_, "Each device takes it as soon as it hears of it");
    app.add_option("--type", type_, "By the clock, or as soon as nobody uses the device; default: its own")
        ->check(CLI::IsMember({"scheduled", "urgent"}));
    app.add_option("--at", at_,
                   "The device's local time from which it may, each day, like 03:30; default: 02:00")
        ->type_name("TIME")
        ->check(time_of_day())
        ->excludes(now);
    app.add_option("--window", window_, "For how long from then on; default: 2h")
        ->type_name("SPAN")
        ->excludes(now);
    app.add_option("--not-before", not_before_, "Not before this time, like 2030-01-31T18:00:00Z")
        ->type_name("TIME")
        ->excludes(now);
    app.add_option("--deadline", deadline_, "After waiting for this long nothing holds it, like 24h")
        ->type_name("SPAN")
        ->excludes(now);
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

  Result<ExitCode> run(Session& session) override {
    auto policy = this->policy();
    if (!policy) return fail(policy);
    if (type_.empty()) {
      const auto release = session.api.get(path_of({"releases", version_}));
      if (!release) return fail(release);
      (*policy)["type"] = text_at(*release, {"type"});
    }
    const auto answer =
        session.api.write(http::Method::put, path_of({"releases", version_, "schedule"}), *policy);
    if (!answer) return std::unexpected(at_option(answer.error()));
    if (print_json(session, *answer)) return ExitCode::done;
    session.console.line(
        fmt::format("{} is signed to be taken {}", version_, now_ ? "at once" : "at its hour"));
    session.console.note("devices that wait for their hour look again every five minutes");
    return ExitCode::done;
  }

 private:
  Result<JsonObject> policy() const {
    JsonObject policy{{"type", type_}, {"now", now_}};
    if (!at_.empty()) policy["at"] = at_;
    if (!not_before_.empty()) policy["not_before"] = not_before_;
    if (!window_.empty()) {
      const auto window = parse_span(window_);
      if (!window) return fail(window, "--window");
      policy["window_minutes"] = std::chrono::duration_cast<std::chrono::minutes>(*window).count();
    }
    if (!deadline_.empty()) {
      const auto deadline = parse_span(deadline_);
      if (!deadline) return fail(deadline, "--deadline");
      policy["deadline_hours"] = std::chrono::duration_cast<std::chrono::hours>(*deadline).count();
    }
    if (!reason_.empty()) policy["reason"] = reason_;
    return policy;
  }

  std::string version_, type_, at_, window_, not_before_, deadline_, reason_;
  bool now_ = false;
};

}  // namespace

void add_release_schedule_command(CommandTree& tree, CLI::App& noun) {
  add_command<ScheduleRelease>(tree, noun, "schedule", "When devices take a release that they shall have")
      .footer(
          "Examples:\n"
          "  starling release schedule v1.2.3 --now\n"
          "  starling release schedule v1.2.3 --at 03:30 --window 1h --deadline 72h");
}

}  // namespace starling::cli
