#include "cli/module_logs.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/log_place.hpp"
#include "cli/module_lookup.hpp"
#include "cli/printable.hpp"
#include "protocol/messages.hpp"

namespace starling::cli {
namespace {

constexpr Seconds collecting{60};
constexpr Milliseconds first_pause{250};  // before a log is read again; doubles
constexpr Milliseconds longest_pause{5'000};
constexpr int search_ticks = 8;  // 2 s, in which the newest lines have come

// Logs are nowhere but on the device.
Result<void> check_online(Session& session, const std::string& id) {
  const auto device = session.api.get(path_of({"devices", id}));
  if (!device) return fail(device);
  const std::string offline = offline_text(*device, session.clock.wall());
  if (offline.empty()) return {};
  return fail(
      ErrorCode::unavailable,
      fmt::format("{} is {}: its logs are on it alone, and can be read when it is back.\n"
                  "  Its last death with the last lines before: starling module show NAME --device {}",
                  printable(text_at(*device, {"device_name"})), offline, id));
}

class ModuleLogs final : public Command {
 public:
  explicit ModuleLogs(CLI::App& app) {
    app.add_option("NAME", name_, "The module")->required()->type_name(" ");
    app.add_option("--device", device_, device_help)->required()->type_name("DEVICE");
    app.add_option("-n", lines_, "The newest COUNT lines first")
        ->type_name("COUNT")
        ->capture_default_str()
        ->check(CLI::Range(0, 1000));
    app.add_flag("--follow,-f", follow_,
                 "Go on showing lines as they are written, until Ctrl-C, also when the device was away");
  }

  Result<ExitCode> run(Session& session) override {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    if (auto known = find_to_ask(session, JsonObject{{"device", *id}}, name_); !known) return fail(known);
    if (auto online = check_online(session, *id); !online) return fail(online);
    return read(session, path_of({"devices", *id, "modules", name_, "logs"}));
  }

 private:
  Result<ExitCode> read(Session& session, const std::string& path) const {
    LogPlace place;
    Milliseconds delay = first_pause;
    bool begun = false;
    for (bool again = false;; again = true) {
      const Reading reading = read_once(session, path, place, begun);
      begun = begun || reading.opened;
      if (reading.read_something) delay = first_pause;
      if (!follow_ || !reading.may_go_on()) {
        auto outcome = outcome_of(reading);
        if (outcome && !reading.read_something && lines_ > 0)
          session.console.note(printable(name_) + " has written nothing yet");
        return outcome;
      }
      if (!again || reading.read_something)
        session.console.note(fmt::format("{}; going on when it is back", printable(reading.why())));
      session.api.pause(delay);
      delay = std::min(delay * 2, longest_pause);
    }
  }

  // One connection's.
  struct Reading {
    Result<void> followed;
    std::optional<std::string> ended;  // the end was told, and why
    bool link_lost = false;
    bool opened = false;
    bool read_something = false;

    // The hub was there a moment ago: one that is absent will be back.
    bool may_go_on() const {
      if (followed) return !ended || link_lost;
      return followed.error().code == ErrorCode::unavailable || followed.error().code == ErrorCode::timed_out;
    }
    std::string why() const {
      if (ended) return *ended;
      if (followed) return "the connection to the hub was lost";
      const std::string& message = followed.error().message;  // and advice below it
      return message.substr(0, message.find('\n'));
    }
  };

  static Result<ExitCode> outcome_of(const Reading& reading) {
    if (!reading.followed) return fail(reading.followed);
    if (!reading.ended)
      return fail(ErrorCode::unavailable, "the hub ended the connection; run it again to go on");
    if (!reading.ended->empty()) return fail(ErrorCode::unavailable, printable(*reading.ended));
    return ExitCode::done;
  }

  Reading read_once(Session& session, const std::string& path, LogPlace& place, bool begun) const {
    Reading reading;
    place.begin_again();
    // Once it has been read, whatever was written meanwhile is wanted, also if there was no line before.
    const Parameters query{{"lines", std::to_string(begun ? protocol::max_log_lines : lines_)},
                           {"follow", follow_ ? "true" : "false"}};
    int ticks = 0;
    const auto sink = [&](const StreamEvent& event) {
      const auto data = parse_json(event.data);
      if (!data || !data->is_object()) return true;
      for (const Json& line : array_at(data->get_object(), {"lines"})) {
        reading.read_something = true;
        for (const JsonObject& next : place.take(as_object(line)))
          show(session, next);
      }
      if (event.name == "end") {
        reading.ended = text_at(data->get_object(), {"message"});
        reading.link_lost = flag_at(data->get_object(), {"link_lost"});
      }
      return !reading.ended;
    };
    const auto tick = [&] {
      if (reading.read_something && !place.is_known() && ++ticks == search_ticks) settle(session, place);
      return true;
    };
    reading.followed = session.api.follow(path, query, {}, sink, tick, [&reading] { reading.opened = true; });
    if (!place.is_known() && !reading.may_go_on()) settle(session, place);
    return reading;
  }

  static void settle(Session& session, LogPlace& place) {
    const LogPlace::Settled settled = place.settle();
    if (settled.may_miss) session.console.note("lines may be missing here");
    for (const JsonObject& line : settled.lines)
      show(session, line);
  }

  static void show(Session& session, const JsonObject& line) {
    if (session.json()) return session.console.raw(compact_json(line) + "\n");
    // As the log itself has them, and `starling-agent ctl module logs` shows them.
    const Terminal& terminal = session.console.out_terminal();
    const std::string at = text_at(line, {"at"});  // none: it is not of that form
    const std::string stream = text_at(line, {"stream"});
    const bool error = stream == "stderr";
    const std::string_view from = error ? "err" : stream == "stdout" ? "out" : "note";
    const std::string head = at.empty() ? std::string() : fmt::format("{} {} ", printable(at), from);
    const std::string text = printable(text_at(line, {"text"}));
    session.console.raw(paint(head, Colour::dim, terminal) +
                        paint(text, error ? Colour::yellow : Colour::plain, terminal) + "\n");
  }

  std::string name_, device_;
  std::int64_t lines_ = 20;
  bool follow_ = false;
};

class DeviceLogs final : public Command {
 public:
  explicit DeviceLogs(CLI::App& app) {
    app.add_option("DEVICE", device_, device_help)->required()->type_name(" ");
    app.add_option("--module", modules_, "Only that module's; repeatable")
        ->type_name("NAME")
        ->allow_extra_args(false);
  }

  Result<ExitCode> run(Session& session) override {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    if (auto online = check_online(session, *id); !online) return fail(online);
    JsonObject parameters;
    if (!modules_.empty()) parameters["modules"] = JsonArray(modules_.begin(), modules_.end());
    const auto answer = start_action(
        session, {"collect_logs", std::move(parameters), JsonObject{{"device", *id}}, collecting.count()});
    if (!answer) return fail(answer);
    const auto state = wait_for_action(session, text_at(*answer, {"id"}), collecting, {{"device", *id}});
    if (!state) return fail(state);
    if (outcome_of_action(*state) != ExitCode::done) {
      show_action(session, *state);
      return outcome_of_action(*state);
    }
    if (!print_json(session, *state)) show(session, *state);
    return ExitCode::done;
  }

 private:
  static void show(Session& session, const JsonObject& action) {
    for (const Json& device : array_at(action, {"devices"})) {
      const JsonObject& logs = object_at(as_object(device), {"result", "logs"});
      for (const auto& [name, text] : logs) {
        const std::string heading = fmt::format("==> {} <==", printable(std::string_view(name)));
        session.console.raw(paint(heading, Colour::bold, session.console.out_terminal()) + "\n");
        const std::string lines = printable_lines(text_at(logs, {std::string_view(name)}));
        session.console.raw(lines.empty() || lines.ends_with('\n') ? lines : lines + "\n");
      }
      if (logs.empty()) session.console.note("it has no modules");
    }
  }

  std::string device_;
  std::vector<std::string> modules_;
};

}  // namespace

void add_module_logs(CommandTree& tree, CLI::App& noun) {
  add_command<ModuleLogs>(tree, noun, "logs",
                          "The newest lines that a module has written, and with -f those to come")
      .footer("Example:\n  starling module logs recorder --device bear-1 -f");
  add_command<DeviceLogs>(tree, *tree.root().get_subcommand("device"), "logs",
                          "Fetch the newest lines that a device's modules have written");
}

}  // namespace starling::cli
