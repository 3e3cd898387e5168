#include "agent/supervisor/keeper/keeper_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include "agent/supervisor/keeper/keeper_reports.hpp"
#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_descriptors = 8;  // more than any message has
constexpr Milliseconds reconnect_pause{200};
constexpr Milliseconds first_leave_pause{200}, longest_leave_pause{60'000};
using Stream = asio::posix::stream_descriptor;

}  // namespace

struct KeeperClient::Packet {
  std::string text;  // empty: the connection has ended
  std::vector<FileDescriptor> descriptors;
};

struct KeeperClient::Connection {
  Connection(const asio::any_io_executor& executor, int socket) : stream(executor, socket) {}

  // Nothing: it would have to wait.
  std::optional<Packet> receive();
  // Whether it has gone; false: it would have to wait. What cannot be sent at all is for the reader to find
  // out.
  bool try_send(const std::string& packet);
  void close() {
    boost::system::error_code ignored;
    stream.close(ignored);
  }

  Stream stream;
  std::deque<std::string> unsent;
  std::size_t unsent_bytes = 0;
  bool incomplete = false;  // descriptors did not arrive
};

std::optional<KeeperClient::Packet> KeeperClient::Connection::receive() {
  Packet packet;
  packet.text.resize(keeper::max_packet_bytes);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control{};
  iovec into{packet.text.data(), packet.text.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(stream.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  packet.text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  if (got <= 0) return packet;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; at + sizeof(int) <= header->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + at, sizeof(descriptor));
      packet.descriptors.emplace_back(descriptor);
    }
  }
  return packet;
}

bool KeeperClient::Connection::try_send(const std::string& packet) {
  const ssize_t sent =
      ::send(stream.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent >= 0 || (errno != EAGAIN && errno != EINTR);
}

KeeperClient::KeeperClient(const asio::any_io_executor& executor, std::filesystem::path socket, Logger log)
    : executor_(executor),
      socket_(std::move(socket)),
      log_(log),
      tasks_(executor, log),
      leave_pause_(first_leave_pause) {}

KeeperClient::~KeeperClient() = default;

Result<void> KeeperClient::start(KeeperListener& listener) {
  if (socket_.string().size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::invalid_argument,
                "STARLING_KEEPER is too long for the path of a socket: " + socket_.string());
  }
  listener_ = &listener;
  tasks_.start("keeper client", run());
  return {};
}

asio::awaitable<void> KeeperClient::stop() {
  co_await tasks_.stop();
  connection_.reset();
}

asio::awaitable<void> KeeperClient::run() {
  bool complained = false;
  while (true) {
    connection_ = connect();
    if (connection_) {
      send(keeper::Hello{});
      co_await read(connection_);
      connection_.reset();
      greeting_ = {};
      listing_.clear();
      complained = false;
    } else if (!std::exchange(complained, true)) {
      log_.error("the keeper cannot be reached; modules are left as they are until it is",
                 {{"socket", socket_.string()}, {"error", std::strerror(errno)}});
    }
    asio::steady_timer pause(executor_, reconnect_pause);
    const auto [stopped] = co_await pause.async_wait(tuple_awaitable);
    if (stopped) co_return;
  }
}

std::shared_ptr<KeeperClient::Connection> KeeperClient::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_.c_str(), sizeof(address.sun_path) - 1);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return nullptr;
  }
  return std::make_shared<Connection>(executor_, socket.release());
}

asio::awaitable<void> KeeperClient::read(std::shared_ptr<Connection> connection) {
  while (true) {
    const auto [error] = co_await connection->stream.async_wait(Stream::wait_read, tuple_awaitable);
    if (error && !connection->stream.is_open()) break;  // closed here: the keeper did not read
    if (error) co_return;                               // stopping
    std::optional<Packet> packet = connection->receive();
    if (!packet) continue;
    if (packet->text.empty()) break;
    received(std::move(*packet));
  }
  connection->close();
  log_.warning("the connection to the keeper is lost");
  connection_.reset();
  listener_->lost();
}

void KeeperClient::received(Packet packet) {
  Result<keeper::Report> report = keeper::parse_report(packet.text);
  if (!report) {
    log_.warning("the keeper said what cannot be understood", {{"error", report.error().message}});
  } else if (auto* exited = std::get_if<keeper::Exited>(&*report)) {
    listener_->exited(exited->id, from_keeper(exited->exit));
  } else if (auto* spawned = std::get_if<keeper::Spawned>(&*report)) {
    listener_->spawned(take(std::move(spawned->child), std::move(packet.descriptors)));
  } else if (auto* failed = std::get_if<keeper::SpawnFailed>(&*report)) {
    listener_->spawn_failed(from_keeper(std::move(*failed)));
  } else if (auto* unsent = std::get_if<keeper::SignalFailed>(&*report)) {
    listener_->signal_failed(unsent->id, unsent->error);
  } else if (auto* main = std::get_if<keeper::MainTaken>(&*report)) {
    listener_->main_taken(main->id, main->pid, main->start);
  } else if (auto* refused = std::get_if<keeper::MainRefused>(&*report)) {
    listener_->main_refused(refused->id, refused->pid, refused->error);
  } else if (auto* welcome = std::get_if<keeper::Welcome>(&*report)) {
    greeting_ = from_keeper(*welcome);
    alive();
  } else if (auto* listed = std::get_if<keeper::ChildListed>(&*report)) {
    listing_.push_back(take(std::move(listed->child), std::move(packet.descriptors)));
  } else if (std::holds_alternative<keeper::Listed>(*report)) {
    if (!connection_->incomplete) leave_pause_ = first_leave_pause;
    listener_->attached(greeting_, std::exchange(listing_, {}));
  } else if (std::holds_alternative<keeper::Stop>(*report)) {
    listener_->stop_asked();
  } else if (auto* problem = std::get_if<keeper::Problem>(&*report)) {
    log_.warning("the keeper refuses a request", {{"why", problem->message}});
  } else if (auto* unsupported = std::get_if<keeper::Unsupported>(&*report)) {
    log_.warning("the keeper is older than the agent", {{"does_not_know", unsupported->verb}});
  }
}

