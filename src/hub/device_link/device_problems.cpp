#include "hub/device_link/device_problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/utf8.hpp"
#include "hub/device_link/reported_module.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t most_problems = 16;
constexpr std::size_t most_bytes = 1024;  // of one

class Problems {
 public:
  void add(std::string text) {
    if (found_.size() == most_problems) return;
    if (text.size() > most_bytes) {
      text.resize(cut_utf8(text, most_bytes).size());
      text += "…";
    }
    found_.push_back(std::move(text));
  }
  std::vector<std::string> take() { return std::move(found_); }

 private:
  std::vector<std::string> found_;
};

bool is_enabled(const JsonObject& module) {
  return says(module, "enabled", true);
}

// An alert about modules of which a problem is told already says nothing more.
bool tells_more(const JsonObject& alert, const std::set<std::string_view>& told) {
  const auto modules = array_in(alert, "modules");
  return modules.empty() || !std::ranges::all_of(modules, [&](const Json& name) {
           return name.is_string() && told.contains(std::string_view(name.get_string()));
         });
}

// Of modules and releases the device reports what became of each. Why it took none of it is in the errors
// alone.
void add_whole_refusals(const std::vector<protocol::KeyError>& errors, std::string_view of,
                        Problems& problems) {
  for (const protocol::KeyError& error : errors)
    if (error.key.empty())
      problems.add(fmt::format("the newest change of {} is not in force: {}", of, error.message));
}

void add_modules(const JsonObject& modules, Problems& problems, std::set<std::string_view>& told) {
  for (const auto& [key, module] : modules) {
    if (!module.is_object()) continue;
    const std::string_view name = key;
    if (const std::string failure = failure_of(module.get_object()); !failure.empty()) {
      told.insert(name);
      problems.add(fmt::format("module {} {}", name, failure));
    }
    const auto add_problem = [&](std::string_view file) {
      if (const auto why = text_in(module.get_object(), file); !why.empty())
        problems.add(fmt::format("module {} has a problem: {}", name, why));
    };
    add_problem("config_problem");  // which may be why it is not enabled
    if (is_enabled(module.get_object())) add_problem("render_problem");
  }
}

void add_software(const JsonObject& software, Problems& problems) {
  const JsonObject* failure = object_in(software, "failure");
  if (failure == nullptr || failure->empty()) return;
  const std::string_view wanted = text_in(software, "wanted");
  problems.add(fmt::format("release {} is {}: {}", wanted.empty() ? "that is wanted" : wanted,
                           text_in(software, "state"), text_in(*failure, "message")));
}

// As it is kept, without blanks.
bool may_tell_of_problems(std::string_view facts) {
  constexpr std::string_view begins[] = {
      "errors\":[{",  "module_errors\":[{", "software_errors\":[{", "error\"",          "crashed\"",
      "quarantine\"", "manifest_problem\"", "config_problem\"",     "render_problem\"", "held_up\"",
      "failure\"",    "alerts\":[{",        "alerts\":[\""};
  for (auto at = facts.find('"'); at != std::string_view::npos; at = facts.find('"', at + 1)) {
    const std::string_view rest = facts.substr(at + 1);
    if (std::ranges::any_of(begins, [&](std::string_view begin) { return rest.starts_with(begin); }))
      return true;
  }
  return false;
}

}  // namespace

std::string failure_of(const JsonObject& module) {
  if (const auto why = text_in(module, "quarantine"); !why.empty())
    return fmt::format("could not be enabled: {}", why);
  if (const auto why = text_in(module, "manifest_problem"); is_enabled(module) && !why.empty())
    return fmt::format("cannot be started: {}", why);
  const std::string_view state = text_in(module, "state");
  if (is_enabled(module) && says(module, "held_up", true)) {
    const std::string_view why = text_in(module, "waits_for");
    return std::string(why.empty() ? "waits for what it requires" : why);
  }
  if (state != "error" && state != "crashed") return {};
  const std::string_view detail = text_in(module, "detail");
  return fmt::format("is {}{}{}", state, detail.empty() ? "" : ": ", detail);
}

bool has_problems(std::string_view text) {
  if (!may_tell_of_problems(text)) return false;
  const auto facts = DeviceFacts::parse(text);
  return facts && !problems_of(*facts).empty();
}

std::vector<std::string> problems_of(const DeviceFacts& facts) {
  Problems problems;
  std::set<std::string_view> told;
  for (const protocol::KeyError& error : facts.errors) {
    problems.add(error.key.empty() ? fmt::format("the newest change is not in force: {}", error.message)
                                   : fmt::format("setting {} is refused: {}", error.key, error.message));
  }
  for (const QuarantinedSetting& kept : facts.quarantine) {
    if (std::ranges::find(facts.errors, kept.key, &protocol::KeyError::key) == facts.errors.end())
      problems.add(fmt::format("setting {} is refused: {}", kept.key, kept.why));
  }
  add_whole_refusals(facts.module_errors, "modules", problems);
  add_whole_refusals(facts.software_errors, "the release", problems);
  if (const auto* modules = object_in(facts.reported, "modules")) add_modules(*modules, problems, told);
  if (const auto* software = object_in(facts.reported, "software")) add_software(*software, problems);
  for (const Json& alert : array_in(facts.reported, "alerts")) {
    if (alert.is_object() && tells_more(alert.get_object(), told))
      problems.add(std::string(text_in(alert.get_object(), "text")));
  }
  if (const auto* board = object_in(facts.reported, "board")) {
    for (const Json& alert : array_in(*board, "alerts"))
      if (alert.is_string()) problems.add(fmt::format("board: {}", std::string_view(alert.get_string())));
  }
  return problems.take();
}

}  // namespace starling::hub
