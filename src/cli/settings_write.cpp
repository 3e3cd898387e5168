#include "cli/settings_write.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace starling::cli {

void SettingsWrite::add_to(CLI::App& app) {
  target_.add_to(app, TargetOptions::With::settings);
  app.add_option("--reason", reason_, "Why; kept in the change log");
  wait_.add_to(app);
}

Result<ExitCode> SettingsWrite::send(Session& session, const Json& target, JsonObject values,
                                     JsonObject expected, std::string_view what,
                                     const Meanwhile& meanwhile) const {
  JsonObject body{{"values", std::move(values)}};
  if (!expected.empty()) body["expected"] = std::move(expected);
  if (!target.is_null()) body["target"] = target;
  if (!reason_.empty()) body["reason"] = reason_;
  auto answer = session.api.write(http::Method::put, "/api/v1/settings", body);
  if (!answer) return fail(answer);
  note_if_nobody(session, *answer);
  return finish_write(session, std::move(*answer), fmt::format("{} on {}", what, target_.text()), wait_,
                      target, meanwhile);
}

}  // namespace starling::cli
