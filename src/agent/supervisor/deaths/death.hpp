// Purpose: how a module's process ended, as the supervisor saw it, and what an examination of the evidence
// makes of it. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/supervisor/folders/manifest.hpp"
#include "agent/supervisor/keeper/keeper_port.hpp"

namespace starling::agent {

// Why the supervisor itself had begun to end the process; `none`: it did not.
enum class EndedFor { none, stop, watchdog, start_timeout };

struct Death {
  std::string module;
  ChildId child_id;
  std::int32_t pid = 0;
  ChildExit exit;
  EndedFor ended_for = EndedFor::none;
  int end_signal = 0;           // by which the supervisor asked it to end; 0: it did not
  Milliseconds unheeded{0};     // for how long that was, until SIGKILL
  bool forced = false;          // the supervisor sent SIGKILL
  bool ready = false;           // it had been ready
  std::int32_t said_error = 0;  // errno and exit status, as the module told them itself; 0: it did not
  std::int32_t said_status = 0;
  std::string said_text;  // its last STATUS
};

enum class DeathClass {
  finished,  // exit 0
  exit_code,
  signal,
  out_of_memory,
  watchdog,
  start_timeout,
  stopped,  // asked to end, and ended
  unknown,
};

enum class Confidence { certain, likely, guess };

struct DeathReport {
  DeathClass death_class = DeathClass::unknown;
  Confidence confidence = Confidence::certain;
  std::string text;                     // for people: "killed by signal 11 (segmentation fault), core dumped"
  std::vector<std::string> evidence;    // what was looked at, and what it said
  std::vector<std::string> last_lines;  // of its log, newest last
  std::string fingerprint;              // equal for the same crash on other devices
  std::string release;                  // that the module came with; empty: with none
};

struct DeathKind {
  DeathReport newest;  // of those with its fingerprint, without evidence and last lines
  int deaths = 0;
};

// Of one module.
struct DeathCount {
  int all = 0;
  static constexpr std::size_t max_kinds = 8;
  std::vector<DeathKind> kinds;  // the newest last; of those that are no longer kept only `all` knows
};

// Looks at the evidence while it is there: called once for each death, before the tree is made anew, and for
// each process that could not be made.
class DeathExaminer {
 public:
  virtual ~DeathExaminer() = default;
  virtual DeathReport examine(const Death& death) = 0;
  virtual std::string explain(const SpawnFailure& failure, const ModuleManifest& manifest) = 0;
  virtual std::string last_line(std::string_view module) const = 0;  // of its log; empty: there is none
};

}  // namespace starling::agent
