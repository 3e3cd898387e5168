#include "cli/device_lookup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/uuid.hpp"
#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t shortest_prefix = 4;
constexpr std::size_t shortest_shown = 13;  // the whole time of a UUIDv7
constexpr std::size_t candidates_named = 5;

struct Candidate {
  std::string id, name;
};

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::unexpected<Error> ambiguous(std::string_view wanted, const std::vector<Candidate>& matches) {
  std::string message = fmt::format("'{}' is {} devices:", printable(wanted), matches.size());
  for (std::size_t i = 0; i < std::min(matches.size(), candidates_named); ++i) {
    message += fmt::format("\n  {}  {}", printable(matches[i].id), printable(matches[i].name));
  }
  if (matches.size() > candidates_named) message += "\n  ...";
  return fail(ErrorCode::invalid_argument, message + "\nName one of them by its UUID.");
}

std::unexpected<Error> unknown(std::string_view wanted, const JsonArray& devices) {
  std::vector<std::string> names;
  for (const Json& device : devices)
    names.push_back(text_at(as_object(device), {"device_name"}));
  const std::string meant = nearest(wanted, names);
  return fail(
      ErrorCode::not_found,
      fmt::format("no device has the name or UUID '{}'{}\n  'starling device list' shows them all.",
                  printable(wanted),
                  meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", printable(meant))));
}

}  // namespace

Result<std::string> match_device(std::string_view wanted, const JsonArray& devices) {
  const std::string id = lower_case(wanted);
  std::vector<Candidate> named;
  std::vector<Candidate> prefixed;
  for (const Json& item : devices) {
    const JsonObject& device = as_object(item);
    Candidate candidate{text_at(device, {"device_uuid"}), text_at(device, {"device_name"})};
    if (candidate.id == id) return candidate.id;
    if (candidate.name == wanted) {
      named.push_back(std::move(candidate));
    } else if (id.size() >= shortest_prefix && candidate.id.starts_with(id)) {
      prefixed.push_back(std::move(candidate));
    }
  }
  const std::vector<Candidate>& matches = named.empty() ? prefixed : named;
  if (matches.size() == 1) return matches.front().id;
  return matches.empty() ? unknown(wanted, devices) : ambiguous(wanted, matches);
}

Result<std::string> find_device(ApiClient& api, std::string_view wanted) {
  if (const std::string id = lower_case(wanted); is_uuid(id)) return id;
  const auto devices = api.list("/api/v1/devices");
  if (!devices) return fail(devices);
  return match_device(wanted, array_at(*devices, {"items"}));
}

std::string offline_text(const JsonObject& device, WallTime now) {
  if (text_at(device, {"status"}) != "offline") return {};
  const std::string seen = age(text_at(device, {"last_seen"}), now);
  return seen.empty() ? "offline" : fmt::format("offline (last seen {})", seen);
}

Result<std::string> resolve_layer(ApiClient& api, std::string_view layer) {
  for (const std::string_view kind : {"device:", "policy/device:"}) {
    if (!layer.starts_with(kind)) continue;
    auto device = find_device(api, layer.substr(kind.size()));
    if (!device) return device;
    return std::string(kind) + *device;
  }
  return std::string(layer);
}

std::vector<std::string> short_ids(const JsonArray& devices) {
  std::vector<std::string> ids;
  for (const Json& device : devices)
    ids.push_back(text_at(as_object(device), {"device_uuid"}));
  std::vector<std::string> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  std::size_t length = shortest_shown;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const std::string& a = sorted[i - 1];
    const std::string& b = sorted[i];
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    length = std::max(length, static_cast<std::size_t>(differ - a.begin()) + 1);
  }
  for (std::string& id : ids)
    id = id.substr(0, length);
  return ids;
}

}  // namespace starling::cli
