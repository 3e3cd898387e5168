// Purpose: /api/v1/rollouts: what is brought to devices in stages, and how far it is.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include <functional>
#include <string>

#include "hub/api/services.hpp"
#include "hub/rollouts/rollout.hpp"

namespace starling::hub {

class Rollouts {
 public:
  explicit Rollouts(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  // What somebody does to a rollout, and why: from it to its next record.
  using Step = std::function<Result<RolloutRecord>(const Rollout& rollout, const std::string& why)>;

  Reply list(const Call& call) const;
  Reply get(const Call& call) const;
  asio::awaitable<Reply> start(Call& call);
  asio::awaitable<Reply> approve(Call& call);
  asio::awaitable<Reply> pause(Call& call);
  asio::awaitable<Reply> resume(Call& call);
  asio::awaitable<Reply> abort(Call& call);
  asio::awaitable<Reply> step(Call& call, std::string action, Step next);

  JsonObject describe(const Call& call, const RolloutRecord& record) const;

  Services& services_;
};

}  // namespace starling::hub
