#include "cli/progress.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>
#include <utility>

#include "base/shell_word.hpp"
#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "protocol/modules_document.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t widest_bar = 40;

std::string names_in_state(const JsonArray& devices, std::string_view state, std::int64_t count) {
  std::vector<std::string> names;
  for (const Json& item : devices) {
    if (text_at(as_object(item), {"state"}) == state) names.push_back(text_at(as_object(item), {"name"}));
  }
  return first_names(names, count);
}

// The first module that is refused somewhere, and where.
void note_what_to_do(Session& session, const JsonArray& devices) {
  for (const Json& item : devices) {
    const JsonObject& device = as_object(item);
    for (const Json& error : array_at(device, {"errors"})) {
      const std::string key = text_at(as_object(error), {"key"});
      const auto module = protocol::module_of(key);
      if (!module) continue;
      const std::string where =
          fmt::format("{} --device {}", *module, shell_word(printable(text_at(device, {"name"}))));
      return session.console.note(
          fmt::format("'starling module logs {0}' shows what it wrote, if it ran; once it is mended, "
                      "'starling module start {0} --wait' tries again",
                      where));
    }
  }
}

Table refusals(const JsonArray& devices) {
  Table table({{"DEVICE"}, {"KEY"}, {"WHY"}});
  for (const Json& item : devices) {
    const JsonObject& device = as_object(item);
    if (text_at(device, {"state"}) != "refused") continue;
    const std::string name = text_at(device, {"name"});
    const JsonArray& errors = array_at(device, {"errors"});
    if (errors.empty()) table.add({name, "", ""});
    for (const Json& error : errors) {
      table.add({name, text_at(as_object(error), {"key"}), text_at(as_object(error), {"message"})});
    }
  }
  return table;
}

class Bar {
 public:
  explicit Bar(Console& console) : console_(console) {}
  ~Bar() { clear(); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void show(const ProgressCounts& counts, Seconds elapsed) {
    if (!console_.err_terminal().interactive) return;
    console_.progress("\r" + progress_bar(counts, elapsed, console_.err_terminal().width) + "\x1b[K");
    shown_ = true;
  }
  void clear() {
    if (std::exchange(shown_, false)) console_.progress("\r\x1b[K");
  }

 private:
  Console& console_;
  bool shown_ = false;
};

// What modules wait for, which may be for somebody: said as soon as it is known, and once.
class Waits {
 public:
  Waits(Session& session, Bar& bar) : session_(session), bar_(bar) {}

  void tell(const JsonObject& progress) {
    if (session_.json()) return;
    for (const Json& item : array_at(progress, {"devices"})) {
      const JsonObject& device = as_object(item);
      const std::string why = text_at(device, {"waits_for"});
      if (why.empty() || told_.size() == most_told) continue;
      const std::string told = fmt::format("on {} {}", printable(text_at(device, {"name"})), printable(why));
      if (!told_.insert(told).second) continue;
      bar_.clear();
      session_.console.note(told);
    }
  }

 private:
  static constexpr std::size_t most_told = 5;
  Session& session_;
  Bar& bar_;
  std::set<std::string> told_;
};

}  // namespace

ProgressCounts counts_of(const JsonObject& progress) {
  return {number_at(progress, {"targeted"}),        number_at(progress, {"applied"}),
          number_at(progress, {"pending"}),         number_at(progress, {"refused"}),
          number_at(progress, {"offline"}),         number_at(progress, {"cannot_answer"}),
          number_at(progress, {"lacks_component"}), number_at(progress, {"lacks_module"}),
          number_at(progress, {"masked"}),          number_at(progress, {"overtaken"})};
}

std::string progress_bar(const ProgressCounts& counts, Seconds elapsed, std::size_t width) {
  std::string words = fmt::format(" {}/{} applied", counts.applied, counts.targeted);
  if (counts.refused > 0) words += fmt::format(", {} refused", counts.refused);
  if (counts.overtaken > 0) words += fmt::format(", {} overtaken", counts.overtaken);
  if (counts.masked > 0) words += fmt::format(", {} masked", counts.masked);
  if (counts.offline > 0) words += fmt::format(", {} offline", counts.offline);
  if (counts.cannot_answer > 0) words += fmt::format(", {} cannot answer", counts.cannot_answer);
  if (counts.pending > 0) words += fmt::format(", {} pending", counts.pending);
  words += fmt::format("  {} s", elapsed.count());
  const std::size_t room = width == 0 ? widest_bar : width > words.size() + 3 ? width - words.size() - 3 : 0;
  const std::size_t cells = std::min(room, widest_bar);
  if (cells < 4) return cut_to_width(words.substr(1), width);
  const auto part = [&](std::int64_t count) {
    if (counts.targeted <= 0) return std::size_t{0};
    return std::min(cells, cells * static_cast<std::size_t>(std::max<std::int64_t>(count, 0)) /
                               static_cast<std::size_t>(counts.targeted));
  };
  const std::size_t applied = part(counts.applied);
  const std::size_t answered = std::max(applied, part(counts.applied + counts.refused + counts.overtaken));
  return "[" + std::string(applied, '#') + std::string(answered - applied, 'x') +
         std::string(cells - answered, '.') + "]" + words;
}

