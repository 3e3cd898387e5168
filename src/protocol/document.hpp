// Purpose: the settings section of a device's desired document, as it is hashed, sent, stored and applied.
// Owner: values. Thread: any. Lifetime: none.
//
//   {"components": {"hotword": "<schema hash>"}, "persona": {"name": "TARS", "voice_id": "..."} ,
//    "settings": {"hotword.models": ["Hey_Tars.tflite"], "hotword.threshold": 0.5},
//    "assets": {"Hey_Tars.tflite": {"sha256": "<hash>", "size": 1234}}}
//
// `persona` is absent when none is active, `assets` when no asset is named. The section "modules" is in
// modules_document.hpp, "software" in software_document.hpp.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "protocol/asset_file.hpp"
#include "protocol/resolution.hpp"

namespace starling::protocol {

enum class Section { settings, modules, software };
std::string_view to_string(Section section);
Result<Section> parse_section(std::string_view name);

// Of the empty object: what a device has applied that never had the section.
const Digest& empty_section_hash();

struct SettingsDocument {
  std::map<std::string, Digest, std::less<>> components;  // name → schema hash
  JsonObject persona;                                     // empty: none; else has "name"
  std::map<std::string, Json, std::less<>> settings;      // full key → value
  Assets assets;                                          // that settings and persona name

  Json to_json() const;
  // Errors: invalid_argument with pointer.
  static Result<SettingsDocument> from_json(const Json& json);
  Digest hash() const;  // of canonical to_json()
};

// Calls `named` with each file that the document's settings and persona name; `effective` are its settings.
void for_each_file(std::span<const EffectiveSetting> effective, const JsonObject& persona,
                   const std::function<void(std::string_view)>& named);

SettingsDocument make_settings_document(std::span<const std::shared_ptr<const Component>> components,
                                        std::span<const EffectiveSetting> effective, JsonObject persona,
                                        Assets assets = {});

// Alias → value of every setting that has an alias: what a client without a protocol version is sent.
JsonObject flat_payload(std::span<const std::shared_ptr<const Component>> components,
                        const SettingsDocument& document);

}  // namespace starling::protocol
