// Purpose: who this device is: its id, key, token and start counter, and what it has told the hub of itself,
// kept durably; and whether the card that
// holds them was copied from another board.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs.
#pragma once

#include <cstdint>
#include <string>

#include "agent/disk.hpp"
#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

// Where randomness comes from, so that the simulator's devices are the same in every run of a seed.
struct IdentitySource {
  std::string device_id;  // of a new device
  Ed25519KeyPair keys;
};
class IdentityMaker {
 public:
  virtual ~IdentityMaker() = default;
  virtual IdentitySource make() = 0;
};
// UUIDv7 and a random key pair.
class RandomIdentityMaker final : public IdentityMaker {
 public:
  explicit RandomIdentityMaker(const Clock& clock) : clock_(clock) {}
  IdentitySource make() override;

 private:
  const Clock& clock_;
};

class Identity {
 public:
  static constexpr std::string_view path = "identity.json";
  static constexpr std::string_view token_path = "token";
  static constexpr std::string_view told_path = "told.json";

  // Reads the identity or makes a new one, counts this start, and saves it. With another board serial than
  // the saved one the card was copied: a new identity is made, the old one's files are kept aside, and
  // cloned_from() names it. Errors: those of Disk, corrupted (a person must decide: the message says how).
  static Result<Identity> load(Disk& disk, IdentityMaker& maker, std::string_view board_serial, Logger log);

  const std::string& device_id() const { return device_id_; }
  const std::string& public_key() const { return keys_.public_key; }
  const std::string& serial() const { return serial_; }
  const std::string& cloned_from() const { return cloned_from_; }  // a device id, or empty
  std::int64_t start_count() const { return start_count_; }
  const std::string& token() const { return token_; }  // empty: none

  Result<void> save_token(Disk& disk, std::string_view token);
  // Makes the next session epochs go beyond one that the hub has seen (a restored backup of the state
  // folder).
  Result<void> raise_start_count(Disk& disk, std::int64_t above);
  // Of the device's present facts those that the hub has not been told. It is told of changes here only, so
  // that what an operator changes there stays.
  JsonObject untold(const JsonObject& facts) const;
  Result<void> save_told(Disk& disk, JsonObject facts);
  Result<std::string> sign(std::string_view message) const;

 private:
  Result<void> save(Disk& disk) const;

  std::string device_id_;
  Ed25519KeyPair keys_;
  std::string serial_;
  std::string cloned_from_;
  std::int64_t start_count_ = 0;
  std::string token_;
  JsonObject told_;
  // Of a device that has enrolled: its name and zone were told then, and may have been changed at the hub
  // since.
  bool told_is_lost_ = false;
};

}  // namespace starling::agent
