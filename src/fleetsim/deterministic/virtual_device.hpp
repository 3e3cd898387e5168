// Purpose: a device of the simulation: the real device core on a disk in memory, with one module, which can
// lose power at any persistence step and start again. Owner: Simulation. Thread: one. Lifetime: that of the
// simulation; the core inside lives from start to crash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/device_core.hpp"
#include "agent/fake_disk.hpp"
#include "fleetsim/deterministic/virtual_hub.hpp"

namespace starling::fleetsim {

class VirtualDevice final : private agent::LinkOutput,
                            private agent::ModuleOutput,
                            private agent::IdentityMaker {
 public:
  VirtualDevice(World& world, VirtualHub& hub, const protocol::Catalog& catalog, std::string name,
                protocol::Labels labels);
  ~VirtualDevice() override;

  const std::string& name() const { return name_; }
  const std::string& id() const { return id_; }
  bool running() const { return core_ != nullptr; }
  agent::DeviceCore& core() { return *core_; }

  void start();
  void lose_power();                           // now
  void lose_power_after(std::uint64_t steps);  // in the middle of the persistence to come
  void stay_powered() { disk_.restore_power(); }
  void cut_link();
  void half_open_link();
  // The device gives its connection up and makes another, while the hub still holds the first.
  void duplicate_session();
  // Somebody brings back an old copy of the file with the start counter, so that its sessions look stale.
  void remember_identity();
  bool restore_identity();  // false: there is no copy yet
  void set_reachable(bool reachable) { reachable_ = reachable; }

  // A person or a module on the device changes a setting; `acknowledged` ones must be settled in the end.
  void edit(const std::string& key, Json value);
  void edit_override_by_hand(const std::string& content);

  // What went wrong so far, if anything.
  const std::vector<std::string>& complaints() const { return complaints_; }
  // Edits that were acknowledged on the device and never answered by the hub nor replaced there.
  std::vector<std::string> unsettled_edits() const;

 private:
  // agent::LinkOutput
  void enrol() override;
  void connect(std::string_view token) override;
  void send(std::string_view text) override;
  void close(std::string_view reason) override;
  // agent::ModuleOutput
  void send_line(agent::ModuleId module, std::string_view line) override;
  void drop(agent::ModuleId module) override;
  // agent::IdentityMaker
  agent::IdentitySource make() override;

  // Runs `work` on the core of this start, if it still lives then, and looks at what came of it.
  void later(Milliseconds delay, std::function<void()> work);
  void look();  // after every event: power, values in force, the next deadline
  void look_at_values();
  void say_hello();
  void answer_module(agent::ModuleId module, const std::string& line);
  void open_link(Result<std::unique_ptr<ws::Session>> session);

  World& world_;
  VirtualHub& hub_;
  const protocol::Catalog& catalog_;
  std::string name_;
  protocol::Labels labels_;
  std::string id_;
  std::uint64_t number_seed_;
  agent::FakeDisk disk_;
  std::unique_ptr<agent::DeviceCore> core_;
  std::uint64_t starts_ = 0;
  std::shared_ptr<VirtualLink> link_;
  bool reachable_ = true;
  std::optional<SteadyTime> tick_at_;
  Digest running_;
  std::optional<agent::ModuleId> module_;
  std::vector<std::string> complaints_;
  std::optional<std::string> old_identity_;
  std::map<std::string, std::set<std::string>> edited_values_;  // by key, as JSON text
  std::map<std::string, std::string> acknowledged_edits_;       // newest id by key
  std::set<std::string> settled_edits_;                         // ids that the hub has answered
};

}  // namespace starling::fleetsim
