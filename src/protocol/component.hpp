// Purpose: a component: a named set of settings with a JSON Schema (draft-07), aliases, units, descriptions.
// Owner: shared and immutable (`shared_ptr<const Component>`), because class documents and sessions keep the
// version that they were resolved with. Thread: any. Lifetime: as long as somebody holds it.
//
// A component file (components/hotword.json) is a draft-07 schema of an object. `title` and `description` are
// for people; `x-component` is the name; each property is one setting and must have `default`, and may have
// `x-alias` (the documents' name, HOTWORD_MODELS), `x-unit`, `x-owner` (hub, device, shared; default shared),
// `x-file` (its value names files: a string or a list of strings), `description`. A property's schema may use
// every draft-07 keyword but $ref, format, patternProperties, dependencies and lists in `items`, and
// `pattern` as setting_pattern.hpp bounds it; an unknown keyword is an error, because a misspelt one would
// not protect.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/json_folder.hpp"
#include "base/result.hpp"

namespace starling::protocol {

enum class SettingOwner { hub, device, shared };

struct SettingSchema {
  std::string key;    // full name: "hotword.models"
  std::string alias;  // "HOTWORD_MODELS"; empty if none
  std::string unit;
  std::string description;
  SettingOwner owner = SettingOwner::shared;
  bool names_files = false;  // its value is a file's name, or a list of them
  Json default_value;
  Json schema;  // the property's own draft-07 schema
};

class Component {
 public:
  // Checks the file's form, compiles the schema, checks that every default is valid.
  // Errors: invalid_argument with the JSON pointer.
  static Result<std::shared_ptr<const Component>> from_json(const Json& file);
  ~Component();

  const std::string& name() const { return name_; }
  const Digest& schema_hash() const { return schema_hash_; }  // of the whole file, canonical
  const Json& file() const { return file_; }
  const std::vector<SettingSchema>& settings() const { return settings_; }  // sorted by key
  const SettingSchema* find(std::string_view key) const;                    // full key

  // The value as it will be stored and hashed: numbers that the schema calls integers become integers (5.0 is
  // 5). Nothing else is converted. Null is never valid; see setting_schema.hpp for the other limits. Errors:
  // invalid_argument; `field` is a JSON pointer into the value.
  Result<Json> validate(std::string_view key, const Json& value) const;

 private:
  struct Compiled;
  Component();
  Result<void> compile_settings();
  std::string name_;
  Digest schema_hash_;
  Json file_;
  std::vector<SettingSchema> settings_;
  std::unique_ptr<Compiled> compiled_;
};

// A set of components, each name once. A value type: copying copies pointers.
class Catalog {
 public:
  // Replaces the component of that name. Errors: already_exists if another component has one of its aliases;
  // nothing is changed then.
  [[nodiscard]] Result<void> put(std::shared_ptr<const Component> component);
  void remove(std::string_view component);
  const Component* component(std::string_view name) const;
  std::shared_ptr<const Component> shared(std::string_view name) const;

  // By full key or by alias. nullptr if unknown.
  const SettingSchema* find(std::string_view key_or_alias) const;
  // Errors: invalid_argument for an unknown key, naming what was probably meant.
  Result<const SettingSchema*> require(std::string_view key_or_alias) const;
  // require + Component::validate.
  Result<Json> validate(std::string_view key, const Json& value) const;

  const std::map<std::string, std::shared_ptr<const Component>, std::less<>>& components() const {
    return components_;
  }

 private:
  std::map<std::string, std::shared_ptr<const Component>, std::less<>> components_;
  std::map<std::string, std::string, std::less<>> aliases_;  // alias → full key
};

// The components that files declare; a later file of the same component replaces an earlier one. Errors:
// those of Component::from_json and Catalog::put, naming the file and the place in it; invalid_argument if
// there is none.
Result<Catalog> catalog_of(std::span<const JsonFile> files);

// "hotword" of "hotword.models"; empty if there is no dot.
std::string_view component_of(std::string_view key);

// The setting that says which persona is active; it belongs to no component file.
inline constexpr std::string_view persona_active_key = "persona.active";

}  // namespace starling::protocol
