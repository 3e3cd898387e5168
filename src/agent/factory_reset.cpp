#include "agent/factory_reset.hpp"

#include <algorithm>
#include <array>

#include "agent/identity.hpp"

namespace starling::agent {
namespace {

bool stays(std::string_view name) {
  constexpr std::array names{Identity::path,
                             ActionCore::path,
                             factory_reset_mark,  // until all else has gone
                             std::string_view("components"),
                             std::string_view("agent.lock"),
                             std::string_view("notify")};
  return std::ranges::find(names, name) != names.end() || name.starts_with("keeper.");
}

}  // namespace

Result<void> finish_factory_reset(Disk& disk, Logger log) {
  const auto marked = disk.read_file(factory_reset_mark, 16);
  if (!marked && marked.error().code == ErrorCode::not_found) return {};
  if (!marked) return fail(marked);
  const auto names = disk.list("");
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    if (stays(name)) continue;
    if (auto removed = disk.remove_tree(name); !removed) return removed;
  }
  if (auto synced = disk.sync_folder(""); !synced) return synced;
  if (auto removed = disk.remove_tree(factory_reset_mark); !removed) return removed;
  log.warning("this device was reset: it has forgotten everything but who it is");
  return disk.sync_folder("");
}

void FactoryResetRunner::run(const protocol::Action&, Done done) {
  if (auto marked = replace_file(disk_, factory_reset_mark, "", 0600); !marked) return done(fail(marked));
  done(JsonObject{});
  restart_();
}

}  // namespace starling::agent
