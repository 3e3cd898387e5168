// Purpose: which roles are asked about a target, in which order (specification, section 5.6.7).
// Owner: the search for one target. Thread: one. Lifetime: one search.
//
// Delegations are visited in pre-order; a terminating one that matches is the last that is. No role is
// entered twice, so that cycles end, and at most `max_roles` are entered.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::protocol::tuf {

// A relative path with '/' that leads nowhere else: no empty, "." or ".." part, no '\' and no control
// character. Errors: invalid_argument.
Result<void> check_target_path(std::string_view path);

// '*' and '?' stand for any characters and for one, but for no '/'; all else stands for itself.
bool matches_pattern(std::string_view pattern, std::string_view path);
bool is_delegated(const DelegatedRole& role, std::string_view path);
std::string bin_name(const SuccinctRoles& roles, std::string_view path);

class TargetSearch {
 public:
  static constexpr std::size_t max_roles = 32;

  TargetSearch(TargetSearch&&) noexcept = default;  // and no copies: what it holds points into itself

  // Errors: those of check_target_path().
  static Result<TargetSearch> of(std::string path);

  // A role whose metadata is wanted, checked against `keys` and `signers`, which live as long as the search.
  struct Visit {
    std::string role;
    const Keys* keys;
    const Signers* signers;
  };

  // What the visited role says about the target; if nothing, its delegations are next.
  std::optional<TargetFile> enter(Targets targets);
  // Errors: not_found (nobody says anything about the target, or too many roles would have to be asked).
  Result<Visit> next();

  const std::string& path() const { return path_; }

 private:
  explicit TargetSearch(std::string path) : path_(std::move(path)) {}
  std::string path_;
  std::deque<Delegations> entered_;
  std::vector<Visit> to_visit_;  // the next one last
  std::set<std::string, std::less<>> visited_{"targets"};
};

}  // namespace starling::protocol::tuf
