// Purpose: turns what went wrong between here and the hub into a sentence that says what to do about it.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "cli/api_client.hpp"

namespace starling::cli {

// The hub was not reached, or the connection was lost.
Error explain_transport(const Error& error, const Connection& connection);
// The hub answered with a status of 400 or more.
Error explain_response(const http::Response& response, const Connection& connection);
// Something answered, but not as a hub does.
Error not_a_hub(const http::Response& response, const Connection& connection);

}  // namespace starling::cli
