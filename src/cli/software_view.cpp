#include "cli/software_view.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/local_time.hpp"

namespace starling::cli {

std::string software_state_text(const JsonObject& software) {
  const auto text = [&software](std::string_view member) { return text_at(software, {member}); };
  const std::string release = text("release");
  const std::string wanted = text("wanted");
  const std::string state = text("state");
  const std::string running = release.empty() ? "runs no release" : "runs " + release;
  if (state == "confirmed") return wanted.empty() ? running : running + " as it shall";
  std::string out = fmt::format("{}; {} is {}", running, wanted.empty() ? "what is wanted" : wanted, state);
  if (const std::string what = text("waits_for"); !what.empty()) out += " for " + what;
  return out;
}

std::string software_text(const JsonObject& software) {
  const std::string why = failure_text(software);
  return software_state_text(software) + (why.empty() ? "" : ": " + why);
}

std::string failure_text(const JsonObject& software) {
  return text_at(software, {"state"}) == "confirmed" ? "" : text_at(software, {"failure", "message"});
}

std::string last_failed_text(const JsonObject& software, WallTime now) {
  const JsonObject& failed = object_at(software, {"last_failed"});
  const bool is_told = text_at(failed, {"release"}) == text_at(software, {"wanted"}) &&
                       text_at(failed, {"message"}) == failure_text(software);
  if (failed.empty() || is_told) return {};
  return fmt::format("{} was {}: {} ({})", text_at(failed, {"release"}), text_at(failed, {"became"}),
                     text_at(failed, {"message"}),
                     age(WallTime(Milliseconds(number_at(failed, {"at_ms"}))), now));
}

std::string packages_text(const JsonObject& software) {
  std::string out = text_at(software, {"packages", "state"});
  if (const std::string why = text_at(software, {"packages", "message"}); !why.empty()) out += ": " + why;
  if (const std::string lost = joined(array_at(software, {"packages", "without_way_back"})); !lost.empty())
    out += "; there is no way back to " + lost;
  return out;
}

}  // namespace starling::cli
