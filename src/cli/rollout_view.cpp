#include "cli/rollout_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "cli/window.hpp"

namespace starling::cli {
namespace {

constexpr std::int64_t whole = 10'000;
constexpr std::size_t bar_cells = 20;

// A number of digits alone; nothing else, and not too many.
std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t number = 0;
  const bool plain = !text.empty() && text.size() <= 9 &&
                     std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!plain) return std::nullopt;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string stage_name(const JsonObject& stage) {
  return find(stage, {"share"}) != nullptr ? percent_text(number_at(stage, {"share"}))
                                           : text_at(stage, {"selector"});
}

std::string stage_bar(const JsonObject& stage) {
  const std::int64_t devices = number_at(stage, {"devices"});
  const auto part = [&](std::int64_t count) {
    if (devices <= 0) return std::size_t{0};
    return static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, devices)) * bar_cells /
           static_cast<std::size_t>(devices);
  };
  const std::size_t done = part(number_at(stage, {"done"}));
  const std::size_t told = std::max(done, part(number_at(stage, {"done"}) + number_at(stage, {"failed"})));
  return "[" + std::string(done, '#') + std::string(told - done, 'x') + std::string(bar_cells - told, '.') +
         "]";
}

std::string stage_counts(const JsonObject& stage) {
  const std::int64_t devices = number_at(stage, {"devices"});
  if (!flag_at(stage, {"open"})) return counted(devices, "device") + ", not open yet";
  if (devices == 0) return "no devices";
  std::string text = fmt::format("{}/{} done", number_at(stage, {"done"}), devices);
  for (const auto& [member, words] :
       {std::pair("failed", "failed"), std::pair("pending", "under way"), std::pair("absent", "away"),
        std::pair("masked", "masked by a higher layer"), std::pair("lacking", "without such settings"),
        std::pair("hindered", "held up by other settings")}) {
    if (const std::int64_t count = number_at(stage, {member}); count > 0)
      text += fmt::format(", {} {}", count, words);
  }
  return text;
}

// An older hub says the principal alone.
std::string name_or(const JsonObject& object, std::string_view name, std::string_view principal) {
  std::string text = text_at(object, {name});
  return text.empty() ? text_at(object, {principal}) : text;
}

std::string approval_text(const JsonObject& stage) {
  if (!flag_at(stage, {"needs_approval"})) return "";
  const std::string by = name_or(stage, "approved_by_name", "approved_by");
  return by.empty() ? "needs approval" : "approved by " + by;
}

// Of the stages that are open.
std::int64_t open_count(const JsonObject& rollout, std::string_view member) {
  std::int64_t sum = 0;
  for (const Json& stage : array_at(rollout, {"stages"})) {
    if (flag_at(as_object(stage), {"open"})) sum += number_at(as_object(stage), {member});
  }
  return sum;
}

std::string windows_text(const JsonObject& rollout) {
  std::string text;
  for (const Json& window : array_at(rollout, {"windows"}))
    text += (text.empty() ? "" : "; ") + window_text(as_object(window));
  return text;
}

bool waits_for_approval(const JsonObject& rollout) {
  const JsonArray& stages = array_at(rollout, {"stages"});
  const std::int64_t open = number_at(rollout, {"open"});
  if (open < 0 || open >= static_cast<std::int64_t>(stages.size())) return false;
  const JsonObject& next = as_object(stages[static_cast<std::size_t>(open)]);
  return flag_at(next, {"needs_approval"}) && text_at(next, {"approved_by"}).empty();
}

// How long a trial takes is the devices' own affair.
std::string under_way_text(const JsonObject& rollout, WallTime now) {
  std::string text;
  if (const std::int64_t trying = number_at(rollout, {"under_way", "on_trial"}); trying > 0)
    text += fmt::format("; {} on trial, for a minute or as they are set", trying);
  if (const std::int64_t waiting = number_at(rollout, {"under_way", "waiting"}); waiting > 0) {
    const std::string first = age(text_at(rollout, {"under_way", "first_switch"}), now);
    const std::string last = age(text_at(rollout, {"under_way", "last_switch"}), now);
    text += fmt::format("; {} switch {}", waiting, first == last ? first : first + " to " + last);
  }
  return text;
}

std::string next_text(const JsonObject& rollout, WallTime now) {
  const std::string state = text_at(rollout, {"state"});
  const std::string id = text_at(rollout, {"id"});
  const std::string soaked = text_at(rollout, {"soaked_at"});
  const std::int64_t pending = open_count(rollout, "pending");
  const bool last =
      number_at(rollout, {"open"}) >= static_cast<std::int64_t>(array_at(rollout, {"stages"}).size());
  const char* what = last ? "it finishes" : "the next stage opens";
  if (state == "awaiting" && waits_for_approval(rollout))
    return "somebody else than its author approves: starling rollout approve " + id;
  if (state == "awaiting") return what + std::string(" in a moment");
  if (state == "ready") return what + std::string(" when its window does");
  if (state == "settling" && pending > 0)
    return fmt::format("{} must answer{}", counted(pending, "device"), under_way_text(rollout, now));
  if (state == "settling")
    return "no device of the open stages has done it: one that is online is waited for";
  if (state == "soaking") return fmt::format("{} {} if all stays well", what, age(soaked, now));
  if (state == "held" || state == "paused") return "starling rollout resume " + id + ", or abort";
  if (state == "yielding") return "rollout " + text_at(rollout, {"heir"}) + " takes its place";
  return "";
}

}  // namespace

