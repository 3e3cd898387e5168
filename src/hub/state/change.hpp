// Purpose: one row of a fleet's change log. Audit trail, history, live stream and replication are all this.
// Owner: shared and immutable once appended. Thread: any. Lifetime: as long as somebody holds it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "hub/state/entity.hpp"

namespace starling::hub {

struct Edit {
  EntityKind kind = EntityKind::setting;
  std::string id;
  Json before;  // null: was absent
  Json after;   // null: is removed
};

struct Change {
  std::string fleet;
  std::int64_t revision = 0;   // 1, 2, 3, ... without gaps in each fleet
  std::int64_t at_ms = 0;      // Unix time
  std::string principal;       // "key:<id>", "device:<uuid>" or "hub"
  std::string principal_name;  // for people
  std::string action;          // "settings.set", "persona.switch", "device.register", ...
  std::string reason;          // as given by the principal; may be empty
  std::vector<Edit> edits;     // never empty

  // The form of the API and the live stream. Key entities are shown without their hash.
  Json to_json() const;
};

using SharedChange = std::shared_ptr<const Change>;

}  // namespace starling::hub
