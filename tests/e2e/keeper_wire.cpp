#include "e2e/keeper_wire.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace starling::e2e {
namespace {

FileDescriptor connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  FileDescriptor socket;
  eventually("the keeper to listen", [&] {
    socket = FileDescriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    return ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  });
  return socket;
}

void await(const FileDescriptor& descriptor, std::string_view what) {
  pollfd waited{descriptor.number(), POLLIN, 0};
  const auto patience_ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  if (::poll(&waited, 1, static_cast<int>(patience_ms)) != 1) {
    throw std::runtime_error("waited in vain: " + std::string(what));
  }
}

std::vector<FileDescriptor> descriptors_of(msghdr& message) {
  std::vector<FileDescriptor> descriptors;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(descriptor);
    }
  }
  return descriptors;
}

ToldChild told(keeper::HeldChild child, std::vector<FileDescriptor> descriptors) {
  if (child.handles.size() != descriptors.size()) throw std::runtime_error("descriptors are missing");
  ToldChild result;
  static_cast<keeper::HeldChild&>(result) = std::move(child);
  result.descriptors = std::move(descriptors);
  return result;
}

// The parent and state of /proc/PID/stat.
std::pair<pid_t, char> stat_of(pid_t pid) {
  const std::string text = read_text("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return {0, 'X'};
  return {std::stoi(text.substr(bracket + 4)), text[bracket + 2]};
}

}  // namespace

FileDescriptor& ToldChild::handle(keeper::Handle wanted) {
  const auto found = std::ranges::find(handles, wanted);
  if (found == handles.end()) throw std::runtime_error("the keeper did not send that descriptor");
  return descriptors[static_cast<std::size_t>(found - handles.begin())];
}

KeeperWire::KeeperWire(const std::filesystem::path& socket) : socket_(connect_to(socket)) {}

void KeeperWire::send(const keeper::Request& request) {
  const auto packet = keeper::encode(request);
  if (!packet) throw std::runtime_error(packet.error().message);
  send_raw(*packet);
}

void KeeperWire::send_raw(std::string_view packet) {
  if (::send(socket_.number(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    throw std::system_error(errno, std::generic_category(), "sending to the keeper");
  }
}

bool KeeperWire::try_send_raw(std::string_view packet) {
  return ::send(socket_.number(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

KeeperReport KeeperWire::receive() {
  await(socket_, "the keeper's report");
  std::array<char, keeper::max_packet_bytes> bytes{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  iovec into{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.number(), &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) throw std::runtime_error("the keeper has closed the connection");
  auto report = keeper::parse_report(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
  if (!report) throw std::runtime_error("a report that cannot be read: " + report.error().message);
  return {std::move(*report), descriptors_of(message)};
}

bool KeeperWire::is_closed() {
  try {
    for (;;)
      receive();
  } catch (const std::runtime_error&) {
    return true;
  }
}

keeper::Welcome KeeperWire::hello() {
  send(keeper::Hello{});
  welcome_ = expect<keeper::Welcome>();
  read_list();
  return welcome_;
}

std::vector<ToldChild> KeeperWire::list() {
  send(keeper::List{});
  read_list();
  return std::move(children_);
}

void KeeperWire::read_list() {
  children_.clear();
  for (;;) {
    KeeperReport got = receive();
    if (std::holds_alternative<keeper::Listed>(got.report)) return;
    auto& listed = std::get<keeper::ChildListed>(got.report);
    children_.push_back(told(std::move(listed.child), std::move(got.descriptors)));
  }
}

ToldChild KeeperWire::expect_spawned() {
  KeeperReport got = receive();
  if (auto* spawned = std::get_if<keeper::Spawned>(&got.report)) {
    return told(std::move(spawned->child), std::move(got.descriptors));
  }
  throw std::runtime_error("not spawned: " + *keeper::encode(got.report));
}

ToldChild KeeperWire::spawn(const keeper::SpawnRequest& request) {
  send(request);
  return expect_spawned();
}

keeper::SpawnFailed KeeperWire::spawn_in_vain(const keeper::SpawnRequest& request) {
  send(request);
  return expect<keeper::SpawnFailed>();
}

std::string read_pipe(const FileDescriptor& pipe, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    await(pipe, "output behind: " + text);
    char chunk[4096];
    const ssize_t got = ::read(pipe.number(), chunk, std::min(sizeof(chunk), size - text.size()));
    if (got <= 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return text;
}

std::string read_line(const FileDescriptor& pipe) {
  std::string line;
  for (std::string byte = read_pipe(pipe, 1); !byte.empty() && byte != "\n"; byte = read_pipe(pipe, 1))
    line += byte;
  return line;
}

bool process_is_there(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

bool process_is_alive(pid_t pid) {
  const char state = stat_of(pid).second;
  return state != 'Z' && state != 'X';
}

pid_t parent_of(pid_t pid) {
  return stat_of(pid).first;
}

}  // namespace starling::e2e
