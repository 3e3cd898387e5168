// Purpose: the hub's end of one device link, from the challenge to the close: a state machine that takes
// messages, published changes and the time, and gives frames to send and records to keep. No I/O of its own.
// Owner: the connection (base/ws). Thread: the hub's. Lifetime: that of the connection; Sessions outlives it.
//
//   challenged --handshake proved--> settling --pending edits settled--> live
//        flat: a client without a protocol version; it is only sent its payload, and told what is wrong
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ws/websocket.hpp"
#include "hub/device_link/sessions.hpp"
#include "hub/device_link/told_facts.hpp"

namespace starling::hub {

class DeviceSession final : public ws::Session {
 public:
  DeviceSession(Sessions& sessions, LinkRequest request);
  ~DeviceSession() override;

  void on_open(ws::Peer& peer) override;
  void on_text(std::string_view text) override;
  void on_pong() override;
  void on_drained() override;
  void on_close(ws::CloseCode code, std::string_view reason) override;

  const std::string& device_id() const { return request_.device_id; }
  const std::string& fleet() const { return request_.fleet; }
  bool is_flat() const { return request_.protocol == 0; }
  bool is_live() const { return state_ == State::live; }

  // Something that may concern this device has been published: sends the newest document if it is another
  // one, and the actions that are due after it.
  void refresh();
  // Its device, labels or own layer changed: the class has to be found anew.
  void forget_class() { class_ = nullptr; }
  void send_action(const ActionRequest& action);  // after what was said before it
  void send(const protocol::FromHub& message);
  void tick(SteadyTime now);
  // A newer session of the same device took over, or the device is gone.
  void end(ws::CloseCode code, std::string_view error_code, std::string_view message, bool retry);

  SyncStatuses sync_statuses();
  // Owned by Sessions.
  const std::uint64_t arrival;
  bool waiting_to_refresh = false;

 private:
  static constexpr int max_complaints = 10;

  enum class State { challenged, settling, live, flat, ended };

  // One for each message type; they are called with State settling or live.
  void handle(const protocol::Handshake& message);
  void handle(const protocol::ConfigStatus& message);
  void handle(const protocol::ConfigPropose& message);
  void handle(const protocol::Heartbeat& message);
  void handle(const protocol::ActionResult& message);
  void handle(const protocol::ConfigRequest& message);
  void handle(const protocol::Modules& message);
  void handle(const protocol::LogLines& message);
  void handle(const protocol::Unknown& message);

  // What is wrong with the handshake, if anything.
  struct Refusal {
    ws::CloseCode close;
    std::string_view code;
    std::string message;
    bool retry = false;
    std::int64_t epoch_start = 0;
  };
  // What is known of one section of the device.
  struct Offer {
    SharedSection running;  // what the device has held last, if it is still in memory
    Digest running_hash;    // what it is known to hold
    Digest refused_hash;
    Digest offered_hash;  // sent and not answered yet
    // What the device works towards, as it said last: it may have it ready and wait for its hour.
    Digest target;
    Digest told_refused{};  // by the handshake: its status after the welcome says so once more
    bool as_patch = false;  // offered_hash was sent so
    std::vector<protocol::KeyError> errors{};  // as it said last
  };
  Offer& offer(protocol::Section name) { return offers_.at(static_cast<std::size_t>(name)); }

  void open_flat(SteadyTime now);
  void hear_flat(std::string_view text);
  void seen();  // now
  std::optional<Refusal> judge(const protocol::Handshake& message) const;
  void take_over(const protocol::Handshake& message);
  // Gives whether the errors of the last refusal still stand.
  bool take_over(const protocol::SectionState& told, const protocol::Cursor& cursor);
  void runs(SectionRecord& record, protocol::Section section, const Digest& hash);
  void welcome(const protocol::Handshake& message);
  void keep(const JsonObject& facts);
  void kept(const ToldFacts& told, const Result<SharedChange>& outcome);
  void settle(const std::vector<protocol::PendingEdit>& edits);
  // `refusal`: the edit was judged and is not taken; why.
  void settled(const protocol::PendingEdit& edit, const Result<SharedChange>& outcome,
               const std::optional<std::string>& refusal);
  void go_live();
  bool is_asked(const ActionRequest& action) const;  // now
  void take_open_actions();
  void send_due_actions();

  void refuse(const Refusal& refusal);
  void send_flat();
  void say_outcome(const protocol::ConfigStatus& message, std::string_view why) const;
  const DesiredDocument* desired();  // nullptr if the device is gone
  void refresh(const SharedSection& target);
  void quarantine(const protocol::ConfigStatus& message);
  Result<void> keep_quarantine(Quarantine kept);
  void lift_quarantine();
  void end_what_is_over();
  bool has_told_again(const protocol::ConfigStatus& message);
  bool keeps_what_it_runs(const DesiredSection& target);
  bool is_congested() const;  // it cannot keep up: it is told the newest state once its queue is empty
  SyncStatus sync_status(const DeviceRecord& record, const DesiredSection& target) const;
  const FleetState* state() const;
  const Device* device() const;

  Sessions& sessions_;
  LinkRequest request_;
  ws::Peer* peer_ = nullptr;
  State state_ = State::challenged;
  std::string nonce_;
  std::shared_ptr<bool> alive_;  // false once gone: completions of appends look at it

  DeviceRecords::Bookmark record_;
  SharedClass class_;
  SharedQuarantine quarantine_;  // that class_ is of
  std::uint64_t membership_epoch_ = 0;
  std::array<Offer, 3> offers_;  // settings, modules, software
  std::size_t unsettled_ = 0;
  TokenBucket messages_;
  std::vector<std::string> due_actions_;      // ids of those to send after the next refresh, in order
  std::vector<std::string> awaited_results_;  // ids of the actions sent in this session and not answered
  bool drifted_ = false;
  std::int64_t pending_edits_ = 0;  // as it is kept
  bool awaiting_pong_ = false;
  int complaints_left_ = max_complaints;  // of a flat client's messages, until the next ping
  SteadyTime deadline_{};                 // of the handshake, then of the next ping or its pong
};

}  // namespace starling::hub
