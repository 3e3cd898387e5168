// Purpose: the one way in which a function says that it failed.
// Owner: values, copied and moved freely. Thread: any. Lifetime: none beyond the value.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace starling {

// What kind of failure it is, as far as a caller can act on it. The HTTP API maps each to one status.
enum class ErrorCode {
  invalid_argument,   // the input is wrong; sending it again will not help
  malformed,          // the input cannot even be read
  unauthenticated,    // no valid credential
  permission_denied,  // a valid credential without the grant
  not_found,
  already_exists,
  conflict,             // lost a race: read again, then retry
  failed_precondition,  // the input is fine, the state does not allow it
  too_large,
  rate_limited,
  unavailable,  // try again later
  timed_out,
  corrupted,  // stored bytes are not what was written
  io,         // the operating system refused
  internal,   // a bug
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // what failed, why, what to do: one sentence for the person who can act
  std::string field;    // the path of the offending field in the input, as a JSON pointer; empty if none

  // Puts what was being done in front: "reading /x/y: no such file".
  Error within(std::string_view context) const;
};

template <typename T>
using Result = std::expected<T, Error>;

// Usage: return fail(ErrorCode::not_found, "no persona is called 'TARS'");
inline std::unexpected<Error> fail(ErrorCode code, std::string message, std::string field = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(field)});
}

// Passes on the error of a failed result of another type.
template <typename T>
std::unexpected<Error> fail(const Result<T>& failed) {
  return std::unexpected(failed.error());
}
template <typename T>
std::unexpected<Error> fail(const Result<T>& failed, std::string_view context) {
  return std::unexpected(failed.error().within(context));
}

}  // namespace starling
