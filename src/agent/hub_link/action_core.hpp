// Purpose: carries out what the hub asks for once: at most once, whatever is lost or sent again.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs.
//
// The id is durable before anything is done. A repeated id gets the stored result; one that a crash
// interrupted is answered as such and not done again. If the journal was lost, nobody knows what was done:
// actions that were issued before are not carried out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/disk.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

// Carries out one kind of action. Errors are answered to the hub. `done` is called once, from within the call
// or later, while the ActionCore lives.
class ActionRunner {
 public:
  using Done = std::function<void(Result<JsonObject>)>;
  virtual ~ActionRunner() = default;
  virtual void run(const protocol::Action& action, Done done) = 0;
};
using ActionRunners = std::map<std::string, ActionRunner*, std::less<>>;

class ActionCore {
 public:
  static constexpr std::string_view path = "actions.json";
  static constexpr std::size_t max_remembered = 64;

  // `runners` by action name; they outlive this.
  ActionCore(Disk& disk, ActionRunners runners, Logger log)
      : disk_(disk), runners_(std::move(runners)), log_(log) {}

  // An unreadable journal is started anew. Errors: those of Disk.
  Result<void> start();
  // The device is reset: what was asked for is remembered, what came of it is not; `carried_out` is done.
  // Errors: those of Disk.
  Result<void> forget_results(std::string_view carried_out);
  // A session with the hub begins at this time of its clock.
  void connected(std::int64_t hub_now_ms);
  // `hub_now_ms` is the hub's time as far as the device knows it: expiry is the hub's word. `answer` is
  // called from within the call or later; one that comes again while it is carried out is answered by the
  // first.
  using Answer = std::function<void(const protocol::ActionResult&)>;
  void handle(const protocol::Action& action, std::int64_t hub_now_ms, Answer answer);

 private:
  struct Remembered {
    std::string id;
    std::int64_t expires_at_ms = 0;
    bool done = false;
    protocol::ActionResult result;
  };
  Result<void> save();
  protocol::ActionResult finish(const protocol::Action& action, Result<JsonObject> result);
  std::string why_not(const protocol::Action& action, std::int64_t hub_now_ms);  // empty: it may be done

  Disk& disk_;
  ActionRunners runners_;
  Logger log_;
  std::vector<Remembered> remembered_;  // oldest first
  std::set<std::string> in_work_;       // ids
  bool lost_ = false;                   // the journal was, and the hub's time is not known yet
  std::int64_t lost_at_ms_ = 0;         // on the hub's clock: what is not younger may have been done
};

// Answers with the parameters that it was given.
class EchoRunner final : public ActionRunner {
 public:
  void run(const protocol::Action& action, Done done) override { done(action.parameters); }
};

}  // namespace starling::agent
