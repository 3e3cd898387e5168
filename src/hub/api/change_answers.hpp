// Purpose: what a device has made of one change: applied it, refused it and why, or not answered yet.
// Owner: who asks. Thread: the hub's. Lifetime: an answer to a request; state, standings and hub outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "hub/api/standings.hpp"
#include "hub/hub.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/masking.hpp"
#include "hub/settings/written_names.hpp"

namespace starling::hub {

class ChangeAnswers {
 public:
  // In the order in which the API tells how many devices are in each.
  static std::vector<std::string_view> states();
  static constexpr std::string_view applied = "applied";

  struct Answer {
    std::string_view state;
    JsonObject more = {};  // why
  };

  ChangeAnswers(Hub& hub, const FleetState& state, FleetStandings& standings, const Change& change);

  // Nothing: no device has this place (any more).
  std::optional<Answer> of(Place place);
  // Whether the caller has had its turn: so much had to be read since this was last true.
  bool turn_is_over();

 private:
  using Standing = DeviceDescription::Standing;
  struct Judgement {
    Standing standing = Standing::applied;
    std::vector<protocol::KeyError> errors = {};  // why it is refused
  };

  Standing known_of_absent(Standing standing, const DeviceRecord* record) const;
  Judgement judge(Place place, const DeviceRecord* record);
  Judgement judge_settings(Place place, const DeviceRecord* record, const DeviceFacts& facts);
  Judgement judge_modules(Place place, const DeviceRecord* record, const DeviceFacts& facts);
  bool has_brought(const QuarantinedSetting& kept) const;
  std::vector<protocol::KeyError> without_folder(const DeviceFacts& facts) const;
  bool is_under_way(const DeviceRecord* record, const DeviceFacts& facts) const;
  std::string waits_of(const DeviceRecord* record) const;

  Hub& hub_;
  const FleetState& state_;
  FleetStandings& standings_;
  const std::int64_t revision_;
  const WrittenNames written_;
  const SetByChange set_;
  const Sections sections_;
  std::size_t waits_told_ = 0;
  std::size_t read_ = 0;
};

}  // namespace starling::hub
