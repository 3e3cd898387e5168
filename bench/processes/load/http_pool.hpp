// Purpose: HTTP calls over a fixed number of kept connections, one call at a time on each.
// Owner: a scenario. Thread: the Loop's. Lifetime: outlives the Loop's last turn.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "base/json.hpp"
#include "bench/processes/load/frames.hpp"
#include "bench/processes/load/loop.hpp"

namespace starling::bench {

std::string http_request(std::string_view method, std::string_view target, std::string_view key,
                         std::string_view body);

class HttpPool final : public Dialect {
 public:
  using Done = std::function<void(const HttpReply&)>;  // status 0: the connection was lost

  HttpPool(Loop& loop, Endpoint endpoint, std::size_t connections);

  // Waits for a free connection if there is none.
  void call(std::string request, Done done);
  bool ready() const { return idle_.size() + busy_ == connections_.size(); }
  std::size_t lost() const { return lost_; }

  void on_open(Link& link) override;
  std::size_t on_bytes(Link& link, std::string_view bytes) override;
  void on_lost(Link& link, std::string_view why) override;

 private:
  struct Call {
    std::string request;
    Done done;
  };
  void send_next();

  std::vector<Link*> connections_;
  std::vector<Link*> idle_;
  std::vector<Done> in_flight_;  // by the connection's index
  std::deque<Call> queue_;
  std::size_t busy_ = 0;
  std::size_t lost_ = 0;
  std::string unchunked_;
};

struct HttpLoad {
  Endpoint endpoint;
  std::size_t connections = 64;
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{3000};
  double rate = 0;  // calls a second at fixed times; 0: each connection calls again as soon as it is answered
  std::function<std::string(std::size_t)> request;  // the n-th
};

// Calls a second, latencies (at a fixed rate: from when the call was due), counts by status.
Result<JsonObject> measure_http(const HttpLoad& load);

}  // namespace starling::bench
