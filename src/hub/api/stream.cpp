#include "hub/api/stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json_text.hpp"
#include "hub/api/visibility.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t stream_page = 200;

struct Cursor {
  std::string generation;  // empty: not said
  std::int64_t revision = 0;
};

std::optional<Cursor> parse_cursor(std::string_view text) {
  Cursor cursor;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    cursor.generation = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor.revision);
  if (error != std::errc{} || end != text.data() + text.size() || cursor.revision < 0) return std::nullopt;
  return cursor;
}

}  // namespace

struct Stream::Subscriber {
  std::string fleet;
  Principal principal;
  Reach reach;
  std::shared_ptr<http::EventStream> events;
  std::int64_t sent = 0;  // every change up to here has been sent, or is not for this subscriber
  bool reading = false;   // from the store
  bool scheduled = false;
  bool reset = false;  // to be told first
  // Devices still to come: of the snapshot all after this id, and those that have changed.
  bool snapshot = false;
  std::string snapshot_after;
  std::set<std::string> reported;
};

Stream::Stream(Services& services, Executor& executor, Options options)
    : services_(services), executor_(executor), options_(options) {
  services_.log.log().observe(*this);
  services_.hub.sessions().observe(*this);
}

Stream::~Stream() {
  *alive_ = false;
  services_.hub.sessions().stop_observing(*this);
  services_.log.log().stop_observing(*this);
}

void Stream::add_to(Router& router) {
  router.add(
      {http::Method::get, "/api/v1/stream", {Role::viewer}, {"since", "snapshot"}, [this](const Call& call) {
         return open(call);
       }});
}

std::string Stream::event_id(std::int64_t revision) const {
  return fmt::format("{}:{}", services_.log.log().generation(), revision);
}

Reply Stream::open(const Call& call) {
  const auto since = call.query_integer("since", 0, INT64_MAX);
  if (!since) return fail(since);
  const auto snapshot = call.query_boolean("snapshot");
  if (!snapshot) return fail(snapshot);
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->fleet = call.fleet_name;
  subscriber->principal = call.principal;
  subscriber->reach = call.reach;
  subscriber->snapshot = snapshot->value_or(true);
  const std::int64_t head = call.fleet->revision();
  subscriber->sent = since->value_or(head);
  // A browser that reconnects sends the id of the last event; it knows better than the address it started
  // with.
  if (const auto text = call.request.headers.find("Last-Event-ID"); text && !text->empty()) {
    const auto cursor = parse_cursor(*text);
    if (!cursor)
      return fail(ErrorCode::invalid_argument, "Last-Event-ID is not the id of an event of this stream");
    subscriber->sent = cursor->revision;
    subscriber->reset = !cursor->generation.empty() && cursor->generation != services_.log.log().generation();
  }
  if (subscriber->sent > head) subscriber->reset = true;
  if (subscriber->reset) subscriber->sent = head;
  http::Response response;
  response.stream = [this, alive = alive_, subscriber](std::shared_ptr<http::EventStream> events) {
    if (!*alive) return events->close();
    subscriber->events = std::move(events);
    subscribe(subscriber);
  };
  return response;
}

void Stream::subscribe(SharedSubscriber subscriber) {
  subscribers_.push_back(subscriber);
  subscriber->events->on_drained([this, alive = alive_, weak = std::weak_ptr(subscriber)] {
    const auto waiting = weak.lock();
    if (*alive && waiting) pump_later(waiting);
  });
  if (subscriber->reset) {
    const JsonObject data{{"generation", services_.log.log().generation()}, {"revision", subscriber->sent}};
    subscriber->events->send("reset", event_id(subscriber->sent), json_text(data));
  }
  pump(subscriber);
}

bool Stream::room(const Subscriber& subscriber) const {
  return !subscriber.events->closed() && subscriber.events->queued_bytes() < options_.queue_bytes;
}

void Stream::pump_later(const SharedSubscriber& subscriber) {
  if (subscriber->scheduled) return;
  subscriber->scheduled = true;
  executor_.post([this, alive = alive_, subscriber] {
    if (!*alive) return;
    subscriber->scheduled = false;
    pump(subscriber);
  });
}

// Changes come before reported states: who sees a device's answer has seen what it answers to.
void Stream::pump(const SharedSubscriber& subscriber) {
  if (subscriber->reading || !room(*subscriber)) return;
  if (!send_changes(*subscriber)) {
    if (room(*subscriber)) read_on(subscriber);
    return;
  }
  send_reported(*subscriber);
  if (room(*subscriber) && (subscriber->snapshot || !subscriber->reported.empty())) pump_later(subscriber);
}

// False if it has not come to the head: there is no room, or the ring does not reach back far enough.
bool Stream::send_changes(Subscriber& subscriber) {
  const FleetState* state = services_.log.log().published(subscriber.fleet);
  if (state == nullptr) return true;
  Ring& ring = rings_[subscriber.fleet];
  while (subscriber.sent < state->revision()) {
    if (ring.changes.empty() || ring.changes.front().change->revision > subscriber.sent + 1) return false;
    if (!room(subscriber)) return false;
    const auto index = subscriber.sent + 1 - ring.changes.front().change->revision;
    send_kept(subscriber, ring, ring.changes[static_cast<std::size_t>(index)]);
  }
  return true;
}

