// Purpose: for tests of what is streamed: the far end of server-sent events.
// Owner: the test. Thread: one. Lifetime: the test's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "base/json.hpp"

namespace starling::hub {

struct Event {
  std::string name, id;
  Json data;
};

// A client whose socket takes bytes only when the test says so.
class FakeEvents final : public http::EventStream {
 public:
  void send(std::string_view event, std::string_view id, std::string_view data) override {
    if (closed_) return;
    events.push_back({std::string(event), std::string(id), *parse_json(data)});
    if (!open_tap) queued_ += data.size();
  }
  void send_comment(std::string_view) override { ++comments; }
  void close() override { closed_ = true; }
  bool closed() const override { return closed_; }
  std::size_t queued_bytes() const override { return queued_; }
  void on_drained(std::function<void()> call) override { drained_ = std::move(call); }

  void drain() {
    queued_ = 0;
    if (drained_) drained_();
  }
  std::vector<std::int64_t> revisions() const {
    std::vector<std::int64_t> numbers;
    for (const Event& event : events) {
      if (event.name == "change") numbers.push_back(event.data.at("revision").as_int64());
    }
    return numbers;
  }
  std::vector<std::string> devices() const {
    std::vector<std::string> ids;
    for (const Event& event : events) {
      if (event.name == "reported") ids.emplace_back(event.data.at("device").as_string());
    }
    return ids;
  }

  std::vector<Event> events;
  bool open_tap = true;
  int comments = 0;

 private:
  bool closed_ = false;
  std::size_t queued_ = 0;
  std::function<void()> drained_;
};

}  // namespace starling::hub
