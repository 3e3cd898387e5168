// Purpose: removes files of assets that nobody can want any more: those that no name has had for 30 days, as
// the change log tells. Within that time every rollback finds its files.
// Owner: Server or a test. Thread: the hub's. Lifetime: what is passed in outlives it.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/assets/asset_files.hpp"
#include "hub/state/change_log.hpp"

namespace starling::hub {

class AssetCollector {
 public:
  static constexpr std::chrono::days memory{30};
  static constexpr std::chrono::hours look_every{1};

  AssetCollector(ChangeLog& log, AssetFiles& files, const Clock& clock, Logger logger);

  void tick();  // every second
  void collect(const std::string& fleet);

 private:
  struct Look {
    std::string fleet;
    std::int64_t until = 0;  // revision, inclusive
    std::set<Digest> needed;
  };
  void read_on(std::shared_ptr<Look> look);
  void carry_out(const Look& look);

  ChangeLog& log_;
  AssetFiles& files_;
  const Clock& clock_;
  Logger logger_;
  SteadyTime next_look_;
};

}  // namespace starling::hub
