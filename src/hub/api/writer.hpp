// Purpose: how a request becomes a change: planned on the head, answered once it is durable, and answered the
// same again when it is repeated with its idempotency id. Owner: Api. Thread: the hub's. Lifetime: outlives
// the handlers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "hub/api/log_access.hpp"
#include "hub/api/router.hpp"
#include "hub/settings/masking.hpp"

namespace starling::hub {

// What a write would do, worked out on a head.
struct PlannedWrite {
  std::vector<Edit> edits;
  std::vector<DeviceRecord> records;
  int status = 200;
  JsonObject answer;  // without "revision", which is put in front
  // A secret that the answer has but that is not kept for repeats: its name in `answer`, and itself.
  std::pair<std::string, std::string> secret;
  // If set, nothing is written and this is answered.
  std::optional<http::Response> refusal;
};

class Writer {
 public:
  Writer(LogAccess& log, const Clock& clock) : log_(log), clock_(clock) {}

  // Pure, since it may be asked again on another head.
  using Planner = std::function<Result<PlannedWrite>(const FleetState& head)>;

  struct Write {
    std::string fleet;
    std::string action;
    std::string reason;
    Planner plan;
    // Called when it is durable, before the answer; `change` is nullptr if nothing changed.
    std::function<void(const SharedChange& change)> done = {};
  };
  asio::awaitable<Reply> write(const Call& call, Write write);

 private:
  using RequestId = std::tuple<std::string, std::string, std::string>;  // fleet, principal, idempotency id
  struct Turn;
  struct Outcome;

  asio::awaitable<void> wait_for_turn(RequestId id);
  asio::awaitable<Reply> write_once(const Call& call, Write write, std::string idempotency_id);
  asio::awaitable<Reply> perform(const Call& call, Write write, const std::string& idempotency_id);

  LogAccess& log_;
  const Clock& clock_;
  std::map<RequestId, std::shared_ptr<Turn>> in_flight_;  // repeats of a request wait for the first
};

// The common answer of writes: what changed, where it is masked, how many devices it concerns.
JsonObject write_answer(const std::vector<Edit>& edits, const Masking& masking, std::size_t targeted);
// Says which of the files that the edits name are no assets, if there are such.
void add_missing_assets(const FleetState& head, const std::vector<Edit>& edits, JsonObject& answer);
inline constexpr std::size_t max_masked = 100;

}  // namespace starling::hub
