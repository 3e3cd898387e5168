// Purpose: from a request's credential to a principal, and from a principal to what it may reach.
// Owner: Api. Thread: the hub's. Lifetime: observes the ChangeLog, which outlives it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "hub/api/call.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/state/change_log.hpp"

namespace starling::hub {

// What a new key looks like: "sk_<id>_<secret>" for the API, "ek_<id>_<secret>" for enrolment. Only the
// SHA-256 of the whole text is kept.
struct NewKey {
  std::string id;
  std::string text;
};
NewKey make_key(bool enrolment);
// Another secret for the same id.
std::string make_key_text(std::string_view id, bool enrolment);

class Authentication : public ChangeObserver {
 public:
  Authentication(ChangeLog& log, DeviceRecords& records, const Clock& clock);
  ~Authentication() override;

  // Without a credential: anonymous. Errors: unauthenticated (unknown, expired).
  Result<Principal> identify(const http::Request& request);

  // The fleet that a request without ?fleet= means.
  static std::string default_fleet_of(const Principal& principal);

  // Errors: unauthenticated (anonymous), permission_denied.
  static Result<Reach> reach(const Principal& principal, const Access& access, std::string_view fleet);

  void on_change(const SharedChange& change, const FleetState& state) override;

 private:
  struct Entry {
    std::string fleet;
    std::shared_ptr<const Key> key;
  };
  void index(const FleetState& state);
  Result<Principal> identify_key(std::string_view text) const;

  ChangeLog& log_;
  DeviceRecords& records_;
  const Clock& clock_;
  std::unordered_map<Digest, Entry> by_secret_;
};

// The credential of a request: the bearer token or the X-API-Key; empty if it has none.
std::string_view credential_of(const http::Request& request);

}  // namespace starling::hub
