#include "base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <iterator>

#include "base/utf8.hpp"

namespace starling {
namespace {

struct LevelStyle {
  std::string_view name;   // JSON and settings
  std::string_view label;  // text, five columns
  std::string_view colour;
};

const LevelStyle& style(LogLevel level) {
  static constexpr LevelStyle styles[] = {{"debug", "DEBUG", "\033[2m"},
                                          {"info", "INFO ", "\033[32m"},
                                          {"warning", "WARN ", "\033[33m"},
                                          {"error", "ERROR", "\033[31m"}};
  return styles[static_cast<std::size_t>(level)];
}

void append_json_string(std::string& line, std::string_view text) {
  const bool utf8 = is_utf8(text);  // else its odd bytes are escaped one by one: a line is always valid JSON
  line += '"';
  for (const char c : text) {
    switch (c) {
      case '"': line += "\\\""; break;
      case '\\': line += "\\\\"; break;
      case '\n': line += "\\n"; break;
      case '\r': line += "\\r"; break;
      case '\t': line += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
            (!utf8 && static_cast<unsigned char>(c) >= 0x80)) {
          fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          line += c;
        }
    }
  }
  line += '"';
}

// Plain words stand as they are; anything that could break the line or confuse a reader is quoted.
void append_text_string(std::string& line, std::string_view text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && c != '"' && c != '=';
  });
  if (plain) {
    line += text;
  } else {
    append_json_string(line, text);
  }
}

struct AppendValue {
  std::string& line;
  bool json;

  void operator()(std::string_view text) const {
    if (json) {
      append_json_string(line, text);
    } else {
      append_text_string(line, text);
    }
  }
  void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(line), "{}", number); }
  void operator()(double number) const {
    if (json && !std::isfinite(number)) {
      line += "null";
    } else {
      fmt::format_to(std::back_inserter(line), "{}", number);
    }
  }
  void operator()(bool truth) const { line += truth ? "true" : "false"; }
};

using Fields = std::initializer_list<LogField>;

void append_json_line(std::string& line, WallTime now, LogLevel level, std::string_view component,
                      std::string_view message, Fields fields) {
  line += R"({"time":")";
  line += to_rfc3339(now);
  line += R"(","level":")";
  line += style(level).name;
  line += R"(","part":)";
  append_json_string(line, component);
  line += R"(,"message":)";
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.name);
    line += ':';
    std::visit(AppendValue{line, true}, field.value);
  }
  line += "}\n";
}

// 22:33:00.123 INFO  hub.link    device enrolled  device=0193 name="Baby Toy"
void append_text_line(std::string& line, WallTime now, LogLevel level, std::string_view component,
                      std::string_view message, Fields fields, bool colour) {
  line += std::string_view(to_rfc3339(now)).substr(11, 12);
  line += ' ';
  if (colour) line += style(level).colour;
  line += style(level).label;
  if (colour) line += "\033[0m";
  fmt::format_to(std::back_inserter(line), " {:<12} ", component);
  for (const char c : message)
    line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  line += ' ';
  for (const LogField& field : fields) {
    line += ' ';
    if (colour) line += "\033[2m";
    line += field.name;
    line += '=';
    if (colour) line += "\033[0m";
    std::visit(AppendValue{line, false}, field.value);
  }
  while (line.back() == ' ')
    line.pop_back();
  line += '\n';
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "debug") return LogLevel::debug;
  if (lower == "info") return LogLevel::info;
  if (lower == "warning" || lower == "warn") return LogLevel::warning;
  if (lower == "error" || lower == "critical") return LogLevel::error;
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is not a log level: use debug, info, warning or error", name));
}

std::string_view to_string(LogLevel level) {
  return style(level).name;
}

Log::Log(const Clock& clock, int descriptor, LogFormat format)
    : clock_(clock),
      descriptor_(descriptor),
      terminal_(::isatty(descriptor) == 1),
      json_(format == LogFormat::json || (format == LogFormat::automatic && !terminal_)) {}

void Log::write(LogLevel level, std::string_view component, std::string_view message, Fields fields) {
  std::string line;
  line.reserve(256);
  if (json_) {
    append_json_line(line, clock_.wall(), level, component, message, fields);
  } else {
    append_text_line(line, clock_.wall(), level, component, message, fields, terminal_);
  }
  // One write for a line keeps lines of several threads and processes whole. A log that cannot be written
  // has nowhere to say so.
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
}

}  // namespace starling
