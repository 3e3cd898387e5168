#include "bench/processes/load/http_pool.hpp"

#include "bench/processes/load/statistics.hpp"

namespace starling::bench {

std::string http_request(std::string_view method, std::string_view target, std::string_view key,
                         std::string_view body) {
  std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (!key.empty()) text.append("Authorization: Bearer ").append(key).append("\r\n");
  if (!body.empty()) {
    text.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size()));
    text.append("\r\n");
  }
  return text.append("\r\n").append(body);
}

HttpPool::HttpPool(Loop& loop, Endpoint endpoint, std::size_t connections) : in_flight_(connections) {
  for (std::uint32_t i = 0; i < connections; ++i) {
    connections_.push_back(&loop.connect(endpoint, *this, i));
  }
}

void HttpPool::call(std::string request, Done done) {
  queue_.push_back({std::move(request), std::move(done)});
  send_next();
}

void HttpPool::send_next() {
  while (!queue_.empty() && !idle_.empty()) {
    Link& link = *idle_.back();
    idle_.pop_back();
    auto call = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    in_flight_[link.index()] = std::move(call.done);
    link.send(call.request);
  }
}

void HttpPool::on_open(Link& link) {
  idle_.push_back(&link);
  send_next();
}

std::size_t HttpPool::on_bytes(Link& link, std::string_view bytes) {
  const auto reply = next_reply(bytes, unchunked_);
  if (!reply) return 0;
  const auto done = std::exchange(in_flight_[link.index()], {});
  --busy_;
  idle_.push_back(&link);
  if (done) done(*reply);
  send_next();
  return reply->size;
}

void HttpPool::on_lost(Link& link, std::string_view) {
  ++lost_;
  std::erase(idle_, &link);
  const auto done = std::exchange(in_flight_[link.index()], {});
  if (!done) return;
  --busy_;
  done(HttpReply{});
}

namespace {

class HttpRun {
 public:
  explicit HttpRun(const HttpLoad& load) : load_(load), pool_(loop_, load.endpoint, load.connections) {}

  Result<JsonObject> measure() {
    const auto connected = loop_.run_until("connecting", std::chrono::seconds(10),
                                           [this] { return pool_.ready() || pool_.lost() > 0; });
    if (!connected) return fail(connected);
    running_ = true;
    if (load_.rate > 0) {
      due_ = BenchClock::now();
      tick();
    } else {
      for (std::size_t i = 0; i < load_.connections; ++i)
        call(BenchClock::now());
    }
    loop_.run_for(load_.warm_up);
    latencies_.clear();
    statuses_.clear();
    const auto start = BenchClock::now();
    loop_.run_for(load_.duration);
    const double elapsed_ms = milliseconds_since(start);
    running_ = false;
    if (pool_.lost() > 0) return fail(ErrorCode::unavailable, "the server closed a connection");
    auto summary = latency_summary(latencies_);
    summary["per_s"] = static_cast<double>(latencies_.size()) / elapsed_ms * 1000;
    JsonObject statuses;
    for (const auto& [status, count] : statuses_)
      statuses[std::to_string(status)] = count;
    summary["statuses"] = statuses;
    if (!first_failure_.empty()) summary["first_failure"] = first_failure_;
    return summary;
  }

 private:
  void call(BenchTime due) {
    pool_.call(load_.request(sent_++), [this, due](const HttpReply& reply) {
      latencies_.push_back(milliseconds_since(due));
      ++statuses_[reply.status];
      if (reply.status >= 300 && first_failure_.empty()) first_failure_ = reply.body.substr(0, 300);
      if (running_ && load_.rate <= 0 && reply.status != 0) call(BenchClock::now());
    });
  }

  void tick() {
    if (!running_) return;
    while (due_ <= BenchClock::now()) {
      call(due_);
      due_ += std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(1 / load_.rate));
    }
    loop_.after(std::chrono::duration_cast<std::chrono::microseconds>(due_ - BenchClock::now()),
                [this] { tick(); });
  }

  const HttpLoad& load_;
  Loop loop_;
  HttpPool pool_;
  bool running_ = false;
  BenchTime due_;
  std::size_t sent_ = 0;
  std::vector<double> latencies_;
  std::map<int, std::size_t> statuses_;
  std::string first_failure_;
};

}  // namespace

Result<JsonObject> measure_http(const HttpLoad& load) {
  return HttpRun(load).measure();
}

}  // namespace starling::bench
