// Purpose: the supervisor's words for what stands in the keeper's messages, and the other way round.
// Owner: values. Thread: any. Lifetime: none.
// Inner header of keeper_client.cpp.
#pragma once

#include <vector>

#include "agent/supervisor/keeper/keeper_port.hpp"
#include "keeper/protocol.hpp"

namespace starling::agent {

keeper::SpawnRequest to_keeper(SpawnRequest request);
keeper::SignalScope to_keeper(SignalScope scope);

ChildExit from_keeper(const keeper::Exit& exit);
// `descriptors` are those that came with the child, in the order of its handles.
KeptChild from_keeper(keeper::HeldChild child, std::vector<FileDescriptor> descriptors);
SpawnFailure from_keeper(keeper::SpawnFailed failed);
KeeperGreeting from_keeper(const keeper::Welcome& welcome);

}  // namespace starling::agent
