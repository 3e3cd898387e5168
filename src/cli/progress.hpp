// Purpose: waits until every device that a change concerns has answered, and shows it.
// Owner: the command. Thread: one. Lifetime: short.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"

namespace starling::cli {

// Between two looks at something that goes on at the hub: the first wait, and the longest that it grows to.
inline constexpr Milliseconds first_look_wait{50}, longest_look_wait{1'000};

struct ProgressCounts {
  std::int64_t targeted = 0;
  std::int64_t applied = 0;
  std::int64_t pending = 0;
  std::int64_t refused = 0;
  std::int64_t offline = 0;
  std::int64_t cannot_answer = 0;    // clients of a kind that never says what it made of a change
  std::int64_t lacks_component = 0;  // devices that do not have what it sets
  std::int64_t lacks_module = 0;     // nor a module that it enables or disables
  std::int64_t masked = 0;           // a layer above has another value
  std::int64_t overtaken = 0;        // a newer change of the layer has
};

ProgressCounts counts_of(const JsonObject& progress);

// "[##########......] 5/8 applied, 1 refused, 2 pending" in at most `width` columns.
std::string progress_bar(const ProgressCounts& counts, Seconds elapsed, std::size_t width);

// done: applied by all that can say so and have no other value from a layer above; refused: some refused, a
// newer change has overtaken it, or a layer above says otherwise wherever it could be applied; unfinished:
// some are offline or have not answered.
ExitCode outcome_of(const ProgressCounts& counts);

// Polls the change's progress until nothing is pending or the time is over. Returns the last answer.
// A hub that is away for a moment is waited for as well. `of`: the devices that are asked about, if not all.
Result<JsonObject> wait_for_change(Session& session, std::int64_t revision, Seconds timeout,
                                   const Parameters& of = {});

// Who applied it, who refused and why, who is offline, who cannot say.
void print_progress(Session& session, const JsonObject& progress);

// --wait and --wait-timeout.
class WaitOptions {
 public:
  void add_to(CLI::App& app);
  bool wanted() const { return wait_; }
  Seconds timeout() const { return Seconds(timeout_seconds_); }

 private:
  bool wait_ = false;
  std::int64_t timeout_seconds_ = 60;
};

}  // namespace starling::cli
