#include "cli/device_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/device_view.hpp"
#include "cli/device_watch.hpp"
#include "cli/printable.hpp"
#include "cli/selector_check.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {
namespace {

class ListDevices final : public Command {
 public:
  explicit ListDevices(CLI::App& app) {
    app.add_option("--on", selector_, "Only devices whose labels match, e.g. 'room=nursery,kind!=lab'")
        ->type_name("SELECTOR");
    app.add_option("--status", status_, "Only devices with that presence")
        ->check(CLI::IsMember({"online", "offline", "updating"}));
    app.add_option("--sync", sync_, "Only devices with that sync status")
        ->check(CLI::IsMember(
            {"in_sync", "pending", "staging", "provisional", "refused", "reverted", "drifted", "offline"}));
    app.add_option("--release", release_, "Only devices that run that release")->type_name("VERSION");
    app.add_flag("--problems", problems_, "Only devices that say that something is wrong on them");
    app.add_flag("--watch,-w", watch_, "Go on showing what changes, until Ctrl-C");
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!selector_.empty()) query.emplace_back("selector", selector_);
    if (!status_.empty()) query.emplace_back("status", status_);
    if (!sync_.empty()) query.emplace_back("sync", sync_);
    if (!release_.empty()) query.emplace_back("release", release_);
    if (problems_) query.emplace_back("problems", "true");
    const auto list = session.api.list("/api/v1/devices", query);
    if (!list) return query_failed(session.api, list, selector_, of_device);
    const bool told_by_the_stream = watch_ && session.json();
    if (!told_by_the_stream) show(session, *list);
    return watch_ ? watch(session, query) : Result<ExitCode>(ExitCode::done);
  }

 private:
  static constexpr std::string_view of_device = "starling device show ";

  void show(Session& session, const JsonObject& list) const {
    if (print_json(session, list)) return;
    const JsonArray& devices = array_at(list, {"items"});
    session.console.raw(device_table(devices, session.clock.wall(), session.console.out_terminal()));
    if (devices.empty()) {
      const std::string meant = device_meant(session.api, selector_, of_device);
      session.console.note(meant.empty() ? "no devices" : meant);
    }
    for (const Json& device : devices) {
      if (problem_count(as_object(device)) == 0) continue;
      session.console.note("which problems: starling device show " +
                           printable(text_at(as_object(device), {"device_name"})));
      break;
    }
  }

  static Result<ExitCode> watch(Session& session, const Parameters& query) {
    auto lookups = ApiClient::open(session.api.connection(), session.clock);
    if (!lookups) return fail(lookups);
    DeviceWatch watcher(session, query, std::move(*lookups));
    if (const auto loaded = watcher.load(); !loaded) return fail(loaded);
    WatchOptions options;
    options.snapshot = true;
    if (const auto watched = watch_stream(session, options, watcher); !watched) return fail(watched);
    return ExitCode::done;
  }

  std::string selector_, status_, sync_, release_;
  bool watch_ = false, problems_ = false;
};

// What all commands about one device have.
class DeviceCommand : public Command {
 public:
  explicit DeviceCommand(CLI::App& app) {
    app.add_option("DEVICE", device_, device_help)->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) final {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    return run_on(session, *id);
  }

 protected:
  virtual Result<ExitCode> run_on(Session& session, const std::string& id) = 0;
  const std::string& device() const { return device_; }

 private:
  std::string device_;
};

class ShowDevice final : public DeviceCommand {
 public:
  using DeviceCommand::DeviceCommand;

 private:
  Result<ExitCode> run_on(Session& session, const std::string& id) override {
    const auto answer = session.api.get(path_of({"devices", id}));
    if (!answer) return fail(answer);
    if (!print_json(session, *answer)) {
      session.console.raw(device_facts(*answer, session.clock.wall(), session.console.out_terminal()));
    }
    return ExitCode::done;
  }
};

