// Purpose: the children that the keeper holds: started, listed, watched for their end, forgotten.
// Owner: Keeper. Thread: main. Lifetime: the keeper's.
#pragma once

#include <map>
#include <string>

#include "keeper/child.hpp"
#include "keeper/poller.hpp"

namespace starling::keeper {

class Children final : private Poller::Source {
 public:
  class Listener {
   public:
    virtual void spawned(const Child& child) = 0;
    virtual void spawn_failed(const std::string& id, SpawnError error) = 0;
    virtual void exited(const Child& child) = 0;

   protected:
    ~Listener() = default;
  };

  Children(const Clock& clock, Poller& poller, const Spawner& spawner, std::string notify_folder,
           Listener& listener);

  void spawn(const SpawnRequest& request);
  const Child* find(std::string_view id) const;
  bool holds(pid_t pid) const;
  int name_main(const NameMain& request);  // 0, or errno
  void forget(const std::string& id);      // an exited one
  const std::map<std::string, Child, std::less<>>& all() const { return children_; }

  void collect();  // a child of the keeper's may have ended

 private:
  using Table = std::map<std::string, Child, std::less<>>;
  void ready(std::uint32_t events) override;
  void settle();
  void tell_end(Child& child);  // if it has ended
  std::optional<SpawnError> refusal(const SpawnRequest& request) const;
  Table::iterator settle(Table::iterator at);  // how exec went, if it is known; gives the next

  const Clock& clock_;
  Poller& poller_;
  const Spawner& spawner_;
  std::string notify_folder_;
  Listener& listener_;
  FileDescriptor nothing_;  // /dev/null
  Table children_;
};

}  // namespace starling::keeper
