// Purpose: the few lines that the keeper says, in the form of the agent's log (base/log.hpp), which would
// cost more than the rest of the keeper. Owner: main(). Thread: main. Lifetime: outlives its users.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace starling::keeper {

class Log {
 public:
  enum class Format { automatic, text, json };  // automatic: text if standard error is a terminal
  struct Field {
    Field(std::string_view n, std::string_view v) : name(n), value(v) {}
    Field(std::string_view n, long v) : name(n), value(std::to_string(v)), number(true) {}
    std::string_view name;
    std::string value;
    bool number = false;
  };
  using Fields = std::initializer_list<Field>;

  Log(const Clock& clock, Format format);

  void info(std::string_view message, Fields fields = {}) const { write("info", "INFO ", message, fields); }
  void warning(std::string_view message, Fields fields = {}) const {
    write("warning", "WARN ", message, fields);
  }
  void error(std::string_view message, Fields fields = {}) const { write("error", "ERROR", message, fields); }

 private:
  void write(std::string_view level, std::string_view label, std::string_view message, Fields fields) const;

  const Clock& clock_;
  bool json_;
};

}  // namespace starling::keeper
