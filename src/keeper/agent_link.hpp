// Purpose: the socket on which the agent talks to the keeper; one packet is one message.
// Owner: Keeper. Thread: main. Lifetime: the keeper's; the socket's file is removed with it.
//
// The newest connection that has said hello is the agent's: an older one is closed then. While reports wait
// because the agent does not read, its requests are not read either: so no more can wait than there are
// children, and whatever is lost with a connection is told anew in the next one.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "keeper/log.hpp"
#include "keeper/poller.hpp"
#include "keeper/protocol.hpp"

namespace starling::keeper {

class AgentLink {
 public:
  class Receiver {
   public:
    virtual void attached() = 0;  // the agent has said hello
    virtual void requested(const Request& request) = 0;
    virtual void detached() = 0;

   protected:
    ~Receiver() = default;
  };

  // Errors: invalid_argument (the path is too long for a socket), io.
  static Result<std::unique_ptr<AgentLink>> listen(const std::string& path, Poller& poller,
                                                   Receiver& receiver, const Log& log);
  ~AgentLink();

  bool is_attached() const { return static_cast<bool>(connection_.socket); }
  // Unless an agent is attached, nothing happens. The descriptors stay the caller's, and open until the agent
  // has read: nobody but the agent can have them closed, and it is not heard before.
  void send(const Report& report, std::vector<int> descriptors = {});

 private:
  AgentLink(std::string path, FileDescriptor socket, Poller& poller, Receiver& receiver, const Log& log);

  struct Waiting {
    std::string packet;
    std::vector<int> descriptors;
  };
  struct Listener final : Poller::Source {
    explicit Listener(AgentLink& l) : link(l) {}
    void ready(std::uint32_t events) override;
    AgentLink& link;
    FileDescriptor socket;
  };
  struct Newcomer final : Poller::Source {  // has not said hello; the next one takes its place
    explicit Newcomer(AgentLink& l) : link(l) {}
    void ready(std::uint32_t events) override;
    AgentLink& link;
    FileDescriptor socket;
  };
  struct Connection final : Poller::Source {
    explicit Connection(AgentLink& l) : link(l) {}
    void ready(std::uint32_t events) override;
    AgentLink& link;
    FileDescriptor socket;
    std::deque<Waiting> outbox;
  };

  void accept();
  void greet();
  void receive();
  void flush();
  void drop();
  void drop_newcomer();

  std::string path_;
  Poller& poller_;
  Receiver& receiver_;
  const Log& log_;
  Listener listener_;
  Newcomer newcomer_;
  Connection connection_;
};

}  // namespace starling::keeper
