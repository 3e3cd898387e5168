#include <fmt/format.h>

#include "hub/api/settings.hpp"
#include "hub/assets/asset_files.hpp"
#include "hub/settings/concerned.hpp"
#include "hub/settings/rollback.hpp"

namespace starling::hub {

namespace {

constexpr int max_attempts = 8;
constexpr std::size_t history_page = 500;

Result<PlannedWrite> plan(const FleetState& head, const Rollback& rollback) {
  auto edits = rollback.plan(head);
  if (!edits) return fail(edits);
  PlannedWrite write;
  write.edits = std::move(*edits);
  write.answer = write_answer(write.edits, {}, Concerned(head, write.edits).places(head).size());
  return write;
}

// Files that nobody had a name for are collected after a while.
Result<std::vector<AssetFiles::Hold>> hold_files(AssetFiles* files, const std::string& fleet,
                                                 const Rollback& rollback) {
  std::vector<AssetFiles::Hold> holds;
  for (const auto& [name, file] : rollback.assets()) {
    if (files == nullptr) break;
    holds.push_back(files->hold(fleet, file.sha256));
    if (files->has(fleet, file.sha256)) continue;
    return fail(ErrorCode::failed_precondition,
                fmt::format("the file that the asset '{}' was then (SHA-256 {}) is not kept any more; add it "
                            "again under this name first",
                            name, file.sha256.hex()));
  }
  return holds;
}

}  // namespace

// The log is read outside the plan; if the fleet was changed meanwhile, what is new is read and it is tried
// again.
asio::awaitable<Reply> Settings::rollback(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto body = call.object({"revision", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  const auto revision = JsonReader(*body).integer("revision");
  if (!revision) co_return fail(revision);
  if (*revision < 0 || *revision > call.fleet->revision()) {
    co_return fail(
        ErrorCode::invalid_argument,
        fmt::format("revision {} is not between 0 and the newest, {}", *revision, call.fleet->revision()),
        "/revision");
  }
  Rollback rollback(*revision);
  Reply reply = fail(ErrorCode::conflict, "the fleet is changed too often at this moment; try again");
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    while (rollback.read_until() < call.fleet->revision()) {
      ChangeQuery query;
      query.fleet = call.fleet_name;
      query.since = rollback.read_until();
      query.limit = history_page;
      const auto changes = co_await services_.log.read_changes(std::move(query));
      if (!changes) co_return fail(changes);
      if (changes->empty()) break;
      rollback.read(*changes);
    }
    const auto holds = hold_files(services_.assets, call.fleet_name, rollback);
    if (!holds) co_return fail(holds);
    Writer::Write write{call.fleet_name, "settings.rollback",
                        reason->empty() ? fmt::format("back to revision {}", *revision) : *reason,
                        [rollback](const FleetState& head) { return plan(head, rollback); }};
    reply = co_await services_.writer.write(call, std::move(write));
    if (reply || reply.error().code != ErrorCode::conflict) break;
    co_await services_.log.yield();
  }
  co_return reply;
}

}  // namespace starling::hub
