// Purpose: the answer to whoever asks too often.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include "base/clock.hpp"
#include "base/http/message.hpp"

namespace starling::hub {

http::Response too_many(Seconds wait);

}  // namespace starling::hub