ExitCode outcome_of(const ProgressCounts& counts) {
  if (counts.refused + counts.overtaken > 0) return ExitCode::refused;
  if (counts.pending > 0 || counts.offline > 0) return ExitCode::unfinished;
  const bool in_vain = counts.masked > 0 && counts.applied + counts.cannot_answer == 0;
  return in_vain ? ExitCode::refused : ExitCode::done;
}

Result<JsonObject> wait_for_change(Session& session, std::int64_t revision, Seconds timeout,
                                   const Parameters& of) {
  const std::string path = path_of({"changes", std::to_string(revision), "progress"});
  const SteadyTime start = session.clock.steady();
  Milliseconds delay = first_look_wait;
  Bar bar(session.console);
  Waits waits(session, bar);
  while (true) {
    auto progress = session.api.get(path, of);
    const bool away = !progress && (progress.error().code == ErrorCode::unavailable ||
                                    progress.error().code == ErrorCode::timed_out);
    if (!progress && !away) return progress;
    const auto elapsed = session.clock.steady() - start;
    if (progress) {
      const ProgressCounts counts = counts_of(*progress);
      waits.tell(*progress);
      bar.show(counts, std::chrono::floor<Seconds>(elapsed));
      if (counts.pending == 0) return progress;
    }
    if (elapsed >= timeout) return progress;
    session.api.pause(std::min(delay, std::chrono::ceil<Milliseconds>(timeout - elapsed)));
    delay = std::min(delay * 3 / 2, longest_look_wait);
  }
}

void print_progress(Session& session, const JsonObject& progress) {
  const ProgressCounts counts = counts_of(progress);
  const JsonArray& devices = array_at(progress, {"devices"});
  Console& console = session.console;
  const std::string revision = std::to_string(number_at(progress, {"revision"}));
  if (counts.targeted == 0) {
    console.line("revision " + revision + " concerns no device");
    return;
  }
  const std::string targeted = counted(counts.targeted, "device");
  console.line(counts.offline == counts.targeted
                   ? fmt::format("revision {} is queued for {}", revision, targeted)
                   : fmt::format("revision {} applied by {} of {}", revision, counts.applied, targeted));
  if (counts.refused > 0) {
    console.line(
        fmt::format("refused by {}; the old values stay in force there:", counted(counts.refused, "device")));
    console.raw(refusals(devices).render(console.out_terminal()));
    note_what_to_do(session, devices);
  }
  const struct {
    std::int64_t count;
    std::string_view state, words;
  } others[] = {
      {counts.overtaken, "overtaken", "overtaken, a newer change says otherwise for"},
      {counts.masked, "masked", "masked, a layer above says otherwise for"},
      {counts.offline, "offline", "offline, will get it when back"},
      {counts.cannot_answer, "cannot_answer", "told, but of a kind that never answers"},
      {counts.lacks_component, "lacks_component", "without the component, so without the setting"},
      {counts.lacks_module, "lacks_module", "without the module"},
      {counts.pending, "pending", "not done yet"},
  };
  for (const auto& [count, state, words] : others)
    if (count > 0) console.line(fmt::format("{}: {}", words, names_in_state(devices, state, count)));
  if (counts.pending > 0) {
    console.note("'starling changes wait " + revision + "' goes on waiting");
  }
}

void WaitOptions::add_to(CLI::App& app) {
  auto* wait = app.add_flag(
      "--wait", wait_, "Wait until every device that is online has answered; exit 3 or 4 if not all applied");
  app.add_option("--wait-timeout", timeout_seconds_, "How long to wait, in seconds")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str()
      ->needs(wait);
}

}  // namespace starling::cli
