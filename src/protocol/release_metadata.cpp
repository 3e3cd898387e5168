#include "protocol/release_metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.hpp"
#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

constexpr std::array architectures{std::string_view("all"), std::string_view("amd64"),
                                   std::string_view("arm64"), std::string_view("armhf")};
constexpr std::array update_types{std::string_view("scheduled"), std::string_view("urgent")};
constexpr std::size_t max_package_bytes = 256;

template <typename Enum, std::size_t size>
Result<Enum> parse_one_of(const std::array<std::string_view, size>& names, std::string_view text,
                          std::string_view what) {
  const auto* const found = std::ranges::find(names, text);
  if (found != names.end()) return static_cast<Enum>(found - names.begin());
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is no {}: {}", excerpt(text), what, fmt::join(names, ", ")));
}

bool is_in(char c, std::string_view others) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
}

bool is_package_name(std::string_view name) {
  // A "-" at the end tells apt to remove it.
  return name.size() >= 2 && is_in(name.front(), "") && name.back() != '-' &&
         std::ranges::all_of(name, [](char c) { return is_in(c, "+-."); });
}

bool is_package_version(std::string_view version) {
  return !version.empty() && version.front() >= '0' && version.front() <= '9' &&
         std::ranges::all_of(version, [](char c) { return is_in(c, ".+-~:") || (c >= 'A' && c <= 'Z'); });
}

}  // namespace

std::string_view to_string(Architecture architecture) {
  return architectures[static_cast<std::size_t>(architecture)];
}

Result<Architecture> parse_architecture(std::string_view text) {
  return parse_one_of<Architecture>(architectures, text, "architecture");
}

std::string_view to_string(UpdateType type) {
  return update_types[static_cast<std::size_t>(type)];
}

Result<UpdateType> parse_update_type(std::string_view text) {
  return parse_one_of<UpdateType>(update_types, text, "type of update");
}

Result<void> check_package(std::string_view package) {
  const std::size_t equals = std::min(package.find('='), package.size());
  if (package.size() <= max_package_bytes && is_package_name(package.substr(0, equals)) &&
      (equals == package.size() || is_package_version(package.substr(equals + 1)))) {
    return {};
  }
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("'{}' is no Debian package: NAME or NAME=VERSION, such as libopus0", excerpt(package)));
}

Result<void> check_metadata(const ReleaseMetadata& metadata) {
  if (const auto version = parse_version(to_string(metadata.version)); !version) return fail(version);
  if (metadata.description.size() > max_description_bytes || !is_utf8(metadata.description)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the description must be text of at most {} bytes", max_description_bytes));
  }
  if (metadata.packages.size() > max_packages)
    return fail(ErrorCode::invalid_argument,
                fmt::format("at most {} packages can be asked for", max_packages));
  for (const std::string& package : metadata.packages) {
    if (auto checked = check_package(package); !checked) return checked;
  }
  return {};
}

JsonObject to_json(const ReleaseMetadata& metadata) {
  return {{"version", to_string(metadata.version)},
          {"architecture", to_string(metadata.architecture)},
          {"type", to_string(metadata.type)},
          {"description", metadata.description},
          {"packages", JsonArray(metadata.packages.begin(), metadata.packages.end())}};
}

Result<ReleaseMetadata> release_metadata_from(const JsonObject& json) {
  const JsonReader reader(json);
  ReleaseMetadata metadata;
  const auto read = [&reader](std::string_view key, auto parse, auto& into) -> Result<void> {
    const auto text = reader.string(key);
    if (!text) return fail(text);
    auto parsed = parse(*text);
    if (!parsed) return fail(parsed.error().code, parsed.error().message, reader.pointer(key));
    into = std::move(*parsed);
    return {};
  };
  if (const auto done = read("version", parse_version, metadata.version); !done) return fail(done);
  if (const auto done = read("architecture", parse_architecture, metadata.architecture); !done)
    return fail(done);
  if (const auto done = read("type", parse_update_type, metadata.type); !done) return fail(done);
  auto description = reader.string("description", max_description_bytes);
  if (!description) return fail(description);
  metadata.description = std::move(*description);
  const auto packages = reader.array("packages");
  if (!packages) return fail(packages);
  for (const Json& package : **packages) {
    if (!package.is_string())
      return fail(ErrorCode::invalid_argument, "must be names of packages", reader.pointer("packages"));
    metadata.packages.emplace_back(package.get_string());
  }
  if (const auto checked = check_metadata(metadata); !checked) return fail(checked);
  return metadata;
}

}  // namespace starling::protocol