KeptChild KeeperClient::take(keeper::HeldChild child, std::vector<FileDescriptor> descriptors) {
  if (descriptors.size() < child.handles.size()) {
    log_.error("output or notify socket of a module did not arrive: the agent has too many files open",
               {{"child", child.id}});
    if (!std::exchange(connection_->incomplete, true)) {
      tasks_.start("keeper anew", leave(connection_, leave_pause_));
      leave_pause_ = std::min(2 * leave_pause_, longest_leave_pause);
    }
  }
  return from_keeper(std::move(child), std::move(descriptors));
}

asio::awaitable<void> KeeperClient::leave(std::shared_ptr<Connection> connection, Milliseconds pause) {
  asio::steady_timer waiting(executor_, pause);
  const auto [stopped] = co_await waiting.async_wait(tuple_awaitable);
  if (!stopped) connection->close();
}

asio::awaitable<void> KeeperClient::write(std::shared_ptr<Connection> connection) {
  while (!connection->unsent.empty()) {
    const auto [error] = co_await connection->stream.async_wait(Stream::wait_write, tuple_awaitable);
    if (error) co_return;
    while (!connection->unsent.empty() && connection->try_send(connection->unsent.front())) {
      connection->unsent_bytes -= connection->unsent.front().size();
      connection->unsent.pop_front();
    }
  }
}

void KeeperClient::send(const keeper::Request& request) {
  if (!connection_) return;
  Result<std::string> packet = keeper::encode(request);
  if (!packet)
    return log_.error("a request to the keeper cannot be written", {{"error", packet.error().message}});
  if (connection_->unsent.empty() && connection_->try_send(*packet)) return;
  const bool writing = !connection_->unsent.empty();
  connection_->unsent_bytes += packet->size();
  connection_->unsent.push_back(std::move(*packet));
  if (connection_->unsent_bytes > max_unsent_bytes) {
    log_.warning("the keeper does not read what it is sent and is connected to anew");
    return connection_->close();
  }
  if (!writing) tasks_.start("keeper writer", write(connection_));
}

void KeeperClient::watch(Milliseconds within) {
  watch_ = within;
}

void KeeperClient::alive() {
  const bool knows_it = greeting_.version >= static_cast<int>(keeper::first_version_with_watch);
  if (watch_ > Milliseconds(0) && knows_it) send(keeper::Watch{static_cast<std::uint64_t>(watch_.count())});
}

void KeeperClient::spawn(SpawnRequest request) {
  if (!connection_) return;
  const ChildId id = request.id;
  const keeper::Request wanted = to_keeper(std::move(request));
  if (const Result<std::string> packet = keeper::encode(wanted); !packet) {
    log_.error("a module cannot be started as its manifest says",
               {{"child", id}, {"error", packet.error().message}});
    const int error = packet.error().code == ErrorCode::too_large ? E2BIG : EINVAL;
    tasks_.start("refused spawn", tell_refusal({.id = id, .step = SpawnStep::request, .error = error}));
    return;
  }
  send(wanted);
}

asio::awaitable<void> KeeperClient::tell_refusal(SpawnFailure failure) {
  co_await asio::post(executor_, asio::use_awaitable);  // not from within the call
  listener_->spawn_failed(failure);
}

void KeeperClient::signal(std::string_view id, int number, SignalScope scope) {
  send(keeper::SignalRequest{std::string(id), number, to_keeper(scope)});
}

void KeeperClient::name_main(std::string_view id, std::int32_t pid, std::uint64_t start_time) {
  if (!connection_) return;
  if (greeting_.version >= static_cast<int>(keeper::first_version_with_main)) {
    send(keeper::NameMain{std::string(id), pid, start_time});
  } else {
    tasks_.start("refused main process", tell_main_refused(ChildId(id), pid));
  }
}

asio::awaitable<void> KeeperClient::tell_main_refused(ChildId id, std::int32_t pid) {
  co_await asio::post(executor_, asio::use_awaitable);  // not from within the call
  listener_->main_refused(id, pid, EPROTONOSUPPORT);
}

void KeeperClient::forget(std::string_view id) {
  send(keeper::Forget{std::string(id)});
}

void KeeperClient::list() {
  send(keeper::List{});
}

void KeeperClient::healthy() {
  send(keeper::Healthy{});
}

void KeeperClient::stopping(Milliseconds within) {
  send(keeper::Stopping{static_cast<std::uint64_t>(within.count())});
}

}  // namespace starling::agent
