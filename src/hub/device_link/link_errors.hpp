// Purpose: what a device is told of messages that the hub cannot use.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "protocol/messages.hpp"

namespace starling::hub {

protocol::LinkError bad_message(const Error& error);  // bounded, whatever was sent
protocol::LinkError unknown_type(const protocol::Unknown& message);

}  // namespace starling::hub
