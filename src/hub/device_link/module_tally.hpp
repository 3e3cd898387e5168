// Purpose: how the modules of many devices are, added up: kept current as reports come, so that nobody has to
// read them all again to answer for a fleet.
// Owner: DeviceRecords has one for each fleet; a request about a few devices makes its own. Thread: the
// hub's. Lifetime: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hub/device_link/crash.hpp"

namespace starling::hub {

struct DeviceFacts;

// Of one module, or of one on many devices together.
struct ModuleUse {
  std::int64_t cpu_centipercent = 0, memory_kb = 0, descriptors = 0;
  std::int64_t restarts = 0;  // since the agents started

  void add(const ModuleUse& other, int sign);
};

// What one device says of its modules and its board.
struct ModulesReport {
  struct Module {
    std::string name;  // of its folder; perhaps one that no module can have
    std::string state;
    bool enabled = false;
    bool failing = false;
    ModuleUse use;
  };
  std::vector<Module> modules;
  std::vector<Crash> crashes;
  std::vector<std::string> module_alerts, board_alerts;  // their kinds: "crash_loop"; "disk-low"
  std::optional<std::int64_t> temperature_c, memory_available_percent, disk_free_percent;

  static ModulesReport of(const DeviceFacts& facts);
};

// A number of each of many devices: its extremes.
class Extremes {
 public:
  void count(std::optional<std::int64_t> number, int sign);
  std::optional<std::int64_t> least() const;
  std::optional<std::int64_t> largest() const;

 private:
  std::map<std::int64_t, std::int64_t> devices_;  // by number
};

class ModuleTally {
 public:
  struct Module {
    std::int64_t devices = 0, enabled = 0, failing = 0;
    ModuleUse use;
    std::map<std::string, std::int64_t> by_state;
  };
  struct CrashKind {
    Crash all;  // deaths of all devices; from the first to the last, and what the newest of them said
    std::int64_t devices = 0;
    std::string first_release;
    std::map<std::string, std::int64_t> releases;  // → devices that it was seen on with that one
  };
  using Names = std::pair<std::string, std::string>;

  void add(const ModulesReport& report);
  void remove(const ModulesReport& report);
  // A device that was added says something else now.
  void replace(const ModulesReport& before, const ModulesReport& now);
  // The deaths that `now` tells of and `before` did not.
  void count_new_deaths(const ModulesReport& before, const ModulesReport& now);

  const std::map<std::string, Module>& modules() const { return modules_; }
  const std::map<Names, CrashKind>& crashes() const { return crashes_; }  // by module and fingerprint
  // By module and class, since the hub started; never fewer.
  const std::map<Names, std::uint64_t>& deaths() const { return deaths_; }
  using Kinds = std::map<std::string, std::int64_t>;  // → open alerts of it
  const Kinds& module_alerts() const { return module_alerts_; }
  const Kinds& board_alerts() const { return board_alerts_; }
  std::optional<std::int64_t> hottest_c() const { return temperatures_.largest(); }
  std::optional<std::int64_t> least_memory_percent() const { return memory_available_.least(); }
  std::optional<std::int64_t> least_disk_percent() const { return disk_free_.least(); }

 private:
  void add(const ModulesReport::Module& module, int sign);
  void count_board(const ModulesReport& report, int sign);
  void add(const Crash& crash);
  void remove(const Crash& crash);

  std::map<std::string, Module> modules_;
  std::map<Names, CrashKind> crashes_;
  std::map<Names, std::uint64_t> deaths_;
  Kinds module_alerts_, board_alerts_;
  Extremes temperatures_, memory_available_, disk_free_;
};

}  // namespace starling::hub
