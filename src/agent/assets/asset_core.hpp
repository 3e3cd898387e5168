// Purpose: sees to it that the files which documents name are on the device, whole: reads back what is there,
// fetches what is missing or damaged, one after another, and removes the rest. Sans-I/O but for the Disk.
// Owner: DeviceCore. Thread: one; blocking on the disk in small pieces. Lifetime: everything passed in
// outlives it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/disk.hpp"
#include "agent/progress.hpp"
#include "agent/seeded_random.hpp"
#include "agent/settings/settings_core.hpp"
#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"

namespace starling::agent {

class AssetFetch {
 public:
  virtual ~AssetFetch() = default;
  // To this path, at most so fast (0: no limit). Answered by AssetCore::downloaded(), never from within the
  // call, unless stop() comes first.
  virtual void download(const std::string& path, const protocol::AssetFile& file,
                        std::uint64_t bytes_per_second) = 0;
  virtual void stop() = 0;
};

class AssetListener {
 public:
  virtual ~AssetListener() = default;
  virtual void assets_changed() = 0;
  virtual void asset_damaged(std::string message) = 0;  // or gone, of the settings in force or confirmed
};

class AssetCore final : public AssetPort {
 public:
  static constexpr Milliseconds first_backoff{5'000};
  static constexpr Milliseconds longest_backoff{1'800'000};
  static constexpr std::uint64_t reserve_bytes = 8u << 20;  // of the disk, for everything else

  AssetCore(Disk& disk, const Clock& clock, AssetFetch& fetch, AssetListener& listener, SeededRandom random,
            Logger log)
      : disk_(disk), clock_(clock), fetch_(fetch), listener_(listener), random_(random), log_(log) {}

  // ---- AssetPort. The hub is there when a document comes: what failed for want of it is tried at once.
  void want(const std::vector<const protocol::Assets*>& all, const DownloadPolicy& link) override;
  Standing standing(const protocol::Assets& some) const override;

  // ---- events
  void downloaded(const std::string& path, const Result<void>& result);
  void tick();
  std::optional<SteadyTime> next_deadline() const;

 private:
  struct Wanted {
    std::string name;
    protocol::AssetFile file;
    bool whole = false;  // it has been read back, or has just come
    std::string failure{};
    bool may_pass = false;  // the failure, when the hub is back
    int attempts = 0;
    SteadyTime next_try{};
  };
  using All = std::map<std::string, Wanted, std::less<>>;  // by path
  struct Check {
    std::string path;
    Hasher hasher{HashAlgorithm::sha256};
    std::uint64_t read = 0;
  };

  void begin_next();
  Result<Progress> check_some();
  void fetch(const std::string& path, const Wanted& wanted);
  Result<void> check_link(const Wanted& wanted) const;
  Result<void> make_ready(const std::string& path, const Wanted& wanted);
  void is_whole(const std::string& path);
  void failed(const std::string& path, const Error& error);
  void missed(const Wanted& wanted);
  void collect();

  Disk& disk_;
  const Clock& clock_;
  AssetFetch& fetch_;
  AssetListener& listener_;
  SeededRandom random_;
  Logger log_;
  All wanted_;
  bool collect_ = false;
  std::optional<Check> check_;
  std::string downloading_;  // path; empty: none
  DownloadPolicy link_;
};

}  // namespace starling::agent
