// Purpose: the options that say whom a command concerns.
// Owner: the command that has them. Thread: one. Lifetime: the command's.
#pragma once

#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/command.hpp"

namespace starling::cli {

// The devices of a target object, as parameters of a read.
Parameters query_of_target(const Json& target);

class TargetOptions {
 public:
  // one_needed: a device or a selector must be given; device_and_selector: without, it is for the whole
  // fleet; both are for actions, which are for those that match now: that there is none is an error;
  // nobody_too: without, it is for nobody; persona: what is written lasts, for whoever will match, and so
  // nobody matching now is an error without --future; settings: the same, and also --persona and --policy.
  enum class With { one_needed, nobody_too, device_and_selector, group_too, persona, settings };
  enum class For { something, taking_away };  // what is taken away waits for nobody

  void add_to(CLI::App& app, With with);

  bool empty() const;
  // The API's target object; devices are looked up. Null: no target was given. Errors: not_found (no such
  // device, or no device that matches), invalid_argument (a device's name in place of labels).
  Result<Json> target(ApiClient& api, For what = For::something) const;
  // "room=nursery", "bear-1", "the whole fleet".
  std::string text() const;

 private:
  Result<void> check_selector(ApiClient& api, For what) const;

  std::string selector_, device_, persona_, group_;
  bool policy_ = false;
  bool lasts_ = false;
  bool once_ = false;  // and not for those that come later
  bool future_ = false;
};

}  // namespace starling::cli
