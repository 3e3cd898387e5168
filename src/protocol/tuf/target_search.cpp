#include "protocol/tuf/target_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/crypto.hpp"
#include "protocol/excerpt.hpp"

namespace starling::protocol::tuf {
namespace {

// Where the character ends that begins at `at`.
std::size_t end_of_character(std::string_view text, std::size_t at) {
  do {
    ++at;
  } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  return at;
}

}  // namespace

Result<void> check_target_path(std::string_view path) {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::invalid_argument, fmt::format("the target path '{}' {}", excerpt(path), why));
  };
  if (path.empty() || path.size() > max_target_path_bytes) {
    return refused(fmt::format("must have 1 to {} bytes", max_target_path_bytes));
  }
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') {
      return refused("must not have control characters or '\\'");
    }
  }
  for (const auto part : std::views::split(path, '/')) {
    const std::string_view name(part.begin(), part.end());
    if (name.empty() || name == "." || name == "..")
      return refused("must not have an empty, '.' or '..' part");
  }
  return {};
}

// Goes back only to the last '*', so that it takes at most pattern times path steps.
bool matches_pattern(std::string_view pattern, std::string_view path) {
  std::size_t p = 0, at = 0;
  std::size_t star = std::string_view::npos, retry = 0;
  while (at < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = at;
    } else if (p < pattern.size() && pattern[p] == '?' && path[at] != '/') {
      ++p;
      at = end_of_character(path, at);
    } else if (p < pattern.size() && pattern[p] == path[at]) {
      ++p;
      ++at;
    } else if (star != std::string_view::npos && path[retry] != '/') {
      p = star + 1;
      at = retry = end_of_character(path, retry);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

bool is_delegated(const DelegatedRole& role, std::string_view path) {
  if (std::ranges::any_of(role.paths, [&](const auto& pattern) { return matches_pattern(pattern, path); })) {
    return true;
  }
  if (role.path_hash_prefixes.empty()) return false;
  const std::string hash = sha256(path).hex();
  return std::ranges::any_of(role.path_hash_prefixes,
                             [&](const std::string& prefix) { return hash.starts_with(prefix); });
}

std::string bin_name(const SuccinctRoles& roles, std::string_view path) {
  const Digest hash = sha256(path);
  std::uint64_t first = 0;
  for (int i = 0; i < 4; ++i)
    first = first << 8 | hash.bytes[static_cast<std::size_t>(i)];
  const int digits = (roles.bit_length + 3) / 4;
  return fmt::format("{}-{:0{}x}", roles.name_prefix, first >> (32 - roles.bit_length), digits);
}

Result<TargetSearch> TargetSearch::of(std::string path) {
  if (const auto safe = check_target_path(path); !safe) return fail(safe);
  return TargetSearch(std::move(path));
}

std::optional<TargetFile> TargetSearch::enter(Targets targets) {
  if (const auto found = targets.targets.find(path_); found != targets.targets.end()) {
    return std::move(found->second);
  }
  const Delegations& delegations = entered_.emplace_back(std::move(targets.delegations));
  std::vector<Visit> children;
  if (delegations.succinct_roles) {
    const SuccinctRoles& bins = *delegations.succinct_roles;
    children.push_back({bin_name(bins, path_), &delegations.keys, &bins.signers});
  }
  for (const DelegatedRole& role : delegations.roles) {
    if (!is_delegated(role, path_)) continue;
    children.push_back({role.name, &delegations.keys, &role.signers});
    if (role.terminating) {  // nobody after it, nor beside any of its ancestors
      to_visit_.clear();
      break;
    }
  }
  to_visit_.insert(to_visit_.end(), children.rbegin(), children.rend());
  return {};
}

Result<TargetSearch::Visit> TargetSearch::next() {
  while (!to_visit_.empty()) {
    Visit visit = std::move(to_visit_.back());
    to_visit_.pop_back();
    if (!visited_.insert(visit.role).second) continue;
    if (visited_.size() <= max_roles) return visit;
    return fail(ErrorCode::not_found,
                fmt::format("{} is not found: {} roles were asked, no more are", excerpt(path_), max_roles));
  }
  return fail(ErrorCode::not_found, fmt::format("no target is called {}", excerpt(path_)));
}

}  // namespace starling::protocol::tuf
