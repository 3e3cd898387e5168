// Purpose: structured logs: readable text on a terminal, one JSON object a line otherwise.
// Owner: main() makes one Log; parts hold a Logger by value. Thread: any (a line is one write).
// Lifetime: the Log outlives every Logger made from it.
//
//   log.info("device enrolled", {{"device", id}, {"name", name}});
//
// Never log a secret: keys, tokens, Wi-Fi passwords.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling {

enum class LogLevel { debug, info, warning, error };
Result<LogLevel> parse_log_level(std::string_view name);  // the document's DEBUG, INFO, ... in any case
std::string_view to_string(LogLevel level);

struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <typename Integer>
  requires std::is_integral_v<Integer> LogField(std::string_view n, Integer v)
      : name(n), value(static_cast<std::int64_t>(v)) {}
};

enum class LogFormat { automatic, text, json };  // automatic: text if the descriptor is a terminal

class Log {
 public:
  Log(const Clock& clock, int descriptor, LogFormat format = LogFormat::automatic);

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  void write(LogLevel level, std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields);

 private:
  const Clock& clock_;
  int descriptor_;
  bool terminal_;
  bool json_;
  std::atomic<LogLevel> level_{LogLevel::info};
};

// A part's handle on the log. A default-made one writes nothing (tests, the simulator).
class Logger {
 public:
  Logger() = default;
  Logger(Log& log, std::string_view component) : log_(&log), component_(component) {}

  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::info, message, fields); }
  void warning(std::string_view message, Fields fields = {}) const {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::error, message, fields); }

 private:
  void write(LogLevel level, std::string_view message, Fields fields) const {
    if (log_ != nullptr && level >= log_->level()) log_->write(level, component_, message, fields);
  }
  Log* log_ = nullptr;
  std::string_view component_;  // a literal
};

}  // namespace starling
