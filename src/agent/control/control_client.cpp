#include "agent/control/control_client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "agent/control/control_server.hpp"
#include "base/json_text.hpp"
#include "base/shell_word.hpp"

namespace starling::agent {

namespace {

timeval to_timeval(Milliseconds time) {
  const auto seconds = std::chrono::floor<Seconds>(time);
  return {.tv_sec = seconds.count(), .tv_usec = std::chrono::microseconds(time - seconds).count()};
}

}  // namespace

std::string ctl_command(const std::filesystem::path& state, std::string_view words) {
  return fmt::format("starling-agent ctl --state {} {}", shell_word(state.string()), words);
}

Result<ControlClient> ControlClient::ask(const std::filesystem::path& state, const JsonObject& request,
                                         Milliseconds patience) {
  ControlClient client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), state);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (state / ControlServer::socket_name).string();
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::invalid_argument, "the path is too long for a socket: " + path);
  }
  path.copy(address.sun_path, path.size());
  const int handle = client.socket_.number();
  const timeval limit = to_timeval(patience);
  // The one for sending holds for connect(), too: many may wait already.
  for (const int waiting : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(handle, SOL_SOCKET, waiting, &limit, sizeof(limit));
  if (::connect(handle, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == EAGAIN) return client.hung();
    return fail(ErrorCode::unavailable,
                fmt::format("no agent with modules answers on {}: {}. Does it run, with --modules, and is "
                            "--state its folder?",
                            path, std::strerror(errno)));
  }
  const std::string line = json_text(request) + "\n";
  if (::send(handle, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    if (errno == EAGAIN) return client.hung();
    return fail(ErrorCode::io, std::string("the agent does not take the request: ") + std::strerror(errno));
  }
  return client;
}

Result<std::optional<JsonObject>> ControlClient::next() {
  std::size_t end = 0;
  while ((end = text_.find('\n')) == std::string::npos) {
    char chunk[8192];
    const ssize_t count = ::recv(socket_.number(), chunk, sizeof(chunk), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return hung();
    if (count < 0) return fail(ErrorCode::io, std::string("the agent went away: ") + std::strerror(errno));
    if (count == 0) return std::nullopt;
    text_.append(chunk, static_cast<std::size_t>(count));
  }
  const auto parsed = parse_json(std::string_view(text_).substr(0, end));
  text_.erase(0, end + 1);
  if (!parsed) return fail(parsed);
  if (!parsed->is_object()) return fail(ErrorCode::invalid_argument, "the agent said something else");
  return parsed->get_object();
}

std::unexpected<Error> ControlClient::hung() const {
  return fail(ErrorCode::timed_out, fmt::format("the agent at {} does not answer", state_.string()));
}

}  // namespace starling::agent
