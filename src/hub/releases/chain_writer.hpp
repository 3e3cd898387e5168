// Purpose: the next state of a fleet's TUF repository: what the hub signs by itself around what operators
// signed, checked as a client checks it before anybody sees it. No I/O.
// Owner: Repository. Thread: any. Lifetime: the keys outlive it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "hub/releases/online_keys.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

class ChainWriter {
 public:
  // How long the hub's signatures hold, and from when on they are renewed: well before a device could meet
  // one that has expired, also after days in which the hub was off.
  static constexpr std::chrono::days timestamp_life{7}, timestamp_renewal{5};
  static constexpr std::chrono::days snapshot_life{30}, snapshot_renewal{20};  // schedule likewise
  static constexpr std::chrono::days targets_life{730}, targets_renewal{365};

  explicit ChainWriter(const OnlineKeys& keys) : keys_(keys) {}

  struct Wish {
    std::vector<std::string> roots;               // further ones, in order, as their owners signed them
    std::optional<std::string> targets;           // likewise
    ReleaseTars releases;                         // to be signed here
    std::map<std::string, JsonObject> schedules;  // version → policy
  };
  struct Next {
    Chain chain;
    std::vector<std::pair<std::int64_t, std::string>> new_roots;
    std::map<std::string, std::string> contents;  // new small targets, by hash
    bool changed = false;
  };
  // Errors: invalid_argument, unauthenticated, conflict, failed_precondition (expired, or a key that this hub
  // does not hold), corrupted; nothing of it is to be published then.
  Result<Next> next(const RepositoryView& present, Wish wish, WallTime now) const;

  // Whether targets signed by this hub's key alone are trusted.
  bool signs_targets(const protocol::tuf::Root& root) const;

 private:
  struct Work;
  Result<void> take_roots(Work& work, std::vector<std::string> roots) const;
  Result<void> take_targets(Work& work, std::optional<std::string> targets,
                            const ReleaseTars& releases) const;
  Result<void> check_root(const protocol::tuf::Root& root) const;
  Result<void> check_targets(const Work& work, const protocol::tuf::Targets& targets) const;
  Result<void> write_targets(Work& work, const ReleaseTars& releases) const;
  Result<void> write_schedule(Work& work, std::map<std::string, JsonObject> schedules) const;
  Result<void> write_snapshot(Work& work) const;
  Result<void> write_timestamp(Work& work) const;

  const OnlineKeys& keys_;
};

// What a device that knows `before` makes of `after`. Errors: those of TrustedMetadata.
Result<void> check_as_client(const Chain& before, const std::vector<std::string>& new_roots,
                             const Chain& after, WallTime now);

}  // namespace starling::hub
