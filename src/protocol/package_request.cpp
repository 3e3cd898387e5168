#include "protocol/package_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/release_metadata.hpp"

namespace starling::protocol {
namespace {

constexpr std::array package_actions{std::string_view("fetch"), std::string_view("install"),
                                     std::string_view("go_back"), std::string_view("keep")};
constexpr std::array package_outcomes{std::string_view("fetched"),  std::string_view("old"),
                                      std::string_view("new"),      std::string_view("packages-mixed"),
                                      std::string_view("hindered"), std::string_view("refused")};
constexpr std::size_t max_package_message_bytes = 4096;

template <typename Enum, std::size_t size>
Result<Enum> word_of(const std::array<std::string_view, size>& words, std::string_view text) {
  const auto* const found = std::ranges::find(words, text);
  if (found != words.end()) return static_cast<Enum>(found - words.begin());
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is none of {}", excerpt(text), fmt::join(words, ", ")));
}

Result<Digest> hash_in(const JsonReader& reader, std::string_view key) {
  const auto hex = reader.string(key);
  if (!hex) return fail(hex);
  auto hash = Digest::from_hex(*hex);
  if (hash && *hash) return hash;
  return fail(ErrorCode::invalid_argument, "must be a SHA-256", reader.pointer(key));
}

Result<std::vector<std::string>> packages_in(const JsonReader& reader, std::string_view key) {
  const auto array = reader.array(key);
  if (!array) return fail(array);
  if ((*array)->size() > max_packages)
    return fail(ErrorCode::invalid_argument, "has too many packages", reader.pointer(key));
  std::vector<std::string> packages;
  for (const Json& one : **array) {
    const std::string_view package = one.is_string() ? std::string_view(one.get_string()) : "";
    if (auto checked = check_package(package); !checked)
      return fail(ErrorCode::invalid_argument, checked.error().message, reader.pointer(key));
    packages.emplace_back(package);
  }
  return packages;
}

// As dpkg says them.
Result<std::vector<std::string>> told_packages_in(const JsonReader& reader, std::string_view key) {
  const auto array = reader.array(key);
  if (!array) return fail(array);
  std::vector<std::string> packages;
  for (const Json& one : **array) {
    if (!one.is_string() || packages.size() == max_packages)
      return fail(ErrorCode::invalid_argument, "must be names of packages", reader.pointer(key));
    packages.emplace_back(one.get_string());
  }
  return packages;
}

Result<JsonObject> object_of(std::string_view text, std::size_t max_bytes) {
  auto json = parse_json(text, {.max_bytes = max_bytes, .max_depth = 4});
  if (!json) return fail(json);
  if (!json->is_object()) return fail(ErrorCode::invalid_argument, "must be an object");
  return std::move(json->get_object());
}

}  // namespace

std::string_view to_string(PackageAction action) {
  return package_actions[static_cast<std::size_t>(action)];
}

std::string_view to_string(PackageOutcome outcome) {
  return package_outcomes[static_cast<std::size_t>(outcome)];
}

Result<PackageOutcome> parse_package_outcome(std::string_view text) {
  return word_of<PackageOutcome>(package_outcomes, text);
}

std::string text_of(const PackageRequest& request) {
  JsonObject object{{"action", to_string(request.action)},
                    {"release", request.release.hex()},
                    {"packages", JsonArray(request.packages.begin(), request.packages.end())},
                    {"attempt", request.attempt}};
  return boost::json::serialize(object) + "\n";
}

std::string text_of(const PackageAnswer& answer) {
  const auto end = answer.without_way_back.begin() +
                   static_cast<std::ptrdiff_t>(std::min(answer.without_way_back.size(), max_packages));
  JsonObject object{{"request", answer.request.hex()},
                    {"outcome", to_string(answer.outcome)},
                    {"message", excerpt(answer.message, max_package_message_bytes - 3)},
                    {"without_way_back", JsonArray(answer.without_way_back.begin(), end)}};
  return boost::json::serialize(object) + "\n";
}

Result<PackageRequest> parse_package_request(std::string_view text) {
  const auto object = object_of(text, max_package_request_bytes);
  if (!object) return fail(object);
  const JsonReader reader(*object);
  if (auto known = reader.only({"action", "release", "packages", "attempt"}); !known) return fail(known);
  const auto word = reader.string("action");
  if (!word) return fail(word);
  const auto action = word_of<PackageAction>(package_actions, *word);
  if (!action) return fail(action);
  const auto release = hash_in(reader, "release");
  if (!release) return fail(release);
  auto packages = packages_in(reader, "packages");
  if (!packages) return fail(packages);
  const auto attempt = reader.integer("attempt");
  if (!attempt) return fail(attempt);
  return PackageRequest{*action, *release, std::move(*packages), *attempt};
}

Result<PackageAnswer> parse_package_answer(std::string_view text) {
  const auto object = object_of(text, max_package_answer_bytes);
  if (!object) return fail(object);
  const JsonReader reader(*object);
  const auto request = hash_in(reader, "request");
  if (!request) return fail(request);
  const auto word = reader.string("outcome");
  if (!word) return fail(word);
  const auto outcome = parse_package_outcome(*word);
  if (!outcome) return fail(outcome);
  auto message = reader.string("message", max_package_message_bytes);
  if (!message) return fail(message);
  auto without = told_packages_in(reader, "without_way_back");
  if (!without) return fail(without);
  return PackageAnswer{*request, *outcome, std::move(*message), std::move(*without)};
}

}  // namespace starling::protocol
