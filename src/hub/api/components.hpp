// Purpose: /api/v1/components: the schemas of a fleet's settings.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Components {
 public:
  void add_to(Router& router);

 private:
  Reply list(const Call& call);
  Reply get(const Call& call);
};

}  // namespace starling::hub
