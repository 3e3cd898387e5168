#include "agent/supervisor/folders/manifest_values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <limits>
#include <optional>
#include <span>

#include "base/nearest_name.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit time_units[] = {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
constexpr Unit size_units[] = {{"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};

// The number times its unit; nullopt if it is none of that or past `most`.
std::optional<std::uint64_t> in_units(std::string_view text, std::span<const Unit> units,
                                      std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return {};
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  if (name.empty() && number == 0) return 0;
  for (const Unit& unit : units) {
    if (name == unit.name) {
      if (number > most / unit.factor) return {};
      return number * unit.factor;
    }
  }
  return {};
}

std::unexpected<Error> refused(std::string_view text, std::string_view wanted) {
  return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not {}", printable_text(text, 64), wanted));
}

struct Signal {
  int number;
  std::string_view name, meaning;
};

constexpr Signal signals[] = {
    {SIGHUP, "SIGHUP", "hang-up"},
    {SIGINT, "SIGINT", "interrupt"},
    {SIGQUIT, "SIGQUIT", "quit"},
    {SIGILL, "SIGILL", "illegal instruction"},
    {SIGTRAP, "SIGTRAP", "trap"},
    {SIGABRT, "SIGABRT", "abort"},
    {SIGBUS, "SIGBUS", "bus error"},
    {SIGFPE, "SIGFPE", "arithmetic error"},
    {SIGKILL, "SIGKILL", "kill"},
    {SIGUSR1, "SIGUSR1", "user signal 1"},
    {SIGSEGV, "SIGSEGV", "segmentation fault"},
    {SIGUSR2, "SIGUSR2", "user signal 2"},
    {SIGPIPE, "SIGPIPE", "broken pipe"},
    {SIGALRM, "SIGALRM", "alarm"},
    {SIGTERM, "SIGTERM", "termination"},
    {SIGCONT, "SIGCONT", "continue"},
    {SIGWINCH, "SIGWINCH", "window change"},
    {SIGXCPU, "SIGXCPU", "processor time limit"},
    {SIGXFSZ, "SIGXFSZ", "file size limit"},
    {SIGSYS, "SIGSYS", "bad system call"},
};

}  // namespace

Result<Milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t year = std::uint64_t{366} * 24 * 3'600'000;
  const auto number = in_units(text, time_units, year);
  if (!number) return refused(text, "a duration such as \"500ms\", \"30s\", \"5min\", \"1h\" or \"0\"");
  return Milliseconds(static_cast<std::int64_t>(*number));
}

Result<std::uint64_t> parse_byte_size(std::string_view text) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();  // what rlimits and cgroups take
  const auto number = in_units(text, size_units, most);
  if (!number) return refused(text, "a size such as \"512KiB\", \"64MiB\", \"1GiB\" or \"0\"");
  return *number;
}

Result<std::uint32_t> parse_percent(std::string_view text) {
  constexpr Unit units[] = {{"%", 1}};
  const auto number = in_units(text, units, 100 * 1024);
  if (!number || *number == 0)
    return refused(text, "a share of one core such as \"50%\"; two cores are \"200%\"");
  return static_cast<std::uint32_t>(*number);
}

Result<int> parse_signal(std::string_view name) {
  const std::string typed = (name.starts_with("SIG") ? "" : "SIG") + std::string(name);
  NearestName nearest(typed);
  for (const Signal& signal : signals) {
    if (signal.name == name) return signal.number;
    nearest.consider(signal.name);
  }
  return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a signal such as \"SIGTERM\"{}",
                                                       printable_text(name, 64), nearest.hint()));
}

std::string_view signal_name(int number) {
  for (const Signal& signal : signals) {
    if (signal.number == number) return signal.name;
  }
  return {};
}

std::string_view signal_meaning(int number) {
  for (const Signal& signal : signals) {
    if (signal.number == number) return signal.meaning;
  }
  return {};
}

}  // namespace starling::agent
