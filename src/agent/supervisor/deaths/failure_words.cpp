#include "agent/supervisor/deaths/failure_words.hpp"

#include <fmt/format.h>

namespace starling::agent {

std::string seconds_text(Milliseconds time) {
  return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s"
                                  : std::to_string(time.count()) + " ms";
}

std::string not_ready_text(const ModuleManifest& manifest) {
  const std::string within = "not ready within " + seconds_text(manifest.start_timeout) +
                             " (if it needs longer, module.toml has to say start_timeout)";
  switch (manifest.readiness) {
    case Readiness::notify: return within + ": it did not send READY=1 to its NOTIFY_SOCKET";
    case Readiness::module: return within + ": it did not say hello on the module socket";
    case Readiness::exec: return within;
  }
  return within;
}

std::string advice_on_end(const ModuleManifest& manifest, const ChildExit& exit, bool was_ready) {
  if (exit.kind != ChildExit::Kind::exited || exit.status != 0) return {};
  const bool retries = manifest.retry == Retry::always;
  const bool was_silent = manifest.readiness != Readiness::exec && !was_ready;
  return fmt::format(
      "; if that was the end of its work, module.toml has to say {}{}{}; if it went on in the background, it "
      "has "
      "to stay in the foreground",
      retries ? "retry = \"on-failure\"" : "", retries && was_silent ? " and " : "",
      was_silent ? "readiness = \"exec\"" : "");
}

}  // namespace starling::agent
