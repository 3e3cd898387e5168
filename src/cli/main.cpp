#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "cli/application.hpp"

namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

starling::cli::Terminal terminal_of(int descriptor) {
  starling::cli::Terminal terminal;
  terminal.interactive = isatty(descriptor) == 1;
  if (!terminal.interactive) return terminal;
  terminal.colour = !variable("NO_COLOR") && variable("TERM").value_or("") != "dumb";
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
    terminal.width = size.ws_col;
    terminal.height = size.ws_row;
  }
  return terminal;
}

}  // namespace

int main(int argc, char** argv) {
  starling::cli::Console console(std::cin, std::cout, std::cerr, terminal_of(STDOUT_FILENO),
                                 terminal_of(STDERR_FILENO));
  const starling::SystemClock clock;
  return starling::cli::run_application(std::vector<std::string>(argv + 1, argv + argc), variable, console,
                                        clock);
}
