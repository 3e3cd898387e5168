// Purpose: the difference between two documents as RFC 7396 writes it. Arrays are replaced whole.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include "base/json.hpp"

namespace starling::protocol {

// The patch that turns `from` into `to`: apply_merge_patch(from, patch) == to. No member of an object in `to`
// may be null (no settings schema allows one).
Json make_merge_patch(const Json& from, const Json& to);
void apply_merge_patch(Json& target, const Json& patch);

}  // namespace starling::protocol