class LabelDevice final : public DeviceCommand {
 public:
  explicit LabelDevice(CLI::App& app) : DeviceCommand(app) {
    app.add_option("LABELS", labels_, "KEY=VALUE sets a label, KEY- removes it")
        ->required()
        ->type_name(" ")
        ->check(CLI::Validator(
            [](const std::string& label) {
              const std::size_t equals = label.find('=');
              const bool sets = equals != std::string::npos && equals > 0;
              const bool removes = label.size() > 1 && label.back() == '-' && equals == std::string::npos;
              return sets || removes ? std::string()
                                     : fmt::format("'{}' is neither KEY=VALUE nor KEY-", label);
            },
            "", "label"));
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

 private:
  Result<ExitCode> run_on(Session& session, const std::string& id) override {
    JsonObject labels;
    for (const std::string& label : labels_) {
      const std::size_t equals = label.find('=');
      if (equals == std::string::npos) {
        labels[label.substr(0, label.size() - 1)] = nullptr;
      } else {
        labels[label.substr(0, equals)] = label.substr(equals + 1);
      }
    }
    JsonObject body{{"labels", std::move(labels)}};
    if (!reason_.empty()) body["reason"] = reason_;
    auto answer = session.api.write(http::Method::patch, path_of({"devices", id}), body);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "labelled " + device());
  }

  std::vector<std::string> labels_;
  std::string reason_;
};

class RenameDevice final : public DeviceCommand {
 public:
  explicit RenameDevice(CLI::App& app) : DeviceCommand(app) {
    app.add_option("NAME", name_, "The new name")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

 private:
  Result<ExitCode> run_on(Session& session, const std::string& id) override {
    JsonObject body{{"device_name", name_}};
    if (!reason_.empty()) body["reason"] = reason_;
    auto answer = session.api.write(http::Method::patch, path_of({"devices", id}), body);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), fmt::format("renamed {} to {}", device(), name_));
  }

  std::string name_, reason_;
};

class RemoveDevice final : public DeviceCommand {
 public:
  explicit RemoveDevice(CLI::App& app) : DeviceCommand(app) {
    app.add_flag("--yes,-y", yes_, "Do not ask");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

 private:
  Result<ExitCode> run_on(Session& session, const std::string& id) override {
    const std::string question =
        fmt::format("Remove {} ({}) with its own settings? It must enrol again to come back.", device(), id);
    if (!yes_ && !session.console.confirm_erasing(question))
      return fail(ErrorCode::failed_precondition, "nothing was removed");
    Parameters query;
    if (!reason_.empty()) query.emplace_back("reason", reason_);
    auto answer = session.api.write(http::Method::del, path_of({"devices", id}), Json(nullptr), query);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "removed " + device());
  }

  bool yes_ = false;
  std::string reason_;
};

class ShowDocument final : public DeviceCommand {
 public:
  using DeviceCommand::DeviceCommand;

 private:
  Result<ExitCode> run_on(Session& session, const std::string& id) override {
    const auto answer = session.api.get(path_of({"devices", id, "document"}));
    if (!answer) return fail(answer);
    session.console.raw(pretty_json(*answer) + "\n");
    return ExitCode::done;
  }
};

}  // namespace

void add_device_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("device", "Devices");
  noun.require_subcommand(1);
  add_command<ListDevices>(tree, noun, "list",
                           "List devices: presence, sync status, problems, release, persona");
  add_command<ShowDevice>(tree, noun, "show", "Everything that is known about a device");
  add_command<LabelDevice>(tree, noun, "label", "Set or remove labels, which selectors and groups look at")
      .footer("Example:\n  starling device label bear-1 room=nursery kind-");
  add_command<RenameDevice>(tree, noun, "rename", "Give a device another name");
  add_command<RemoveDevice>(tree, noun, "remove", "Decommission a device: it and its own settings go");
  add_command<ShowDocument>(tree, noun, "document", "Print the desired document of a device, as JSON");
}

}  // namespace starling::cli