Result<Milliseconds> parse_span(std::string_view text) {
  constexpr std::pair<char, std::int64_t> units[] = {{'s', 1}, {'m', 60}, {'h', 3'600}, {'d', 86'400}};
  for (const auto& [unit, seconds] : units) {
    if (!text.ends_with(unit)) continue;
    if (const auto number = digits(text.substr(0, text.size() - 1))) return Seconds(*number * seconds);
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is no span of time, such as 30m, 90s, 2h or 1d", printable(text)));
}

Result<std::int64_t> parse_percent(std::string_view text) {
  const auto wrong = fail(ErrorCode::invalid_argument,
                          fmt::format("'{}' is no percentage, such as 5% or 2.5%", printable(text)));
  if (!text.ends_with('%')) return wrong;
  const std::string_view number = text.substr(0, text.size() - 1);
  const std::size_t point = number.find('.');
  const auto before = digits(number.substr(0, point));
  if (!before || *before > 100) return wrong;
  std::int64_t hundredths = *before * 100;
  if (point != std::string_view::npos) {
    const std::string_view fraction = number.substr(point + 1);
    const auto after = digits(fraction);
    if (!after || fraction.size() > 2) return wrong;
    hundredths += fraction.size() == 1 ? *after * 10 : *after;
  }
  if (hundredths > whole) return wrong;
  return hundredths;
}

std::string percent_text(std::int64_t hundredths) {
  if (hundredths % 100 == 0) return fmt::format("{}%", hundredths / 100);
  return fmt::format("{}%", static_cast<double>(hundredths) / 100.0);
}

Result<JsonArray> parse_stages(std::string_view text, bool need_approval) {
  JsonArray stages;
  std::int64_t last = 0;
  std::string_view label;  // of the stage before
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    JsonObject stage;
    last = 0;
    if (word.find('%') != std::string_view::npos) {
      const auto share = parse_percent(word);
      if (!share) return fail(share);
      if (*share == 0) return fail(ErrorCode::invalid_argument, "a stage of 0% has no devices");
      stage["share"] = last = *share;
      label = {};
    } else if (!word.empty()) {
      if (!label.empty()) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{},{}' reads like two labels of one stage, and a stage is one label: leave "
                                "one out, or put a share between them",
                                printable(label), printable(word)));
      }
      stage["selector"] = label = word;
    } else {
      return fail(ErrorCode::invalid_argument, "a stage is empty: write them like 5%,25%,100%");
    }
    if (need_approval) stage["needs_approval"] = true;
    stages.emplace_back(std::move(stage));
  }
  if (last != whole) {
    return fail(ErrorCode::invalid_argument,
                "the last stage must be all devices of the target: end with 100%, like room=lab,25%,100%");
  }
  return stages;
}

std::string brought_by(const JsonObject& rollout) {
  std::string text;
  std::string layer;
  for (const Json& item : array_at(rollout, {"values"})) {
    const JsonObject& value = as_object(item);
    const Json* given = find(value, {"value"});
    text += text.empty() ? "" : ", ";
    text += text_at(value, {"key"});
    text += given == nullptr ? " unset" : " = " + cut_to_width(show_value(*given), 48);
    layer = text_at(value, {"layer"});
  }
  return text.empty() ? text : text + " on " + (layer == "fleet" ? "the fleet" : layer);
}

std::string stage_line(const JsonObject& rollout) {
  const JsonArray& stages = array_at(rollout, {"stages"});
  std::string text = fmt::format("stage {} of {}", number_at(rollout, {"open"}), stages.size());
  if (const std::int64_t open = number_at(rollout, {"open"}); open > 0) {
    text += fmt::format(": {}/{} done", open_count(rollout, "done"), open_count(rollout, "devices"));
    if (open > 1) text += fmt::format(" in stages 1 to {}", open);
    const std::int64_t failed = open_count(rollout, "failed");
    if (failed > 0) text += fmt::format(", {} failed", failed);
  }
  return text;
}

Colour rollout_colour(std::string_view state) {
  if (state == "finished") return Colour::green;
  if (state == "stopped" || state == "aborted") return Colour::red;
  if (state == "superseded") return Colour::dim;
  return Colour::yellow;
}

std::string rollout_text(const JsonObject& rollout, WallTime now, const Terminal& terminal) {
  const std::string state = text_at(rollout, {"state"});
  std::string text = render_facts({{"rollout", {text_at(rollout, {"id"}), Colour::bold}},
                                   {"state", {state, rollout_colour(state)}},
                                   {"why", text_at(rollout, {"why"})},
                                   {"brings", brought_by(rollout)},
                                   {"windows", windows_text(rollout)},
                                   {"author", name_or(rollout, "author_name", "author")},
                                   {"progress", stage_line(rollout)},
                                   {"next", next_text(rollout, now)}},
                                  terminal);
  Table stages({{"STAGE"}, {"FOR"}, {"PROGRESS"}, {"DEVICES", Table::Align::left, true}, {"APPROVAL"}});
  std::size_t number = 0;
  for (const Json& item : array_at(rollout, {"stages"})) {
    const JsonObject& stage = as_object(item);
    const bool failed = number_at(stage, {"failed"}) > 0;
    const bool open = flag_at(stage, {"open"});
    const Colour colour = failed ? Colour::red : open ? Colour::green : Colour::dim;
    stages.add({std::to_string(++number),
                stage_name(stage),
                {stage_bar(stage), colour},
                stage_counts(stage),
                approval_text(stage)});
  }
  text += "\n" + stages.render(terminal);
  Table failures({{"FAILED", Table::Align::right}, {"WHY", Table::Align::left, true}, {"FOR EXAMPLE"}});
  for (const Json& item : array_at(rollout, {"failures"})) {
    const JsonObject& group = as_object(item);
    failures.add({std::to_string(number_at(group, {"devices"})), text_at(group, {"example"}),
                  text_at(group, {"device_name"})});
  }
  if (!failures.empty()) text += "\n" + failures.render(terminal);
  return text;
}

}  // namespace starling::cli
