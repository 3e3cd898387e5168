#include "protocol/software_document.hpp"

#include "protocol/document.hpp"
#include "protocol/field_reader.hpp"
#include "protocol/version.hpp"

namespace starling::protocol {

Json SoftwareDocument::to_json() const {
  JsonObject section;
  if (release) section[release_field] = *release;
  if (with.empty()) return section;
  JsonObject patches;
  if (!with.settings.empty()) patches[to_string(Section::settings)] = with.settings;
  if (!with.modules.empty()) patches[to_string(Section::modules)] = with.modules;
  section[with_field] = std::move(patches);
  return section;
}

Result<SoftwareDocument> SoftwareDocument::from_json(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::invalid_argument, "a software section must be an object");
  FieldReader reader(json.get_object());
  SoftwareDocument document;
  const Json* said = json.get_object().if_contains(release_field);
  if (said != nullptr && !said->is_null()) {
    document.release = reader.optional_text(release_field, max_version_bytes);
    if (!parse_version(*document.release)) reader.refuse(release_field, "must be a version like v1.2.3");
  }
  reader.optional_within(with_field, [&](FieldReader& with) {
    document.with.settings = with.optional_object(to_string(Section::settings));
    document.with.modules = with.optional_object(to_string(Section::modules));
  });
  if (!document.release && !document.with.empty()) reader.refuse(with_field, "must go with a release");
  return reader.finish<SoftwareDocument>(std::move(document));
}

}  // namespace starling::protocol
