// Purpose: the states of a rollout and every arrow between them: one table, and nothing else decides.
// Owner: constants. Thread: any. Lifetime: none.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace starling::hub {

enum class RolloutState {
  awaiting,  // the next stage needs an approval, or to be looked at
  ready,     // it may open, once a maintenance window does
  settling,  // a stage is open: its devices take the new values
  soaking,   // they have; whether they stay well is waited for
  held,      // stopped by hand between stages
  paused,    // stopped by hand within a stage; its devices keep the new values
  yielding,  // superseded: its devices keep the new values until the rollout that came after it reaches them
  finished,  // the new values are everybody's
  aborted,   // taken back by hand
  stopped,   // taken back by itself: too many failures
  superseded,  // over, without its values
};
inline constexpr std::size_t rollout_states = 11;

enum class RolloutEvent {
  approve,    // the next stage is approved, or needs no approval
  open,       // its stage opens
  settled,    // no device of it is waited for
  unsettled,  // one is
  soaked,     // and another stage follows
  done,       // and none does
  pause,
  resume,
  fail,  // too many failures
  abort,
  supersede,  // by another rollout of the same settings
  take_up,    // that one was taken back: its stages go on
  release,    // that one has finished, or the settings were written past it
};
inline constexpr std::size_t rollout_events = 13;

namespace rollout_table {
using enum RolloutState;
using Row = std::array<std::optional<RolloutState>, rollout_events>;
inline constexpr std::optional<RolloutState> stays = std::nullopt;

// clang-format off
inline constexpr std::array<Row, rollout_states> table{{
  //               approve open      settled  unsettled soaked    done      pause   resume    fail     abort    supersede take_up   release
  /* awaiting   */ {ready, stays,    stays,   stays,    stays,    stays,    held,   stays,    stopped, aborted, yielding, stays,    superseded},
  /* ready      */ {stays, settling, stays,   stays,    stays,    stays,    held,   stays,    stopped, aborted, yielding, stays,    superseded},
  /* settling   */ {stays, stays,    soaking, stays,    stays,    stays,    paused, stays,    stopped, aborted, yielding, stays,    superseded},
  /* soaking    */ {stays, stays,    stays,   settling, awaiting, finished, paused, stays,    stopped, aborted, yielding, stays,    superseded},
  /* held       */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  awaiting, stopped, aborted, yielding, stays,    superseded},
  /* paused     */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  settling, stopped, aborted, yielding, stays,    superseded},
  /* yielding   */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  stays,    stays,   aborted, stays,    settling, superseded},
  /* finished   */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  stays,    stays,   stays,   stays,    stays,    stays     },
  /* aborted    */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  stays,    stays,   stays,   stays,    stays,    stays     },
  /* stopped    */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  stays,    stays,   stays,   stays,    stays,    stays     },
  /* superseded */ {stays, stays,    stays,   stays,    stays,    stays,    stays,  stays,    stays,   stays,   stays,    stays,    stays     },
}};
// clang-format on
}  // namespace rollout_table

constexpr std::optional<RolloutState> next_state(RolloutState from, RolloutEvent event) {
  return rollout_table::table[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
}

constexpr bool has_ended(RolloutState state) {
  return state >= RolloutState::finished;
}

constexpr std::string_view to_string(RolloutState state) {
  constexpr std::array<std::string_view, rollout_states> names{"awaiting", "ready",   "settling",  "soaking",
                                                               "held",     "paused",  "yielding",  "finished",
                                                               "aborted",  "stopped", "superseded"};
  return names[static_cast<std::size_t>(state)];
}

// What the log keeps of them. Whether an open stage has settled follows from what its devices report.
enum class KeptRolloutState {
  awaiting,
  ready,
  open,
  held,
  paused,
  yielding,
  finished,
  aborted,
  stopped,
  superseded
};

constexpr KeptRolloutState kept(RolloutState state) {
  const auto number = static_cast<std::size_t>(state);
  const bool beyond = state >= RolloutState::soaking;
  return static_cast<KeptRolloutState>(beyond ? number - 1 : number);
}
constexpr RolloutState started_from(KeptRolloutState state) {
  const auto number = static_cast<std::size_t>(state);
  return static_cast<RolloutState>(state > KeptRolloutState::open ? number + 1 : number);
}
constexpr std::string_view to_string(KeptRolloutState state) {
  return state == KeptRolloutState::open ? "open" : to_string(started_from(state));
}

}  // namespace starling::hub
