// Purpose: for tests: who signs a fleet's releases, with keys that the hub does not have.
// Owner: the test. Thread: one. Lifetime: the test's.
#pragma once

#include <functional>
#include <string>

#include "hub/releases/repository_view.hpp"
#include "protocol/tuf/writer.hpp"

namespace starling::hub {

inline constexpr WallTime today{std::chrono::sys_days(std::chrono::year(2026) / 11 / 27)};
inline constexpr std::chrono::days ten_years{3650};

// What operators have at home.
struct Operators {
  protocol::tuf::SigningKeys root{protocol::tuf::SigningKey::make()};
  protocol::tuf::SigningKeys targets{protocol::tuf::SigningKey::make(), protocol::tuf::SigningKey::make()};
  std::int64_t threshold = 2;  // of targets

  static protocol::tuf::RoleKeys keys_of(const protocol::tuf::SigningKeys& keys, std::int64_t threshold = 1) {
    protocol::tuf::RoleKeys role{{}, threshold};
    for (const protocol::tuf::SigningKey& key : keys)
      role.keys.push_back(key.public_json());
    return role;
  }
  // With what the hub says of itself.
  std::string root_file(const RepositoryView& view, std::int64_t version = 1,
                        std::chrono::days life = ten_years) const {
    const auto online = [&](const char* role) {
      return protocol::tuf::RoleKeys{{view.online_keys.at(role)}, 1};
    };
    protocol::tuf::TopRoles roles{keys_of(root), keys_of(targets, threshold), online("snapshot"),
                                  online("timestamp")};
    if (view.online_keys.contains("targets")) roles.targets = online("targets");
    return sign(protocol::tuf::root_content(version, std::chrono::floor<Seconds>(today) + life, roles), root)
        .value();
  }
  // Everything that is published and all drafts; `forge` may change it before it is signed.
  std::string targets_file(const RepositoryView& view,
                           const std::function<void(JsonObject&)>& forge = nullptr) const {
    JsonObject all;
    for (const ReleaseTars* tars : {&view.published, &view.drafts}) {
      for (const auto& [path, tar] : *tars)
        all[path] = protocol::tuf::target_json(tar.length, tar.sha256, tar.custom);
    }
    const protocol::tuf::Delegation schedule{
        "schedule", {{view.online_keys.at("schedule")}, 1}, {std::string(schedule_paths)}, true};
    JsonObject content = protocol::tuf::targets_content(view.targets.version + 1,
                                                        std::chrono::floor<Seconds>(today) + ten_years,
                                                        std::move(all), std::span(&schedule, 1));
    if (forge) forge(content);
    return sign(content, targets).value();
  }
};

}  // namespace starling::hub
