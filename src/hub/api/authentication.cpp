#include "hub/api/authentication.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "hub/hub.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view device_token_prefix = "dt_";

std::string make_id() {
  std::string id;
  for (const char byte : random_bytes(6))
    id += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return id;
}

bool is_bearer(std::string_view value) {
  constexpr std::string_view scheme = "bearer ";
  if (value.size() <= scheme.size()) return false;
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = value[i] >= 'A' && value[i] <= 'Z' ? static_cast<char>(value[i] + 32) : value[i];
    if (c != scheme[i]) return false;
  }
  return true;
}

std::string denied_message(const Access& access, std::string_view fleet) {
  if (!access.role) return "only a device itself may ask this";
  return fmt::format("this needs the role {} in the fleet '{}'", to_string(*access.role), fleet);
}

}  // namespace

std::string make_key_text(std::string_view id, bool enrolment) {
  return fmt::format("{}_{}_{}", enrolment ? "ek" : "sk", id, random_token(24));
}

NewKey make_key(bool enrolment) {
  std::string id = make_id();
  std::string text = make_key_text(id, enrolment);
  return {std::move(id), std::move(text)};
}

std::string_view credential_of(const http::Request& request) {
  if (const auto value = request.headers.find("Authorization"); value && is_bearer(*value)) {
    return value->substr(7);
  }
  return request.headers.find("X-API-Key").value_or(std::string_view());
}

Authentication::Authentication(ChangeLog& log, DeviceRecords& records, const Clock& clock)
    : log_(log), records_(records), clock_(clock) {
  for (const std::string& fleet : log_.fleets())
    index(*log_.published(fleet));
  log_.observe(*this);
}

Authentication::~Authentication() {
  log_.stop_observing(*this);
}

void Authentication::index(const FleetState& state) {
  for (const auto& [id, key] : state.keys())
    by_secret_[key->secret_hash] = {state.fleet(), key};
}

void Authentication::on_change(const SharedChange& change, const FleetState& state) {
  bool keys_changed = false;
  for (const Edit& edit : change->edits)
    keys_changed |= edit.kind == EntityKind::key;
  if (!keys_changed) return;
  std::erase_if(by_secret_, [&](const auto& entry) { return entry.second.fleet == change->fleet; });
  index(state);
}

Result<Principal> Authentication::identify_key(std::string_view text) const {
  const auto found = by_secret_.find(sha256(text));
  if (found == by_secret_.end()) {
    return fail(ErrorCode::unauthenticated, "the key is not known; it may have been revoked or rotated");
  }
  const Key& key = *found->second.key;
  if (key.expires_at_ms != 0 && key.expires_at_ms <= clock_.wall().time_since_epoch().count()) {
    return fail(ErrorCode::unauthenticated,
                fmt::format("the key '{}' has expired; ask for a new one", key.name));
  }
  Principal principal;
  principal.kind = Principal::Kind::key;
  principal.key = found->second.key;
  principal.home_fleet = found->second.fleet;
  return principal;
}

Result<Principal> Authentication::identify(const http::Request& request) {
  const std::string_view text = credential_of(request);
  if (text.empty()) return Principal{};
  if (!text.starts_with(device_token_prefix)) return identify_key(text);
  const DeviceRecord* record = records_.find_by_token(text);
  if (record == nullptr) {
    return fail(ErrorCode::unauthenticated,
                "the device token is not known; open the link with the device's key to get a new one");
  }
  Principal principal;
  principal.kind = Principal::Kind::device;
  principal.home_fleet = record->fleet;
  principal.device_id = record->device_id;
  return principal;
}

std::string Authentication::default_fleet_of(const Principal& principal) {
  if (principal.kind == Principal::Kind::key && !principal.key->grants.empty()) {
    return principal.key->grants.front().fleet;
  }
  return principal.home_fleet.empty() ? std::string(default_fleet) : principal.home_fleet;
}

Result<Reach> Authentication::reach(const Principal& principal, const Access& access,
                                    std::string_view fleet) {
  if (access.open()) return Reach::everything();
  if (principal.kind == Principal::Kind::anonymous) {
    return fail(ErrorCode::unauthenticated, "send a key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'");
  }
  if (principal.kind == Principal::Kind::device) {
    if (!access.device || principal.home_fleet != fleet) {
      return fail(ErrorCode::permission_denied, "a device's token does not allow this");
    }
    return Reach::device(principal.device_id);
  }
  Reach reach;
  const Key& key = *principal.key;
  for (const Grant& grant : key.grants) {
    if (grant.fleet != fleet) continue;
    const bool allowed = key.enrolment ? access.enrolment : access.role && grant.role >= *access.role;
    if (allowed) reach.add(principal.key, grant);
  }
  if (!reach.any()) {
    return fail(ErrorCode::permission_denied,
                key.enrolment ? "an enrolment key may only register devices" : denied_message(access, fleet));
  }
  return reach;
}

}  // namespace starling::hub
