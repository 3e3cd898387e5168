// Purpose: the device's end of the device link: when to connect, what to say, what to make of what the hub
// says. Sans-I/O: events and a clock in, actions out. Owner: DeviceCore. Thread: one. Lifetime: as long as
// the device runs; everything passed in outlives it.
//
// It works without a hub for ever: backoff with full jitter between 1 s and 60 s, no limit to the attempts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/hub_link/action_core.hpp"
#include "agent/identity.hpp"
#include "agent/seeded_random.hpp"
#include "agent/settings/settings_core.hpp"
#include "agent/supervisor/modules_section.hpp"
#include "agent/update/update_core.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

// What the core wants done on the network. Each enrol() or connect() is answered by one event.
class LinkOutput {
 public:
  virtual ~LinkOutput() = default;
  virtual void enrol() = 0;                          // then enrolled() or attempt_failed()
  virtual void connect(std::string_view token) = 0;  // then opened() or attempt_failed(); token may be empty
  virtual void send(std::string_view text) = 0;
  virtual void close(std::string_view reason) = 0;        // what comes from this connection later is dropped
  virtual std::size_t unsent_bytes() const { return 0; }  // of what was sent
};

struct LinkOptions {
  bool can_enrol = true;  // an enrolment key is there
  std::string agent_version;
  std::string boot_id;
  JsonObject capabilities;
  JsonObject facts;  // what registration tells of the device, and each handshake as far as it has changed
  Milliseconds first_backoff{1'000};
  Milliseconds longest_backoff{60'000};
  Milliseconds silence{30'000};      // the hub pings every 20 s and gives it 10
  Milliseconds report_delay{1'000};  // collects what changes in one go
};

class LinkCore {
 public:
  enum class State { waiting, enrolling, connecting, greeting, answering, established };

  LinkCore(Disk& disk, const Clock& clock, Identity& identity, SettingsCore& settings,
           ModulesSection& modules, ActionCore& actions, LinkOutput& output, SeededRandom random,
           LinkOptions options, Logger log);

  void start();  // connects at once

  // ---- events of the network
  void enrolled(std::string_view token);  // empty: known already, the link's handshake brings a token
  void attempt_failed(const Error& why);
  void opened();
  void received(std::string_view text);
  void alive() { heard_at_ = clock_.steady(); }  // a ping came
  void closed(std::string_view reason);
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  // ---- from the rest of the device
  void send_status(const protocol::ConfigStatus& status);
  void request_section(protocol::Section section);
  void propose_edits();
  void modules_came_or_went();
  void report_changed();  // to be collected from the Reporter
  class Reporter {
   public:
    virtual ~Reporter() = default;
    virtual JsonObject report() const = 0;  // everything reported, whole
  };
  // Whoever reads logs of modules, for the hub.
  class LogPort {
   public:
    virtual ~LogPort() = default;
    virtual void follow_log(const protocol::LogFollow& wish) = 0;  // answered by send_log()
    virtual void stop_log(std::string_view reader) = 0;
    virtual void stop_logs() = 0;
  };
  void set_logs(LogPort& logs) { logs_ = &logs; }
  void send_log(const protocol::LogLines& lines);
  std::size_t unsent_bytes() const { return output_.unsent_bytes(); }  // who can wait looks first
  void set_reporter(const Reporter& reporter) { reporter_ = &reporter; }
  void set_updates(UpdateCore& updates) { updates_ = &updates; }  // without: no release is installed

  State state() const { return state_; }
  bool established() const { return state_ == State::established; }
  std::int64_t hub_time_ms() const;  // as far as known, else the device's own

 private:
  void attempt();
  void retry_later();
  void save_token(std::string_view token);
  void save_told(JsonObject facts);
  std::vector<protocol::SectionState> sections() const;
  std::vector<protocol::PendingEdit> pending_edits() const;
  void mark_edits_sent();
  void lose(std::string_view reason);
  void send(const protocol::FromDevice& message);
  void on(const protocol::Challenge& challenge);
  void on(const protocol::Welcome& welcome);
  void on(const protocol::ConfigUpdate& update);
  void on(const protocol::ConfigProposed& answer);
  void on(const protocol::Action& action);
  void on(const protocol::FactsKept& kept);
  void on(const protocol::LogFollow& wish);
  void on(const protocol::LogStop& stop);
  void on(const protocol::LinkError& error);
  void on(const protocol::Unknown& unknown);
  void heartbeat();

  Disk& disk_;
  const Clock& clock_;
  Identity& identity_;
  SettingsCore& settings_;
  ModulesSection& modules_;
  ActionCore& actions_;
  LinkOutput& output_;
  SeededRandom random_;
  LinkOptions options_;
  Logger log_;
  const Reporter* reporter_ = nullptr;
  LogPort* logs_ = nullptr;
  UpdateCore* updates_ = nullptr;

  State state_ = State::waiting;
  std::optional<SteadyTime> attempt_at_;
  int failures_ = 0;               // since the last good session
  bool enrolment_needed_ = false;  // the hub does not know this device
  std::string last_failure_;       // as logged, so that it is logged once
  std::string last_refusal_;       // the same, to enrol it
  bool slow_retry_ = false;        // the hub said that this client must not come back unchanged
  std::int64_t connections_ = 0;
  SteadyTime heard_at_{};
  SteadyTime established_at_{};
  SteadyTime next_heartbeat_{};
  std::optional<SteadyTime> report_at_;
  Seconds heartbeat_{300};
  std::int64_t hub_ahead_ms_ = 0;
  JsonObject reported_;                    // what the hub has been told in this session
  std::set<std::string> proposed_;         // ids sent in this session
  std::set<protocol::Section> requested_;  // while there was no session
};

}  // namespace starling::agent
