#include "cli/release_takers.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/table.hpp"

namespace starling::cli {

void ReleaseTakers::add_to(CLI::App& app) {
  target_.add_to(app, TargetOptions::With::nobody_too);
  app.add_flag("--all", all_, "All devices of the fleet")
      ->group("Who takes it (without any: nobody yet)")
      ->excludes("--on")
      ->excludes("--device");
  app.add_flag("--now", now_, "They take it at once, instead of at its hour");
  app.add_option("--not-before", not_before_, "They take it from this time on, like 2030-01-31T18:00:00Z")
      ->type_name("TIME")
      ->excludes("--now");
}

Result<void> ReleaseTakers::check(Session& session) const {
  const bool said_when = now_ || !not_before_.empty();
  if (said_when && !any())
    return fail(ErrorCode::invalid_argument, "say who takes it then: --all, --on or --device");
  const auto target = target_.target(session.api);
  return target ? Result<void>() : fail(target);
}

Result<void> ReleaseTakers::take(Session& session, const std::string& version) const {
  JsonObject body{{"version", version}};
  const auto target = target_.target(session.api);
  if (!target) return fail(target);
  const std::string device = target->is_object() ? text_at(target->get_object(), {"device"}) : "";
  if (!device.empty()) body["target_devices"] = JsonArray{device};
  if (target->is_object() && device.empty())
    body["target_devices"] = text_at(target->get_object(), {"selector"});
  if (now_) body["now"] = true;
  if (!not_before_.empty()) body["scheduled_for"] = not_before_;
  const auto answer = session.api.write(http::Method::post, "/api/v1/updates/create", body);
  if (!answer) return fail(answer);
  if (session.json()) return {};
  session.console.line(fmt::format("{} shall run on {} ({})", version, target_.text(),
                                   counted(number_at(*answer, {"targeted"}), "device")));
  return {};
}

}  // namespace starling::cli
