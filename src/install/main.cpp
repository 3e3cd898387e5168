// starling-install: does for the agent what takes root: fetches, installs and takes back the Debian packages
// of a release. Started when there is a request, and at boot where one was left; ends when there is none.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "base/files.hpp"
#include "install/installer.hpp"
#include "install/request_box.hpp"

namespace {

using namespace starling;
using namespace starling::install;

volatile std::sig_atomic_t told_to_end = 0;

// What is under way is ended well: dpkg is not interrupted.
void end_after_this() {
  struct sigaction action {};
  action.sa_handler = [](int) { told_to_end = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

Result<void> answer_all(const std::filesystem::path& state, const std::filesystem::path& folder,
                        const Clock& clock, Logger log) {
  auto box = RequestBox::open(state);
  if (!box) return box.error().code == ErrorCode::not_found ? Result<void>() : fail(box);
  if (auto made = make_folders(folder); !made) return made;
  const auto lock = FileLock::acquire(folder / "lock");
  if (!lock) return fail(lock);
  Debian debian(folder / "scratch", log);
  Installer installer(folder, debian, clock, log);
  while (told_to_end == 0) {
    const auto text = box->read();
    if (!text) return fail(text);
    if (!*text) return {};
    if (auto done = installer.carry_out(**text); !done) return done;
    if (auto removed = box->remove(**text); !removed) return removed;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Fetches and installs the Debian packages of a release, as the agent has asked. Needs root.",
               "starling-install");
  std::string state = "/var/lib/starling-agent", folder = "/var/lib/starling-install";
  app.add_option("--state", state, "The agent's state folder; default: " + state);
  app.add_option("--folder", folder, "What is kept, and the answer; default: " + folder);
  app.set_version_flag("--version", STARLING_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_usage;
  }
  end_after_this();
  const SystemClock clock;
  Log log(clock, STDERR_FILENO);
  const auto done = answer_all(state, folder, clock, Logger(log, "install"));
  if (done) return 0;
  fmt::print(stderr, "starling-install: {}\n", done.error().message);
  return exit_failure;
}
