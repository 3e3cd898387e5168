// Purpose: how a request changes a fleet's releases: on the repositories' worker first, then in the change
// log. Owner: none. Thread: the hub's. Lifetime: that of the request.
#pragma once

#include <string>

#include "hub/api/services.hpp"
#include "hub/releases/repositories.hpp"

namespace starling::hub {

// Errors: unavailable (this hub keeps no releases).
Result<Repositories*> repositories_of(const Services& services);

// On the worker. Errors: those of the work, unavailable.
asio::awaitable<Result<void>> perform(Services& services, std::string fleet, Repositories::Work work,
                                      Repositories::Wait wait = Repositories::Wait::if_room);
// And then as this principal's doing in the log, if it has changed anything.
asio::awaitable<Result<void>> change_releases(Services& services, const Call& call, Repositories::Work work,
                                              std::string action, std::string reason = {},
                                              Repositories::Wait wait = Repositories::Wait::if_room);
// When devices take a published release. Errors: invalid_argument (no policy that devices could read),
// not_found, those of ChainWriter.
asio::awaitable<Result<void>> schedule_release(Services& services, const Call& call, std::string version,
                                               JsonObject policy, std::string reason);

}  // namespace starling::hub
