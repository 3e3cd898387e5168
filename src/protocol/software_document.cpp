#include "protocol/software_document.hpp"

#include "protocol/field_reader.hpp"
#include "protocol/version.hpp"

namespace starling::protocol {

Json SoftwareDocument::to_json() const {
  JsonObject section;
  if (release) section["release"] = *release;
  return section;
}

Result<SoftwareDocument> SoftwareDocument::from_json(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::invalid_argument, "a software section must be an object");
  FieldReader reader(json.get_object());
  SoftwareDocument document;
  std::string release = reader.optional_text("release", max_version_bytes);
  if (!release.empty()) {
    if (!parse_version(release)) reader.refuse("release", "must be a version like v1.2.3");
    document.release = std::move(release);
  }
  return reader.finish<SoftwareDocument>(std::move(document));
}

}  // namespace starling::protocol
