#include "agent/control/doctor.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cerrno>
#include <cstring>

#include "agent/control/control_server.hpp"
#include "agent/identity.hpp"
#include "agent/update/device_time.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/http/client.hpp"

namespace starling::agent {
namespace {

using Kind = Finding::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::uint64_t little_space = 200 * mebibyte, no_space = 20 * mebibyte;

Finding state_folder(const fs::path& state) {
  if (::access(state.c_str(), R_OK | W_OK | X_OK) == 0)
    return {Kind::good, "the state folder is readable", {}};
  const int reason = errno;
  return {Kind::problem, fmt::format("{}: {}", state.string(), std::strerror(reason)),
          reason == ENOENT ? "is --state the folder that the agent is started with?"
          : reason == EROFS
              ? "the card is mounted read-only, often because it is worn out: look into dmesg, replace it"
              : "run this as the agent's user, or with sudo"};
}

Finding disk_space(const fs::path& state) {
  struct statvfs room {};
  if (::statvfs(state.c_str(), &room) != 0) return {Kind::problem, "the disk cannot be asked", {}};
  const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
  std::string what = fmt::format("{} MiB of disk are free", free / mebibyte);
  if (free < no_space) return {Kind::problem, std::move(what), "settings can no longer be saved: free some"};
  if (free < little_space) return {Kind::warning, std::move(what), "a release may not fit: free some"};
  return {Kind::good, std::move(what), {}};
}

Finding identity(const fs::path& state) {
  constexpr std::size_t max_bytes = 64 * 1024;
  const auto text = read_file(state / Identity::path, max_bytes);
  if (!text && text.error().code == ErrorCode::not_found) {
    return {Kind::problem, "this device has no identity yet: the agent has never run on this folder",
            "start the agent; systemctl status starling-agent says why it does not start"};
  }
  const auto parsed = text ? parse_json(*text) : Result<Json>(std::unexpected(text.error()));
  if (!parsed || !parsed->is_object()) {
    return {Kind::problem, "identity.json cannot be read: " + (parsed ? "no object" : parsed.error().message),
            "start the agent: its message says how a lost identity is replaced"};
  }
  const Json* id = parsed->get_object().if_contains("device_id");
  return {Kind::good,
          "this device is " + (id != nullptr && id->is_string() ? std::string(id->get_string()) : "unknown"),
          {}};
}

Finding enrolment(const fs::path& state) {
  if (fs::exists(state / Identity::token_path)) return {Kind::good, "the hub has enrolled this device", {}};
  return {Kind::warning, "no hub has enrolled this device yet",
          "the agent needs a valid STARLING_ENROLMENT_KEY and a way to its hub; its log says what failed"};
}

Finding clock() {
  if (clock_is_synchronised()) return {Kind::good, "the clock is kept right by NTP", {}};
  return {Kind::warning, "the clock is not synchronised: releases wait until the hub or NTP says the time",
          "timedatectl says what is wrong; UDP port 123 has to be open"};
}

Finding running(const fs::path& state) {
  const std::string path = (state / ControlServer::socket_name).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (path.size() < sizeof(address.sun_path)) {
    path.copy(address.sun_path, path.size());
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return {Kind::good, "an agent with modules runs", {}};
    }
  }
  return {Kind::warning, fmt::format("no agent with modules answers on {}", path),
          "systemctl status starling-agent; without --modules an agent has no such socket"};
}

std::string advice_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::permission_denied:
      return "the hub's certificate is not the one that is pinned: compare STARLING_PIN with what the hub "
             "prints at its start";
    case ErrorCode::timed_out: return "something drops what is sent there: a firewall, or a wrong address";
    default:
      return "is the address right, does the hub run, is the network up (ip route, getent hosts NAME)?";
  }
}

Finding hub(const Patient& patient) {
  if (patient.hub.empty()) {
    return {Kind::warning, "the way to the hub was not tried", "give --hub and --pin, as the agent has them"};
  }
  const auto url = http::Url::parse(patient.hub);
  if (!url) return {Kind::problem, "the hub's address is wrong: " + url.error().message, "https://HOST:PORT"};
  asio::io_context context(1);
  http::Client client(context.get_executor(), *url, {patient.pins});
  http::Client::Call call;
  call.target = "/healthz";
  constexpr std::size_t max_answer = 64 * 1024;
  call.max_response_bytes = max_answer;
  auto answer = asio::co_spawn(context, client.call(std::move(call)), asio::use_future);
  context.run();
  const auto response = answer.get();
  if (!response) {
    return {Kind::problem,
            fmt::format("the hub {} cannot be reached: {}", patient.hub, response.error().message),
            advice_for(response.error())};
  }
  constexpr int ok = 200;
  if (response->status == ok) return {Kind::good, fmt::format("the hub {} answers", patient.hub), {}};
  return {Kind::problem, fmt::format("{} answers with status {}", patient.hub, response->status),
          "this may be another program's port, or a proxy that is not set up"};
}

}  // namespace

std::vector<Finding> examine(const Patient& patient) {
  std::vector<Finding> findings = {state_folder(patient.state)};
  if (findings.front().kind == Kind::good) {
    findings.push_back(disk_space(patient.state));
    findings.push_back(identity(patient.state));
    findings.push_back(enrolment(patient.state));
    findings.push_back(running(patient.state));
  }
  findings.push_back(clock());
  findings.push_back(hub(patient));
  return findings;
}

}  // namespace starling::agent
