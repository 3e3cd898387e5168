// Purpose: the hub's public REST API as the commands use it: JSON in, JSON out, errors that say what to do.
// Owner: Application. Thread: one. Lifetime: that of one run of the program; the Clock outlives it.
//
// It blocks: a command does one thing at a time, and straight code is easier to read than coroutines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/http/message.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::cli {

struct Connection {
  std::string hub = "http://127.0.0.1:8000";
  std::string key;                // empty: none
  std::vector<std::string> pins;  // of the hub's public key, "sha256/..."
  std::string fleet;              // empty: the key's own
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct StreamEvent {
  std::string name, id, data;
};

class ApiClient {
 public:
  // Errors: invalid_argument (the hub's address).
  static Result<std::unique_ptr<ApiClient>> open(Connection connection, const Clock& clock);
  ~ApiClient();

  // Errors of all: what the hub's problem says, with its code and pointer; unavailable, timed_out,
  // permission_denied (the hub's certificate) when it was not reached; internal if no hub answered.
  Result<JsonObject> get(const std::string& path, const Parameters& query = {});
  // All pages of a list: {"items": [...], "next": null}. `limit` 0: all items.
  Result<JsonObject> list(const std::string& path, const Parameters& query = {}, std::size_t limit = 0);
  // Carries an Idempotency-Key, so it is sent once more if the connection was lost. A null body sends none.
  Result<JsonObject> write(http::Method method, const std::string& path, const Json& body,
                           const Parameters& query = {});

  // PUTs a file. Sending the same again changes nothing, so this is repeated too if the connection was lost.
  Result<JsonObject> upload(const std::string& path, std::string content, const std::string& content_type,
                            const Parameters& query);

  // Hands over the bytes of a file from `first` on, as they come. Further errors: the sink's.
  using ByteSink = std::function<Result<void>(std::string_view)>;
  Result<void> download(const std::string& path, std::uint64_t first, std::uint64_t max_bytes,
                        const ByteSink& sink);

  // Follows a stream of events over one connection. `sink` and `tick` (every 250 ms) say whether to go on.
  // Succeeds when one of them said no or the hub ended the stream. `opened`: the hub has begun it.
  using Sink = std::function<bool(const StreamEvent&)>;
  using Tick = std::function<bool()>;
  using Opened = std::function<void()>;
  Result<void> follow(const std::string& path, const Parameters& query, const std::string& last_event_id,
                      const Sink& sink, const Tick& tick, const Opened& opened = {});

  void pause(Milliseconds duration);

  const Connection& connection() const;
  // The key goes to another machine in the clear.
  bool exposes_key() const;

 private:
  struct Impl;
  explicit ApiClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "/api/v1/devices/<id>" from parts that may contain anything.
std::string path_of(std::initializer_list<std::string_view> parts);

}  // namespace starling::cli
