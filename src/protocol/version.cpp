#include "protocol/version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

constexpr std::uint32_t largest_number = 999'999'999;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_identifier_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_number(std::string_view text) {
  return std::ranges::all_of(text, is_digit);
}

// Takes what comes before `separator`, and the separator, off the front.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  if (text.empty() || !is_number(text) || (text.size() > 1 && text.front() == '0')) return {};
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > largest_number) return {};
  return number;
}

bool is_prerelease(std::string_view text) {
  if (text.empty() || text.back() == '.') return false;
  while (!text.empty()) {
    const std::string_view identifier = take(text, '.');
    if (identifier.empty() || !std::ranges::all_of(identifier, is_identifier_character)) return false;
    if (is_number(identifier) && identifier.size() > 1 && identifier.front() == '0') return false;
  }
  return true;
}

std::strong_ordering compare_identifiers(std::string_view a, std::string_view b) {
  if (is_number(a) != is_number(b))
    return is_number(a) ? std::strong_ordering::less : std::strong_ordering::greater;
  if (is_number(a) && a.size() != b.size()) return a.size() <=> b.size();  // no leading zeros
  return a <=> b;
}

std::strong_ordering compare_prereleases(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.empty() <=> b.empty();
  while (!a.empty() && !b.empty()) {
    if (const auto order = compare_identifiers(take(a, '.'), take(b, '.')); order != 0) return order;
  }
  return b.empty() <=> a.empty();  // the one that goes on is the later one
}

}  // namespace

std::strong_ordering Version::operator<=>(const Version& other) const {
  if (const auto order = major <=> other.major; order != 0) return order;
  if (const auto order = minor <=> other.minor; order != 0) return order;
  if (const auto order = patch <=> other.patch; order != 0) return order;
  return compare_prereleases(prerelease, other.prerelease);
}

Result<Version> parse_version(std::string_view text) {
  const auto wrong = [text] {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no version: one looks like v1.2.3 or v1.2.3-rc.1", excerpt(text)));
  };
  if (!text.starts_with('v') || text.size() > max_version_bytes) return wrong();
  const std::size_t dash = std::min(text.find('-'), text.size());
  std::string_view core = text.substr(1, dash - 1);
  std::array<std::uint32_t, 3> numbers{};
  for (std::uint32_t& number : numbers) {
    const auto parsed = parse_number(take(core, '.'));
    if (!parsed) return wrong();
    number = *parsed;
  }
  if (!core.empty() || text[dash - 1] == '.') return wrong();
  Version version{numbers[0], numbers[1], numbers[2], {}};
  if (dash == text.size()) return version;
  version.prerelease = text.substr(dash + 1);
  if (!is_prerelease(version.prerelease)) return wrong();
  return version;
}

std::string to_string(const Version& version) {
  return fmt::format("v{}.{}.{}{}{}", version.major, version.minor, version.patch,
                     version.prerelease.empty() ? "" : "-", version.prerelease);
}

Result<Version> bump(const Version& version, VersionPart part) {
  Version next{version.major, version.minor, version.patch, {}};
  // What a prerelease announces is the next one, unless it is smaller than what was asked for.
  const bool announced = !version.prerelease.empty() && (part == VersionPart::patch || version.patch == 0) &&
                         (part != VersionPart::major || version.minor == 0);
  if (announced) return next;
  std::uint32_t& number = part == VersionPart::major   ? next.major
                          : part == VersionPart::minor ? next.minor
                                                       : next.patch;
  if (number == largest_number) {
    return fail(ErrorCode::failed_precondition,
                to_string(version) + " cannot be counted up: give the version");
  }
  ++number;
  if (part == VersionPart::major) next.minor = 0;
  if (part != VersionPart::patch) next.patch = 0;
  return next;
}

}  // namespace starling::protocol
