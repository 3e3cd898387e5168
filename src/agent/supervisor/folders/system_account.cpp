#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <system_error>

#include "agent/supervisor/folders/manifest_file.hpp"

#include "base/printable_text.hpp"

namespace starling::agent {

Result<Account> system_account(std::string_view user) {
  constexpr int most_groups = 256;
  const std::string name(user);
  std::vector<char> space(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
  if (found == nullptr && error != 0 && error != ENOENT && error != ESRCH) {
    return fail(ErrorCode::io, fmt::format("looking up user '{}': {}", printable_text(user, 64),
                                           std::generic_category().message(error)));
  }
  if (found == nullptr) {
    return fail(ErrorCode::not_found,
                fmt::format("there is no user '{}' on this device", printable_text(user, 64)));
  }
  Account account{name, entry.pw_uid, entry.pw_gid, {}, entry.pw_dir};
  std::vector<gid_t> groups(most_groups);
  int count = most_groups;
  if (::getgrouplist(name.c_str(), entry.pw_gid, groups.data(), &count) < 0)
    return fail(ErrorCode::io, fmt::format("user '{}' is in more than {} groups", name, most_groups));
  account.groups.assign(groups.begin(), groups.begin() + count);
  return account;
}

}  // namespace starling::agent
