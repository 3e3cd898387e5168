// Purpose: the pieces that several messages share, written and read in one way.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "protocol/field_reader.hpp"
#include "protocol/messages.hpp"
#include "protocol/object_writer.hpp"

namespace starling::protocol {

inline constexpr std::size_t max_id_bytes = 128;
inline constexpr std::size_t max_key_bytes = 256;
inline constexpr std::size_t max_text_bytes = 4096;
inline constexpr std::size_t max_errors = 256;
inline constexpr std::size_t max_edits = 1024;
inline constexpr std::size_t max_keys = 1024;
inline constexpr std::size_t max_components = 256;
// What JSON carries exactly (RFC 8259 section 6).
inline constexpr std::int64_t max_integer = (std::int64_t{1} << 53) - 1;

void append_errors(std::string& out, const std::vector<KeyError>& errors);
std::vector<KeyError> read_errors(FieldReader& reader, std::string_view key);

void write_members(ObjectWriter& writer, const ActionResult& result);
ActionResult read_action_result(FieldReader& reader);

// The text of `type`, and the object. Errors: invalid_argument, too_large.
struct TypedObject {
  Json value;  // an object
  std::string type;
};
Result<TypedObject> parse_typed_object(std::string_view text, std::size_t max_bytes);

}  // namespace starling::protocol
