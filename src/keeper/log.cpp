#include "keeper/log.hpp"

#include <unistd.h>

namespace starling::keeper {
namespace {

// What could break the line, or is not ASCII and perhaps not UTF-8 either, becomes a question mark.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const bool plain = c >= 0x20 && c < 0x7f;
    if (c == '"' || c == '\\') result += '\\';
    result += plain ? c : '?';
  }
  return result += '"';
}

bool is_one_word(std::string_view text) {
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=') return false;
  }
  return !text.empty();
}

}  // namespace

Log::Log(const Clock& clock, Format format)
    : clock_(clock),
      json_(format == Format::json || (format == Format::automatic && ::isatty(STDERR_FILENO) != 1)) {}

void Log::write(std::string_view level, std::string_view label, std::string_view message,
                Fields fields) const {
  const std::string time = to_rfc3339(clock_.wall());
  std::string line;
  if (json_) {
    line = "{\"time\":\"" + time + "\",\"level\":\"" + std::string(level) +
           "\",\"part\":\"keeper\",\"message\":" + quoted(message);
    for (const Field& field : fields)
      line += "," + quoted(field.name) + ":" + (field.number ? field.value : quoted(field.value));
    line += "}\n";
  } else {
    line = time.substr(11, 12) + " " + std::string(label) + " keeper       " + std::string(message);
    if (fields.size() > 0) line += ' ';
    for (const Field& field : fields) {
      line += " " + std::string(field.name) + "=";
      line += is_one_word(field.value) ? field.value : quoted(field.value);
    }
    line += '\n';
  }
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace starling::keeper
