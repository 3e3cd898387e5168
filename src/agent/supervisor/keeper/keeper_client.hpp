// Purpose: the keeper, as the supervisor speaks to it, over the keeper's socket (docs/keeper-protocol.md).
// Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
//
// The connection is made again, for ever, when it is lost; requests in between are dropped, as the port says.
// It is also made again, ever more rarely, while descriptors that the keeper sends do not arrive, because the
// agent has too many files open: the keeper sends them with each list. Until then a child is without them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/supervisor/keeper/keeper_port.hpp"
#include "base/task_group.hpp"
#include "keeper/protocol.hpp"

namespace starling::agent {

// After which an agent of which the keeper hears nothing is taken to hang. It has to be longer than a card
// takes to write what is large.
inline constexpr Milliseconds silence_of_a_hang{120'000};

class KeeperClient final : public KeeperPort {
 public:
  // A keeper that does not read is left, and connected to anew, when this much waits for it.
  static constexpr std::size_t max_unsent_bytes = 4u << 20;

  // `socket`: the value of STARLING_KEEPER.
  KeeperClient(const asio::any_io_executor& executor, std::filesystem::path socket, Logger log);
  ~KeeperClient() override;

  // While connected, a keeper that can do so ends the agent when alive() has not been called for so long: it
  // hangs. 0, as at first: it is not watched.
  void watch(Milliseconds within);
  void alive();

  // Connects, and says to `listener`, which outlives this, whatever the keeper tells. Errors:
  // invalid_argument (the path is too long for a socket).
  Result<void> start(KeeperListener& listener);
  asio::awaitable<void> stop();

  void spawn(SpawnRequest request) override;
  void signal(std::string_view id, int number, SignalScope scope) override;
  void name_main(std::string_view id, std::int32_t pid, std::uint64_t start_time) override;
  void forget(std::string_view id) override;
  void list() override;
  void healthy() override;
  void stopping(Milliseconds within) override;

 private:
  struct Connection;
  struct Packet;

  asio::awaitable<void> run();
  std::shared_ptr<Connection> connect();
  asio::awaitable<void> read(std::shared_ptr<Connection> connection);
  asio::awaitable<void> write(std::shared_ptr<Connection> connection);
  asio::awaitable<void> tell_refusal(SpawnFailure failure);
  asio::awaitable<void> tell_main_refused(ChildId id, std::int32_t pid);
  asio::awaitable<void> leave(std::shared_ptr<Connection> connection, Milliseconds pause);
  void send(const keeper::Request& request);
  void received(Packet packet);
  KeptChild take(keeper::HeldChild child, std::vector<FileDescriptor> descriptors);

  asio::any_io_executor executor_;
  std::filesystem::path socket_;
  Logger log_;
  TaskGroup tasks_;
  KeeperListener* listener_ = nullptr;
  std::shared_ptr<Connection> connection_;  // shared with its writer, which may outlive it by a turn
  KeeperGreeting greeting_;
  Milliseconds watch_{0};
  std::vector<KeptChild> listing_;  // what has come of a list that has not ended
  Milliseconds leave_pause_;        // until descriptors that did not arrive are asked for
};

}  // namespace starling::agent
