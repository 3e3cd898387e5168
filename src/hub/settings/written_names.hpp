// Purpose: by the keys that a change or a rollout writes: whether what a device says is an answer to that.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "hub/state/fleet_state.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

struct RolloutPlan;

// As the progress of a change names a device that has none of what is written.
inline constexpr std::string_view lacks_component = "lacks_component";
inline constexpr std::string_view lacks_module = "lacks_module";

// The components and modules whose settings are written, if nothing else is: who has declared none of them
// has what is desired, but cannot be said to have applied it.
class WrittenNames {
 public:
  explicit WrittenNames(const Change& change);
  explicit WrittenNames(const RolloutPlan& rollout);

  // Nothing: the device has one of them.
  std::optional<std::string_view> lacked_by(const DeviceRecord* record) const;
  // Whether what a device says of one module, or of its whole section, is an answer to this.
  bool concerned_by(const protocol::KeyError& error) const;

  using Names = std::set<std::string, std::less<>>;
  const Names& modules() const { return modules_; }
  const Names& enabled_modules() const { return enabled_; }  // those of them that it enables
  bool tells_all() const { return !others_; }                // nothing in it but what has a name here

 private:
  void add(std::string_view key, const Json& value);
  static bool declares(const Names& names, std::string_view declared);

  Names components_;
  Names modules_, enabled_;
  bool software_ = false;  // which every device has
  bool others_ = false;    // and what cannot be told by its name
};

}  // namespace starling::hub
