#include "hub/api/too_many.hpp"

#include <fmt/format.h>

namespace starling::hub {

http::Response too_many(Seconds wait) {
  http::Response response = http::problem_response(
      {ErrorCode::rate_limited, fmt::format("too many requests; try again in {} s", wait.count()), {}});
  response.headers.set("Retry-After", std::to_string(wait.count()));
  return response;
}

}  // namespace starling::hub
