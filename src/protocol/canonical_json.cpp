#include "protocol/canonical_json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace starling::protocol {
namespace {

constexpr std::int64_t largest_exact_integer = std::int64_t{1} << 53;

void append_integer(std::string& out, std::int64_t value) {
  char text[24];
  const auto end = std::to_chars(std::begin(text), std::end(text), value);
  out.append(text, end.ptr);
}

// ECMA-262 section 7.1.12.1 (Number::toString): the shortest digits that read back as the same double, laid
// out by where the decimal point falls.
void append_double(std::string& out, double value) {
  if (value == 0 ||
      !std::isfinite(value)) {  // JSON has no other way to write the latter; parsers never make it
    out += '0';
    return;
  }
  char scientific[40];
  const auto end =
      std::to_chars(std::begin(scientific), std::end(scientific), value, std::chars_format::scientific);
  std::string_view text(scientific, end.ptr);
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const auto e = text.find('e');
  std::string digits(1, text.front());
  if (e > 1) digits.append(text.substr(2, e - 2));
  int exponent = 0;
  const auto from = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(from, text.data() + text.size(), exponent);

  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // the value is 0.digits x 10^point
  if (count <= point && point <= 21) {
    out += digits;
    out.append(static_cast<std::size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(point));
    out += '.';
    out.append(digits, static_cast<std::size_t>(point));
  } else if (-6 < point && point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else {
    out += digits.front();
    if (count > 1) {
      out += '.';
      out.append(digits, 1);
    }
    out += exponent < 0 ? "e-" : "e+";
    append_integer(out, std::abs(exponent));
  }
}

void append_number(std::string& out, std::int64_t value) {
  if (value >= -largest_exact_integer && value <= largest_exact_integer) {
    append_integer(out, value);
  } else {
    append_double(out, static_cast<double>(value));
  }
}

// UTF-8 bytes compare like code points. UTF-16 code units differ from that in one place: surrogates (lead
// byte F0 and above) come before U+E000 to U+FFFF (lead bytes EE and EF).
int utf16_rank(unsigned char byte) {
  if (byte >= 0xF0) return byte - 2;
  if (byte >= 0xEE) return byte + 0x100;
  return byte;
}

bool utf16_less(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  if (left == a.end()) return true;
  return utf16_rank(static_cast<unsigned char>(*left)) < utf16_rank(static_cast<unsigned char>(*right));
}

using Member = JsonObject::value_type;

bool member_less(const Member* a, const Member* b) {
  return utf16_less(a->key(), b->key());
}

void append_array(std::string& out, const JsonArray& array) {
  out += '[';
  bool first = true;
  for (const Json& element : array) {
    if (!first) out += ',';
    first = false;
    append_canonical_json(out, element);
  }
  out += ']';
}

}  // namespace

void append_canonical_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    out += '\\';
    switch (c) {
      case '"': out += '"'; break;
      case '\\': out += '\\'; break;
      case '\b': out += 'b'; break;
      case '\t': out += 't'; break;
      case '\n': out += 'n'; break;
      case '\f': out += 'f'; break;
      case '\r': out += 'r'; break;
      default:
        out += "u00";
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
    }
  }
  out.append(text, copied);
  out += '"';
}

void append_canonical_json(std::string& out, const JsonObject& object) {
  std::vector<const Member*> members;
  members.reserve(object.size());
  for (const Member& member : object)
    members.push_back(&member);
  // Documents are mostly built from sorted maps.
  if (!std::is_sorted(members.begin(), members.end(), member_less)) {
    std::sort(members.begin(), members.end(), member_less);
  }
  out += '{';
  bool first = true;
  for (const Member* member : members) {
    if (!first) out += ',';
    first = false;
    append_canonical_string(out, member->key());
    out += ':';
    append_canonical_json(out, member->value());
  }
  out += '}';
}

void append_canonical_json(std::string& out, const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case boost::json::kind::int64: append_number(out, value.get_int64()); return;
    case boost::json::kind::uint64: append_double(out, static_cast<double>(value.get_uint64())); return;
    case boost::json::kind::double_: append_double(out, value.get_double()); return;
    case boost::json::kind::string: append_canonical_string(out, value.get_string()); return;
    case boost::json::kind::array: append_array(out, value.get_array()); return;
    case boost::json::kind::object: append_canonical_json(out, value.get_object()); return;
  }
}

std::string canonical_json(const Json& value) {
  std::string out;
  append_canonical_json(out, value);
  return out;
}

std::string canonical_json(const JsonObject& object) {
  std::string out;
  append_canonical_json(out, object);
  return out;
}

Digest hash_of(const Json& value) {
  return sha256(canonical_json(value));
}

}  // namespace starling::protocol
