#include "cli/target.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/selector_check.hpp"

namespace starling::cli {

Parameters query_of_target(const Json& target) {
  Parameters query;
  for (const char* kind : {"device", "selector", "group", "persona"}) {
    if (const std::string named = text_at(as_object(target), {kind}); !named.empty())
      query.emplace_back(kind, named);
  }
  return query;
}

void TargetOptions::add_to(CLI::App& app, With with) {
  const bool one_needed = with == With::one_needed;
  const char* heading = one_needed                 ? "Target"
                        : with == With::nobody_too ? "Who takes it (without any: nobody yet)"
                                                   : "Target (without any: the whole fleet)";
  std::vector<CLI::Option*> choices;
  const auto add = [&](const char* name, std::string& value, const char* type, const char* description) {
    CLI::Option* option = app.add_option(name, value, description)->type_name(type)->group(heading);
    for (CLI::Option* other : choices)
      option->excludes(other);
    choices.push_back(option);
    return option;
  };
  CLI::Option* on =
      add("--on", selector_, "SELECTOR", "Devices whose labels match, e.g. 'room=nursery,kind!=lab'");
  add("--device", device_, "DEVICE", "One device: UUID, unique prefix of it, or name");
  if (one_needed) {
    app.parse_complete_callback([this, &app] {
      if (empty()) throw CLI::ValidationError(app.get_name(), "give --device DEVICE or --on SELECTOR");
    });
  }
  lasts_ = with == With::persona || with == With::settings;
  once_ = one_needed || with == With::device_and_selector;
  if (lasts_ || with == With::group_too) add("--group", group_, "NAME", "The devices of a group");
  if (lasts_) {
    app.add_flag("--future", future_, "Also if no device matches yet: it holds for those that will")
        ->group(heading)
        ->needs(on);
  }
  if (with != With::settings) return;
  CLI::Option* persona =
      add("--persona", persona_, "NAME", "Wherever that persona is active, as long as it is");
  app.add_flag("--policy", policy_, "The policy layer there, which beats all others")
      ->group(heading)
      ->excludes(persona);
}

bool TargetOptions::empty() const {
  return selector_.empty() && device_.empty() && persona_.empty() && group_.empty();
}

// A name alone selects the devices that have a label of that name. Where there are none, it may be a
// device's. What lasts would wait for ever for those that a slip of the pen describes, and what is done once
// would be done nowhere.
Result<void> TargetOptions::check_selector(ApiClient& api, For what) const {
  const bool must_match = once_ || (lasts_ && !future_ && what != For::taking_away);
  const bool may_be_name = selector_.find_first_of("=!,") == std::string::npos;
  if (!may_be_name && !must_match) return {};
  const auto checked = check_some_match(api, selector_, device_option,
                                        once_ ? "" : "With --future it is written for those that will; ");
  const bool is_device = !checked && checked.error().code == ErrorCode::invalid_argument;
  return must_match || is_device ? checked : Result<void>();
}

Result<Json> TargetOptions::target(ApiClient& api, For what) const {
  JsonObject target;
  if (!device_.empty()) {
    const auto device = find_device(api, device_);
    if (!device) return fail(device);
    target["device"] = *device;
  } else if (!selector_.empty()) {
    if (const auto checked = check_selector(api, what); !checked) return fail(checked);
    target["selector"] = selector_;
  } else if (!persona_.empty()) {
    target["persona"] = persona_;
  } else if (!group_.empty()) {
    target["group"] = group_;
  } else if (policy_) {
    target["fleet"] = true;
  } else {
    return Json(nullptr);
  }
  if (policy_) target["policy"] = true;
  return Json(std::move(target));
}

std::string TargetOptions::text() const {
  if (!device_.empty()) return device_;
  if (!selector_.empty()) return selector_;
  if (!persona_.empty()) return "persona " + persona_;
  if (!group_.empty()) return "group " + group_;
  return "the whole fleet";
}

}  // namespace starling::cli
