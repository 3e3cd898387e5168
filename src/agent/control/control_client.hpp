// Purpose: one request to the agent that runs on this device, and the lines that answer it.
// Owner: whoever asks. Thread: one; blocks. Lifetime: the question's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::agent {

// `starling-agent ctl` with these words, asked of that agent: to be pasted into a shell.
std::string ctl_command(const std::filesystem::path& state, std::string_view words);

class ControlClient {
 public:
  static constexpr Milliseconds usual_patience{5'000};  // with an agent that may be busy

  // `patience`: how long this, and each next(), waits; 0: for ever. Errors: unavailable (nobody listens
  // there), timed_out, io, invalid_argument.
  static Result<ControlClient> ask(const std::filesystem::path& state, const JsonObject& request,
                                   Milliseconds patience);

  // nullopt: that was all. Errors: io, timed_out, invalid_argument.
  Result<std::optional<JsonObject>> next();

 private:
  ControlClient(int handle, std::filesystem::path state) : socket_(handle), state_(std::move(state)) {}
  std::unexpected<Error> hung() const;

  FileDescriptor socket_;
  std::filesystem::path state_;
  std::string text_;
};

}  // namespace starling::agent
