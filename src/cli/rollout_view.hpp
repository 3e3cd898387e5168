// Purpose: a rollout as people see it: a bar for each stage, why devices failed, what comes next; and how
// they write its plan.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/console.hpp"

namespace starling::cli {

// "30m", "90s", "1h", "2d", "0s". Errors: invalid_argument.
Result<Milliseconds> parse_span(std::string_view text);
// "5%", "2.5%" as hundredths of a percent, at most 10000. Errors: invalid_argument.
Result<std::int64_t> parse_percent(std::string_view text);
std::string percent_text(std::int64_t hundredths);
// "room=lab,5%,100%" as the API's stages: percentages, or labels. Errors: invalid_argument.
Result<JsonArray> parse_stages(std::string_view text, bool need_approval);

// "software.release = v1.2.3 on the fleet".
std::string brought_by(const JsonObject& rollout);
// "stage 2 of 3: 40/50 done in stages 1 to 2, 1 failed".
std::string stage_line(const JsonObject& rollout);
// Safe text of several lines.
std::string rollout_text(const JsonObject& rollout, WallTime now, const Terminal& terminal);
Colour rollout_colour(std::string_view state);

}  // namespace starling::cli
