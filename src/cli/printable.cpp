#include "cli/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/json_text.hpp"

namespace starling::cli {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

CodePoint decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  std::uint32_t value = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    value = (value << 6) | (next & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest[length] || value > 0x10ffff || surrogate) return {};
  return {value, length};
}

struct Range {
  std::uint32_t first, last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, std::uint32_t value) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [value](Range range) { return value >= range.first && value <= range.last; });
}

// What acts on a terminal instead of showing: controls, line and paragraph separators, bidirectional
// controls.
constexpr std::array<Range, 8> unsafe{{{0x00, 0x1f},
                                       {0x7f, 0x9f},
                                       {0x061c, 0x061c},
                                       {0x200e, 0x200f},
                                       {0x2028, 0x202e},
                                       {0x2066, 0x2069},
                                       {0xfff9, 0xfffb},
                                       {0xe0000, 0xe007f}}};
constexpr std::array<Range, 9> combining{{{0x0300, 0x036f},
                                          {0x0483, 0x0489},
                                          {0x0591, 0x05bd},
                                          {0x1ab0, 0x1aff},
                                          {0x1dc0, 0x1dff},
                                          {0x200b, 0x200d},
                                          {0x20d0, 0x20ff},
                                          {0xfe00, 0xfe0f},
                                          {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 12> wide{{{0x1100, 0x115f},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0x33ff},
                                      {0x3400, 0x4dbf},
                                      {0x4e00, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0x1f300, 0x1f64f},
                                      {0x1f680, 0x1f9ff},
                                      {0x20000, 0x3fffd}}};

std::size_t width_of(std::uint32_t value) {
  if (value < 0x300) return 1;
  if (within(combining, value)) return 0;
  return within(wide, value) ? 2 : 1;
}

std::string escaped(std::uint32_t value) {
  switch (value) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return value < 0x80 ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{:04x}", value);
  }
}

std::string escape_for_terminal(std::string_view text, bool keep_line_feeds) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.bytes == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    const bool kept = keep_line_feeds && point.value == '\n';
    if (!kept && within(unsafe, point.value)) {
      out += escaped(point.value);
    } else {
      out += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return out;
}

// In serialised JSON only strings can hold anything but ASCII or hold controls, so escapes there are string
// escapes.
std::string escape_in_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.bytes == 0) {
      out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    if (point.value > 0xffff && within(unsafe, point.value)) {
      const std::uint32_t offset = point.value - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (offset >> 10), 0xdc00 + (offset & 0x3ff));
    } else if (within(unsafe, point.value)) {
      out += fmt::format("\\u{:04x}", point.value);
    } else {
      out += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return out;
}

std::string one_line(const Json& value) {
  return escape_in_json(json_text(value));
}

bool is_flat(const JsonArray& array) {
  return std::none_of(array.begin(), array.end(),
                      [](const Json& v) { return v.is_object() || v.is_array(); });
}

void write_pretty(const Json& value, std::size_t indent, std::string& out) {
  const std::string inner(indent + 2, ' ');
  if (value.is_object() && !value.get_object().empty()) {
    out += "{\n";
    std::string_view separator = "";
    for (const auto& [key, member] : value.get_object()) {
      out += separator;
      out += inner + one_line(Json(key)) + ": ";
      write_pretty(member, indent + 2, out);
      separator = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + "}";
  } else if (value.is_array() && !is_flat(value.get_array())) {
    out += "[\n";
    std::string_view separator = "";
    for (const auto& member : value.get_array()) {
      out += separator;
      out += inner;
      write_pretty(member, indent + 2, out);
      separator = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + "]";
  } else {
    out += one_line(value);
  }
}

}  // namespace

std::string printable(std::string_view text) {
  return escape_for_terminal(text, false);
}
std::string printable_lines(std::string_view text) {
  return escape_for_terminal(text, true);
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    width += point.bytes == 0 ? 1 : width_of(point.value);
    text.remove_prefix(std::max<std::size_t>(point.bytes, 1));
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t width = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    const CodePoint point = decode(text.substr(end));
    const std::size_t next = point.bytes == 0 ? 1 : width_of(point.value);
    if (width + next > columns - 1) break;
    width += next;
    end += std::max<std::size_t>(point.bytes, 1);
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string pretty_json(const Json& value) {
  std::string out;
  write_pretty(value, 0, out);
  return out;
}

std::string compact_json(const Json& value) {
  return one_line(value);
}

std::string show_value(const Json& value) {
  if (value.is_string()) return printable(std::string_view(value.get_string()));
  if (!value.is_array() || !is_flat(value.get_array())) return one_line(value);
  std::string out = "[";
  for (const Json& member : value.get_array()) {
    if (out.size() > 1) out += ", ";
    out += member.is_string() ? one_line(member) : show_value(member);
  }
  return out + "]";
}

}  // namespace starling::cli
