// Purpose: real processes in temporary folders, for tests that drive the binaries as a user does.
// Owner: the test. Thread: the test's. Lifetime: a Process kills its child.
//
// What cannot go on throws std::runtime_error with the child's last words, so that the test fails and says
// why.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/temporary_folder.hpp"

namespace starling::e2e {

inline constexpr std::chrono::seconds patience{30};  // far more than anything needs, sanitizers included

// Looks again and again until the condition holds; throws, naming `what`, when patience is at its end.
void eventually(std::string_view what, const std::function<bool()>& condition,
                std::chrono::seconds limit = patience);

std::string read_text(const std::filesystem::path& path);  // "" if there is no such file
void write_text(const std::filesystem::path& path, std::string_view text, unsigned mode = 0644);

class Process {
 public:
  struct Options {
    std::filesystem::path program;  // a name without a folder is one of ours
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;  // added to that of the test
    std::filesystem::path output;                    // standard output and error are appended to it
  };
  explicit Process(Options options);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  bool running();
  void signal(int number);
  // The exit status, or 128 and the number of the signal that ended it.
  int wait();
  std::string output() const { return read_text(options_.output); }
  pid_t pid() const { return pid_; }

 private:
  bool reap(bool block);

  Options options_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

// Runs to the end.
struct Finished {
  int status = 0;
  std::string output;
};
Finished run(Process::Options options);

}  // namespace starling::e2e
