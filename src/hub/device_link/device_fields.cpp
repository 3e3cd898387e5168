#include "hub/device_link/device_fields.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.hpp"
#include "base/json_text.hpp"
#include "base/timezone.hpp"
#include "hub/device_link/sessions.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_device_name_bytes = 128;
constexpr std::size_t max_timezone_bytes = 64;
constexpr std::size_t max_metadata_bytes = 16 * 1024;
constexpr std::size_t public_key_bytes = 32;

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

Result<std::optional<std::string>> optional_name(const JsonReader& reader, std::string_view field) {
  auto name = reader.optional_string(field, max_device_name_bytes);
  if (!name || !*name) return name;
  if ((*name)->empty() || has_control_character(**name)) {
    return fail(ErrorCode::invalid_argument, "a name has 1 to 128 bytes and no control characters",
                reader.pointer(field));
  }
  return name;
}

Result<std::optional<std::string>> optional_timezone(const JsonReader& reader) {
  auto timezone = reader.optional_string("timezone", max_timezone_bytes);
  if (!timezone || !*timezone) return timezone;
  if (!is_timezone(**timezone)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is not the name of a time zone like Europe/Berlin that this hub's system "
                            "knows",
                            **timezone),
                reader.pointer("timezone"));
  }
  return timezone;
}

Result<std::optional<std::string>> optional_device_type(const JsonReader& reader) {
  constexpr std::size_t max_bytes = 128;
  auto type = optional_token_text(reader, "device_type", max_bytes);
  if (!type) return fail(type);
  return type->empty() ? std::nullopt : std::optional(std::move(*type));
}

Result<std::optional<JsonObject>> optional_metadata(const JsonReader& reader) {
  const auto metadata = reader.optional_object("metadata");
  if (!metadata) return fail(metadata);
  if (*metadata == nullptr) return std::nullopt;
  if (json_text(**metadata).size() > max_metadata_bytes) {
    return fail(ErrorCode::too_large, "metadata is larger than 16 KiB", reader.pointer("metadata"));
  }
  return **metadata;
}

Result<protocol::Labels> optional_labels(const JsonReader& reader) {
  protocol::Labels labels;
  const auto object = reader.optional_object("labels");
  if (!object) return fail(object);
  if (*object == nullptr) return labels;
  for (const auto& [key, value] : **object) {
    if (!value.is_string()) {
      return fail(ErrorCode::invalid_argument, "a label's value is a string",
                  reader.pointer("labels") + "/" + std::string(key));
    }
    labels[std::string(key)] = std::string(value.get_string());
  }
  if (auto valid = protocol::validate_labels(labels); !valid) {
    return fail(ErrorCode::invalid_argument, valid.error().message, reader.pointer("labels"));
  }
  return labels;
}

Result<std::string> optional_public_key(const JsonReader& reader) {
  auto text = reader.optional_string("public_key", 64);
  if (!text) return fail(text);
  if (!*text || (*text)->empty()) return std::string();
  const auto bytes = base64url_decode(**text);
  if (!bytes || bytes->size() != public_key_bytes) {
    return fail(ErrorCode::invalid_argument, "a public key is 32 bytes of Ed25519 in base64url",
                reader.pointer("public_key"));
  }
  return std::move(**text);
}

Result<std::string> optional_token_text(const JsonReader& reader, std::string_view field,
                                        std::size_t max_bytes) {
  auto text = reader.optional_string(field, max_bytes);
  if (!text) return fail(text);
  if (!*text) return std::string();
  if (has_control_character(**text)) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} has control characters", field),
                reader.pointer(field));
  }
  return std::move(**text);
}

Result<void> check_status(std::string_view status) {
  if (status == "online" || status == "offline" || status == "updating") return {};
  return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not online, offline or updating", status),
              "/status");
}

bool is_sync_status(std::string_view text) {
  for (const auto status :
       {SyncStatus::in_sync, SyncStatus::pending, SyncStatus::staging, SyncStatus::provisional,
        SyncStatus::refused, SyncStatus::reverted, SyncStatus::drifted, SyncStatus::offline}) {
    if (to_string(status) == text) return true;
  }
  return false;
}

}  // namespace starling::hub
