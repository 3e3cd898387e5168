// Purpose: a hub process of the simulation: the real hub core on a store in memory, which can be killed and
// started again, also from an old backup. Owner: Simulation. Thread: one. Lifetime: that of the simulation;
// the core inside lives from start to kill.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fleetsim/deterministic/virtual_link.hpp"
#include "fleetsim/deterministic/world.hpp"
#include "hub/hub.hpp"
#include "hub/settings/writes.hpp"
#include "hub/store/memory_store.hpp"

namespace starling::fleetsim {

class VirtualHub final : private hub::ChangeObserver, private hub::PresenceObserver {
 public:
  explicit VirtualHub(World& world);
  ~VirtualHub() override;

  bool running() const { return core_ != nullptr; }
  hub::Hub& core() { return *core_; }
  const hub::FleetState& state() { return *core_->changes().published(hub::default_fleet); }

  void start();
  void kill();             // SIGKILL: what is being written reaches the disk or not
  void remember_backup();  // takes a copy of the store
  void restore_backup();   // while it does not run
  void fail_next_write();

  // What an operator's request does; `what` is for the trace. Acknowledged changes are remembered.
  void append(std::string what, hub::ChangeLog::Plan plan);

  // What the REST API does for a device that enrols: gives its token, or nothing if the hub is away.
  void enrol(const hub::Device& device, std::function<void(Result<std::string>)> done);
  // The upgrade of a device's connection; an error if the hub is away or does not let it in.
  Result<std::unique_ptr<ws::Session>> accept(const std::string& device_id, std::string_view token);
  void add_link(const std::shared_ptr<VirtualLink>& link);

  // Every document that was ever desired of a device, by hash.
  bool ever_desired(const std::string& device_id, const Digest& hash) const;
  // The changes that somebody was told are stored, and that no restored backup took back.
  const std::map<std::int64_t, std::string>& acknowledged() const { return acknowledged_; }
  // What the store holds, by revision.
  std::map<std::int64_t, std::string> stored() const;

 private:
  void on_change(const hub::SharedChange& change, const hub::FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;
  void note_desired(const hub::FleetState& state, const hub::Device& device, const std::string& id);
  void note_desired(const hub::FleetState& state);
  void tick_later();

  World& world_;
  WorldExecutor store_turns_{world_};
  hub::MemoryStore store_;
  std::unique_ptr<WorldExecutor> turns_;
  std::unique_ptr<hub::Hub> core_;
  std::vector<std::weak_ptr<VirtualLink>> links_;
  std::map<std::string, std::set<Digest>> desired_;
  std::map<std::int64_t, std::string> acknowledged_;
  std::optional<hub::MemoryStore::Snapshot> backup_;
  std::int64_t backup_head_ = 0;
  std::uint64_t starts_ = 0;
};

}  // namespace starling::fleetsim
