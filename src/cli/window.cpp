#include "cli/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cctype>
#include <optional>
#include <vector>

#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "protocol/timing_policy.hpp"

namespace starling::cli {
namespace {

constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::int64_t day_minutes = 1'440;
using Days = std::bitset<day_names.size()>;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<std::size_t> day_of(std::string_view name) {
  std::string small(name);
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto* const found = std::ranges::find(day_names, small);
  if (found == day_names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - day_names.begin());
}

// "Mon-Fri,Sun"; a range may go over the end of the week.
std::optional<Days> days_of(std::string_view text) {
  Days days;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t dash = part.find('-');
    const auto first = day_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (std::size_t day = *first;; day = (day + 1) % days.size()) {
      days.set(day);
      if (day == *last) break;
    }
  }
  return days.none() ? std::nullopt : std::optional(days);
}

struct Hours {
  std::chrono::minutes at{};
  std::int64_t minutes = 0;
};

// "22:00-06:00"; 24:00 is the day's end. The same time twice is the whole day.
std::optional<Hours> hours_of(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view end = text.substr(dash + 1);
  const auto from = protocol::parse_time_of_day(text.substr(0, dash));
  const auto to = end == "24:00" ? std::chrono::minutes(0) : protocol::parse_time_of_day(end);
  if (!from || !to) return std::nullopt;
  const std::int64_t length = (*to - *from).count();
  return Hours{*from, length > 0 ? length : length + day_minutes};
}

}  // namespace

Result<JsonObject> parse_window(std::string_view text) {
  const auto wrong =
      fail(ErrorCode::invalid_argument,
           fmt::format("'{}' is no window, such as 'Mon-Fri 02:00-04:00' or 'Sat,Sun 22:00-06:00 "
                       "Europe/Berlin'",
                       printable(text)));
  std::vector<std::string_view> words = split(text, ' ');
  Days days;
  days.set();
  if (!words.empty() && !words.front().empty() &&
      std::isalpha(static_cast<unsigned char>(words.front()[0])) != 0) {
    const auto named = days_of(words.front());
    if (!named) return wrong;
    days = *named;
    words.erase(words.begin());
  }
  if (words.empty() || words.size() > 2) return wrong;
  const auto hours = hours_of(words.front());
  if (!hours) return wrong;
  JsonArray names;
  for (std::size_t day = 0; day < days.size(); ++day) {
    if (days.test(day)) names.emplace_back(day_names[day]);
  }
  return JsonObject{{"days", std::move(names)},
                    {"at", protocol::time_of_day_text(hours->at)},
                    {"minutes", hours->minutes},
                    {"timezone", words.size() == 2 ? words.back() : std::string_view("UTC")}};
}

std::string window_text(const JsonObject& window) {
  const auto at = protocol::parse_time_of_day(text_at(window, {"at"}));
  if (!at) return "";
  const auto end = std::chrono::minutes((at->count() + number_at(window, {"minutes"})) % day_minutes);
  const JsonArray& days = array_at(window, {"days"});
  const bool daily = days.empty() || days.size() == day_names.size();
  return fmt::format("{}{}-{} {}", daily ? "" : joined(days, ",") + " ", text_at(window, {"at"}),
                     protocol::time_of_day_text(end), text_at(window, {"timezone"}));
}

}  // namespace starling::cli
