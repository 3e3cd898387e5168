#include "cli/selector_check.hpp"

#include <fmt/format.h>

#include <set>

#include "base/shell_word.hpp"
#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"

namespace starling::cli {
namespace {

// The label that was probably meant, of those that devices have. Only a hint.
std::string meant_label(ApiClient& api, std::string_view selector) {
  const auto devices = api.list("/api/v1/devices");
  if (!devices) return {};
  std::set<std::string> labels;
  for (const Json& device : array_at(*devices, {"items"})) {
    for (const auto& [key, value] : object_at(as_object(device), {"labels"}))
      labels.insert(fmt::format("{}={}", std::string_view(key), show_value(value)));
  }
  return nearest(selector, {labels.begin(), labels.end()});
}

}  // namespace

std::string device_meant(ApiClient& api, std::string_view selector, std::string_view instead) {
  const bool is_name = !selector.empty() && selector.find_first_of("=!,") == std::string_view::npos;
  if (!is_name || !find_device(api, selector)) return {};
  const std::string name = printable(selector);
  return fmt::format("'{}' is a device, and --on takes labels: write {}{}", name, instead, shell_word(name));
}

std::unexpected<Error> query_failed(ApiClient& api, const Result<JsonObject>& answer,
                                    std::string_view selector, std::string_view instead) {
  if (answer.error().code != ErrorCode::invalid_argument) return fail(answer);
  std::string device = device_meant(api, selector, instead);
  if (device.empty()) return fail(answer);
  return fail(ErrorCode::invalid_argument, std::move(device));
}

Result<void> check_some_match(ApiClient& api, std::string_view selector, std::string_view instead,
                              std::string_view advice) {
  const auto matching = api.get("/api/v1/devices", {{"limit", "1"}, {"selector", std::string(selector)}});
  if (matching && !array_at(*matching, {"items"}).empty()) return {};
  if (!matching && matching.error().code != ErrorCode::invalid_argument) return {};
  if (std::string device = device_meant(api, selector, instead); !device.empty())
    return fail(ErrorCode::invalid_argument, std::move(device));
  if (!matching) return {};
  const std::string meant = meant_label(api, selector);
  return fail(
      ErrorCode::not_found,
      fmt::format("no device matches '{}' now{}\n  {}'starling device list' shows the labels.",
                  printable(selector),
                  meant.empty() ? "" : fmt::format("; did you mean '{}'?", printable(meant)), advice));
}

}  // namespace starling::cli
