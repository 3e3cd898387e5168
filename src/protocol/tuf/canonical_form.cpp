#include "protocol/tuf/canonical_form.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace starling::protocol::tuf {
namespace {

// Tells whether the value has a canonical form.
bool append(std::string& out, const Json& value);

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

bool append_array(std::string& out, const JsonArray& array) {
  out += '[';
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += ',';
    if (!append(out, array[i])) return false;
  }
  out += ']';
  return true;
}

bool append_object(std::string& out, const JsonObject& object) {
  std::vector<const JsonObject::value_type*> members;
  members.reserve(object.size());
  for (const auto& member : object)
    members.push_back(&member);
  // Bytes of UTF-8 compare like code points.
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) {
    return std::string_view(a->key()) < std::string_view(b->key());
  });
  out += '{';
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i > 0) out += ',';
    append_string(out, members[i]->key());
    out += ':';
    if (!append(out, members[i]->value())) return false;
  }
  out += '}';
  return true;
}

bool append(std::string& out, const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return true;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return true;
    case boost::json::kind::int64: out += std::to_string(value.get_int64()); return true;
    case boost::json::kind::uint64: out += std::to_string(value.get_uint64()); return true;
    case boost::json::kind::double_: return false;
    case boost::json::kind::string: append_string(out, value.get_string()); return true;
    case boost::json::kind::array: return append_array(out, value.get_array());
    case boost::json::kind::object: return append_object(out, value.get_object());
  }
  return false;
}

}  // namespace

Result<std::string> canonical_form(const Json& value) {
  std::string out;
  if (append(out, value)) return out;
  return fail(ErrorCode::invalid_argument,
              "signed metadata has only whole numbers of at most 64 bits; this one has another");
}

}  // namespace starling::protocol::tuf
