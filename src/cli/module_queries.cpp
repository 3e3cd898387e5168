#include "cli/module_queries.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/change_text.hpp"
#include "cli/device_lookup.hpp"
#include "cli/module_lookup.hpp"
#include "cli/module_view.hpp"
#include "cli/printable.hpp"
#include "cli/selector_check.hpp"

namespace starling::cli {
namespace {

// What an offline device has reported may be past.
void note_if_offline(Session& session, const JsonObject& modules) {
  if (text_at(modules, {"status"}) == "offline")
    session.console.note("the device is offline: this is what it has reported last");
}

void note_those_offline(Session& session, const JsonObject& overview) {
  const std::int64_t offline = number_at(overview, {"offline"});
  if (offline == 0) return;
  session.console.note(
      offline == 1
          ? "1 of these devices is offline: of it counts what it has reported last"
          : fmt::format("{} of these devices are offline: of them counts what they have reported last",
                        offline));
}

// Where nothing can be listed because nobody is there; empty if somebody is. Only a hint.
std::string nobody_there(Session& session, const std::string& selector, std::string_view instead) {
  Parameters query{{"limit", "1"}};
  if (!selector.empty()) query.emplace_back("selector", selector);
  const auto devices = session.api.get("/api/v1/devices", query);
  if (!devices || !array_at(*devices, {"items"}).empty()) return {};
  if (std::string device = device_meant(session.api, selector, instead); !device.empty()) return device;
  return selector.empty() ? "the fleet has no devices yet (an agent registers itself when it starts)"
                          : fmt::format("no device matches '{}' (see: starling device list)", selector);
}

void note_none(Session& session, const std::string& selector, std::string_view instead,
               std::string_view otherwise) {
  const std::string nobody = nobody_there(session, selector, instead);
  session.console.note(nobody.empty() ? otherwise : nobody);
}

class ListModules final : public Command {
 public:
  explicit ListModules(CLI::App& app) {
    auto* device = app.add_option("--device", device_, device_help)->type_name("DEVICE");
    app.add_option("--on", selector_, "Only devices whose labels match, e.g. 'room=nursery,kind!=lab'")
        ->type_name("SELECTOR")
        ->excludes(device);
  }

  Result<ExitCode> run(Session& session) override {
    return device_.empty() ? list_fleet(session) : list_device(session);
  }

 private:
  Result<ExitCode> list_fleet(Session& session) const {
    Parameters query;
    if (!selector_.empty()) query.emplace_back("selector", selector_);
    const auto list = session.api.list("/api/v1/modules", query);
    if (!list) return query_failed(session.api, list, selector_);
    if (print_json(session, *list)) return ExitCode::done;
    const JsonArray& modules = array_at(*list, {"items"});
    session.console.raw(module_overview(modules, session.clock.wall(), session.console.out_terminal()));
    if (modules.empty()) {
      note_none(session, selector_, device_option,
                "no device has reported a module so far: they are folders below an agent's --modules");
    }
    note_those_offline(session, *list);
    return ExitCode::done;
  }

  Result<ExitCode> list_device(Session& session) const {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    const auto list = modules_of(session.api, *id);
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    const JsonArray& modules = array_at(*list, {"items"});
    session.console.raw(module_table(modules, session.clock.wall(), session.console.out_terminal()));
    if (modules.empty())
      session.console.note("it has no modules: they are folders below its agent's --modules");
    if (const std::string why = section_refused_because(object_at(*list, {"sync"})); !why.empty())
      session.console.note("the newest change of modules is not in force: " + printable(why));
    note_if_offline(session, *list);
    return ExitCode::done;
  }

  std::string device_, selector_;
};

class ShowModule final : public Command {
 public:
  explicit ShowModule(CLI::App& app) {
    app.add_option("NAME", name_, "The module")->required()->type_name(" ");
    app.add_option("--device", device_, device_help)->required()->type_name("DEVICE");
  }

  Result<ExitCode> run(Session& session) override {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    const auto list = modules_of(session.api, *id);
    if (!list) return fail(list);
    const auto module = pick_module(*list, name_, device_ + " has");
    if (!module) return fail(module);
    if (print_json(session, *module)) return ExitCode::done;
    DeviceNames names(session.api.connection(), session.clock);
    session.console.raw(module_facts(*module, object_at(*list, {"sync"}), session.clock.wall(), names,
                                     session.console.out_terminal()));
    note_if_offline(session, *list);
    return ExitCode::done;
  }

 private:
  std::string name_, device_;
};

class ListCrashes final : public Command {
 public:
  explicit ListCrashes(CLI::App& app) {
    app.add_option("--module", module_, "Only that module's")->type_name("NAME");
    app.add_option("--on", selector_, "Only on devices whose labels match")->type_name("SELECTOR");
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!module_.empty()) query.emplace_back("module", module_);
    if (!selector_.empty()) query.emplace_back("selector", selector_);
    const auto list = session.api.get("/api/v1/crashes", query);
    if (!list) return query_failed(session.api, list, selector_, of_device);
    const JsonArray& crashes = array_at(*list, {"items"});
    if (crashes.empty() && !module_.empty()) {
      if (auto known = check_known(session, module_); !known) return fail(known);
    }
    if (print_json(session, *list)) return ExitCode::done;
    session.console.raw(crash_table(crashes, session.clock.wall(), session.console.out_terminal()));
    const std::int64_t more = number_at(*list, {"count"}) - static_cast<std::int64_t>(crashes.size());
    if (more > 0) session.console.line(fmt::format("... and {} more", more));
    if (crashes.empty()) note_none(session, selector_, of_device, "no death of a module is known");
    return ExitCode::done;
  }

 private:
  static constexpr std::string_view of_device = "starling module show NAME --device ";
  std::string module_, selector_;
};

}  // namespace

void add_module_queries(CommandTree& tree, CLI::App& noun) {
  add_command<ListModules>(tree, noun, "list", "The fleet's modules at a glance, or those of a device");
  add_command<ShowModule>(tree, noun, "show",
                          "All of a module on a device: what is desired, what it does, why it died last");
  add_command<ListCrashes>(tree, noun, "crashes", "Deaths of modules, the same ones together");
}

}  // namespace starling::cli