void Stream::send_kept(Subscriber& subscriber, Ring& ring, Kept& kept) {
  if (!subscriber.reach.unrestricted()) return send_change(subscriber, *kept.change);
  if (kept.data.empty()) {
    kept.data = json_text(kept.change->to_json());
    ring.bytes += kept.data.size();
  }
  subscriber.sent = kept.change->revision;
  subscriber.events->send("change", event_id(kept.change->revision), kept.data);
}

void Stream::send_change(Subscriber& subscriber, const Change& change) {
  subscriber.sent = change.revision;
  const FleetState* state = services_.log.log().published(subscriber.fleet);
  const auto shown = visible_change(*state, subscriber.reach, change);
  if (shown) subscriber.events->send("change", event_id(change.revision), json_text(*shown));
}

void Stream::read_on(const SharedSubscriber& subscriber) {
  subscriber->reading = true;
  ChangeQuery query;
  query.fleet = subscriber->fleet;
  query.since = subscriber->sent;
  query.until = services_.log.log().published(subscriber->fleet)->revision();
  query.limit = stream_page;
  auto done = [this, alive = alive_, subscriber](Result<std::vector<SharedChange>> changes) {
    if (!*alive) return;
    subscriber->reading = false;
    if (!changes || changes->empty()) {
      services_.logger.error("the log cannot be read for a stream",
                             {{"error", changes ? "it has a gap" : changes.error().message}});
      return subscriber->events->close();  // the client comes back with its last id
    }
    for (const SharedChange& change : *changes) {
      if (!room(*subscriber)) break;
      send_change(*subscriber, *change);
    }
    pump_later(subscriber);
  };
  services_.log.log().store().read_changes(std::move(query), std::move(done));
}

void Stream::send_reported(Subscriber& subscriber) {
  const FleetState* state = services_.log.log().published(subscriber.fleet);
  if (state == nullptr) return;
  for (std::size_t made = 0; made < options_.slice && room(subscriber); ++made) {
    if (subscriber.snapshot) {
      const auto next = state->devices().upper_bound(subscriber.snapshot_after);
      if (next == state->devices().end()) {
        subscriber.snapshot = false;
        continue;
      }
      subscriber.snapshot_after = next->first;
      subscriber.reported.erase(next->first);
      send_device(subscriber, next->first);
    } else if (!subscriber.reported.empty()) {
      const std::string device_id = *subscriber.reported.begin();
      subscriber.reported.erase(subscriber.reported.begin());
      send_device(subscriber, device_id);
    } else {
      return;
    }
  }
}

void Stream::send_device(Subscriber& subscriber, const std::string& device_id) {
  const FleetState* state = services_.log.log().published(subscriber.fleet);
  const Device* device = state->device(device_id);
  if (device == nullptr || !subscriber.reach.covers(*device)) return;
  // Without an id: a client's place in the log is what it resumes from.
  subscriber.events->send("reported", {}, json_text(services_.description.describe_briefly(*state, *device)));
}

void Stream::on_change(const SharedChange& change, const FleetState&) {
  Ring& ring = rings_[change->fleet];
  ring.changes.push_back({change, {}});
  while (ring.changes.size() > options_.ring ||
         (ring.bytes > options_.ring_bytes && ring.changes.size() > 1)) {
    ring.bytes -= ring.changes.front().data.size();
    ring.changes.pop_front();
  }
  end_streams_of_changed_keys(*change);
  for (const SharedSubscriber& subscriber : subscribers_) {
    if (subscriber->fleet == change->fleet) pump_later(subscriber);
  }
}

// A key that was revoked or rotated sees nothing more; whoever holds the new one connects again.
void Stream::end_streams_of_changed_keys(const Change& change) {
  for (const Edit& edit : change.edits) {
    if (edit.kind != EntityKind::key) continue;
    for (const SharedSubscriber& subscriber : subscribers_) {
      const auto& key = subscriber->principal.key;
      if (key && key->id == edit.id && subscriber->principal.home_fleet == change.fleet)
        subscriber->events->close();
    }
  }
}

void Stream::on_reported(const std::string& fleet, const std::string& device_id) {
  for (const SharedSubscriber& subscriber : subscribers_) {
    if (subscriber->fleet != fleet || (subscriber->snapshot && device_id > subscriber->snapshot_after))
      continue;
    subscriber->reported.insert(device_id);
    pump_later(subscriber);
  }
}

void Stream::end_streams_of_expired_keys() {
  const std::int64_t now_ms = services_.now_ms();
  for (const SharedSubscriber& subscriber : subscribers_) {
    const auto& key = subscriber->principal.key;
    if (key && key->expires_at_ms != 0 && key->expires_at_ms <= now_ms) subscriber->events->close();
  }
}

void Stream::tick() {
  end_streams_of_expired_keys();
  std::erase_if(subscribers_,
                [](const SharedSubscriber& subscriber) { return subscriber->events->closed(); });
  const SteadyTime now = services_.clock.steady();
  if (now < next_ping_) return;
  next_ping_ = now + options_.ping;
  for (const SharedSubscriber& subscriber : subscribers_)
    subscriber->events->send_comment("ping");
}

void Stream::stop() {
  for (const SharedSubscriber& subscriber : subscribers_)
    subscriber->events->close();
  subscribers_.clear();
}

}  // namespace starling::hub
