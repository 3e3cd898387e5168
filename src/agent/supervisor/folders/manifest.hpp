// Purpose: what a module says of itself in its module.toml: how it is started, when it is ready, what it uses
// and what happens when it fails. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

// When a started module counts as ready.
enum class Readiness {
  notify,  // it says READY=1 on its notify socket
  module,  // it says hello on the module socket
  exec,    // it has lived for `ready_after`
};

enum class Retry { always, on_failure, never };

// What happens when settings change that the module uses.
enum class OnChange { notify, signal, restart };

struct ModuleLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint32_t> cpu_percent;  // of one core
  std::optional<std::uint32_t> files;        // open descriptors
  std::optional<std::int32_t> nice;
  std::optional<std::uint64_t> core_bytes;  // of a core dump
  bool operator==(const ModuleLimits&) const = default;
};

// The account of a module's `user`, looked up when the manifest is loaded.
struct Account {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string home;
  bool operator==(const Account&) const = default;
};

struct RenderedFile {
  std::string template_path;  // both absolute
  std::string path;
  bool operator==(const RenderedFile&) const = default;
};

struct ModuleManifest {
  std::string name;    // of its folder: [a-z0-9][a-z0-9_-]{0,63}
  std::string folder;  // absolute

  std::string exec;  // absolute
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string working_folder;  // absolute; the module's own unless it says otherwise

  Readiness readiness = Readiness::exec;
  Milliseconds ready_after{1'000};  // readiness exec
  Milliseconds start_timeout{30'000};
  Milliseconds stop_timeout{10'000};
  int stop_signal = SIGTERM;
  Milliseconds watchdog{0};  // 0: none

  Retry retry = Retry::always;
  std::vector<std::string> after;         // started later than these, whatever becomes of them
  std::vector<std::string> requirements;  // `requires`: runs only while these are there

  std::vector<std::string> uses;  // components, or keys (with a dot)
  OnChange on_change = OnChange::notify;
  int change_signal = SIGHUP;  // on_change signal
  std::vector<RenderedFile> render;
  std::vector<std::string> data;  // names in its folder that a factory reset erases
  Milliseconds prepare_timeout{2'000};

  ModuleLimits limits;
  std::optional<Account> account;  // nullopt: the agent's own
  bool operator==(const ModuleManifest&) const = default;
};

inline constexpr Milliseconds longest_start_timeout{300'000};  // however it is extended

using protocol::valid_module_name;

}  // namespace starling::agent
