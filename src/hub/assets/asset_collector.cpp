#include "hub/assets/asset_collector.hpp"

#include "hub/settings/assets.hpp"

namespace starling::hub {

namespace {
constexpr std::size_t changes_at_once = 500;
}

AssetCollector::AssetCollector(ChangeLog& log, AssetFiles& files, const Clock& clock, Logger logger)
    : log_(log), files_(files), clock_(clock), logger_(logger), next_look_(clock.steady()) {}

void AssetCollector::tick() {
  if (clock_.steady() < next_look_) return;
  next_look_ = clock_.steady() + look_every;
  for (const std::string& fleet : log_.fleets())
    collect(fleet);
}

void AssetCollector::collect(const std::string& fleet) {
  auto look = std::make_shared<Look>();
  look->fleet = fleet;
  look->until = INT64_MAX;
  read_on(std::move(look));
}

// Backwards, until the changes are old enough.
void AssetCollector::read_on(std::shared_ptr<Look> look) {
  ChangeQuery query;
  query.fleet = look->fleet;
  query.until = look->until;
  query.limit = changes_at_once;
  query.newest_first = true;
  query.kind = EntityKind::asset;
  log_.store().read_changes(std::move(query), [this, look](const Result<std::vector<SharedChange>>& changes) {
    if (!changes) {
      logger_.warning("assets are not collected", {{"fleet", look->fleet}, {"why", changes.error().message}});
      return;
    }
    const std::int64_t oldest_ms = (clock_.wall() - memory).time_since_epoch() / Milliseconds(1);
    bool old = changes->size() < changes_at_once;
    for (const SharedChange& change : *changes) {
      old = old || change->at_ms < oldest_ms;
      if (change->at_ms < oldest_ms) break;
      for (const Edit& edit : change->edits) {
        for (const Digest& file : asset_files_of(edit))
          look->needed.insert(file);
      }
      look->until = change->revision - 1;
    }
    if (old) return carry_out(*look);
    read_on(look);
  });
}

void AssetCollector::carry_out(const Look& look) {
  const FleetState* state = log_.published(look.fleet);
  if (state == nullptr) return;
  std::set<Digest> needed = look.needed;
  for (const auto& [name, asset] : state->assets())
    needed.insert(asset->file.sha256);
  files_.collect(look.fleet, std::move(needed), [logger = logger_, fleet = look.fleet](std::size_t removed) {
    if (removed > 0) logger.info("files of assets were collected", {{"fleet", fleet}, {"count", removed}});
  });
}

}  // namespace starling::hub
