// Purpose: one request to the agent that runs on this device, and the lines that answer it.
// Owner: whoever asks. Thread: one; blocks. Lifetime: the question's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::agent {

class ControlClient {
 public:
  // `patience`: how long next() waits for a line; 0: for ever. Errors: unavailable (nobody listens there),
  // io, invalid_argument.
  static Result<ControlClient> ask(const std::filesystem::path& state, const JsonObject& request,
                                   Seconds patience = Seconds(0));

  // nullopt: that was all. Errors: io, timed_out, invalid_argument.
  Result<std::optional<JsonObject>> next();

 private:
  explicit ControlClient(int handle) : socket_(handle) {}
  FileDescriptor socket_;
  std::string text_;
};

}  // namespace starling::agent
