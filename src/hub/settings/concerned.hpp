// Purpose: whom edits concern: the devices that what they write reaches, at the state that is given.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <span>
#include <vector>

#include "hub/settings/scope.hpp"

namespace starling::hub {

class Concerned {
 public:
  Concerned(const FleetState& state, std::span<const Edit> edits);
  Places places(const FleetState& state) const;

 private:
  void add(const FleetState& state, const Edit& edit);
  void add_group(const Json& body);

  std::vector<Scope> scopes_;
};

}  // namespace starling::hub
