#include "fleetsim/deterministic/simulation.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include "hub/settings/explain.hpp"
#include "hub/settings/writes.hpp"

namespace starling::fleetsim {

namespace {

constexpr Milliseconds trouble_lasts{10 * 60'000};
// Longer than silence, the longest backoff, a heartbeat and a provisional time after one another.
constexpr Milliseconds peace_lasts{15 * 60'000};

constexpr std::array<std::string_view, 2> component_files{
    R"({"x-component":"hotword","title":"Hotword","type":"object","properties":{
         "models":{"type":"array","items":{"type":"string"},"default":[],"x-alias":"HOTWORD_MODELS"},
         "threshold":{"type":"number","minimum":0,"maximum":1,"default":0.5,"x-alias":"HOTWORD_THRESHOLD"},
         "phrase":{"type":"string","default":"hey starling"}}})",
    R"({"x-component":"logger","title":"Logger","type":"object","properties":{
         "level":{"type":"string","enum":["DEBUG","INFO","WARNING"],"default":"INFO","x-alias":"LOG_LEVEL"}}})"};

constexpr std::array<std::string_view, 3> rooms{"nursery", "kitchen", "lab"};
constexpr std::array<std::string_view, 3> personas{"TARS", "Yoda", "Bare"};

constexpr std::array<std::string_view, troubles> trouble_names{
    "power loss",         "power loss between steps", "link cut",          "link half open",
    "unreachable",        "edit of threshold",        "edit of level",     "override edited by hand",
    "session duplicated", "identity remembered",      "identity restored",
};
constexpr std::size_t drawn_troubles = std::size_t(Trouble::identity_restored);

hub::ChangeLog::Plan put(hub::EntityKind kind, std::string id, Json body) {
  return [kind, id = std::move(id), body = std::move(body)](const hub::FleetState& head,
                                                            std::int64_t) -> Result<hub::Draft> {
    hub::Draft draft;
    draft.actor = {"hub", "simulation"};
    draft.action = std::string(to_string(kind)) + ".put";
    draft.edits.push_back(head.edit(kind, id, body));
    return draft;
  };
}

hub::ChangeLog::Plan write(hub::SettingsWrite wanted) {
  return [wanted = std::move(wanted)](const hub::FleetState& head, std::int64_t) -> Result<hub::Draft> {
    auto plan = hub::plan_settings(head, wanted);
    if (!plan) return fail(plan);
    hub::Draft draft;
    draft.actor = {"key:sim", "simulation"};
    draft.action = "settings.set";
    draft.edits = std::move(plan->edits);
    return draft;
  };
}

}  // namespace

std::string_view to_string(Trouble trouble) {
  return trouble_names.at(std::size_t(trouble));
}

Simulation::Simulation(std::uint64_t seed, bool keep_trace) : world_(seed) {
  if (keep_trace) world_.keep_trace();
  for (const std::string_view file : component_files) {
    auto component = protocol::Component::from_json(*parse_json(file));
    if (!component) throw std::logic_error(component.error().message);
    if (const auto put = catalog_.put(*std::move(component)); !put)
      throw std::logic_error(put.error().message);
  }
  hub_ = std::make_unique<VirtualHub>(world_);
}

SimulationResult Simulation::run() {
  set_up();
  const Milliseconds end = world_.now() + trouble_lasts;
  while (world_.now() < end) {
    world_.run_until(world_.now() + world_.between(50, 20'000));
    trouble();
  }
  make_peace();
  world_.run_until(world_.now() + peace_lasts);
  SimulationResult result;
  check(result);
  result.trace = world_.trace_digest();
  result.lines = world_.trace();
  result.trouble = trouble_;
  return result;
}

void Simulation::set_up() {
  hub_->start();
  for (const auto& [name, component] : catalog_.components()) {
    hub_->append("component " + name, put(hub::EntityKind::component, name, component->file()));
  }
  for (const std::string_view name : personas) {
    hub_->append("persona " + std::string(name),
                 put(hub::EntityKind::persona, std::string(name), Json{{"fields", JsonObject{}}}));
  }
  hub_->append("TARS models", write({{hub::Target::Kind::persona, "TARS", false},
                                     {{"hotword.models", JsonArray{"tars.tflite"}}},
                                     {}}));
  hub_->append("Yoda threshold",
               write({{hub::Target::Kind::persona, "Yoda", false}, {{"HOTWORD_THRESHOLD", 0.25}}, {}}));
  const std::uint64_t count = 2 + world_.random().below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string room(rooms[i % rooms.size()]);
    devices_.push_back(std::make_unique<VirtualDevice>(world_, *hub_, catalog_, "device-" + std::to_string(i),
                                                       protocol::Labels{{"room", room}}));
    world_.after(world_.between(0, 5'000), [device = devices_.back().get()] { device->start(); });
  }
}

void Simulation::trouble() {
  const std::uint64_t dice = world_.random().below(100);
  if (dice < 45) return operator_writes();
  if (dice < 85) {
    VirtualDevice& device = *devices_[world_.random().below(devices_.size())];
    return trouble_a_device(device, static_cast<Trouble>(world_.random().below(drawn_troubles)));
  }
  trouble_the_hub();
}

void Simulation::operator_writes() {
  if (!hub_->running()) return;
  const VirtualDevice& device = *devices_[world_.random().below(devices_.size())];
  hub::SettingsWrite wanted;
  switch (world_.random().below(4)) {
    case 0: break;
    case 1:
      wanted.target = {hub::Target::Kind::selector, "room=" + std::string(rooms[world_.random().below(3)]),
                       false};
      break;
    case 2: wanted.target = {hub::Target::Kind::device, device.id(), false}; break;
    case 3:
      wanted.target = {hub::Target::Kind::persona, std::string(personas[world_.random().below(3)]), false};
      break;
  }
  const double threshold = static_cast<double>(world_.random().below(11)) / 10;
  switch (world_.random().below(6)) {
    case 0: wanted.values["hotword.threshold"] = threshold; break;
    case 1:
      wanted.values["HOTWORD_MODELS"] = JsonArray{"model-" + std::to_string(world_.random().below(5))};
      break;
    case 2: wanted.values["hotword.models"] = JsonArray{"missing.tflite"}; break;
    case 3: wanted.values["logger.level"] = world_.chance(50) ? "DEBUG" : "WARNING"; break;
    case 4:
      wanted.values["hotword.threshold"] = nullptr;
      wanted.values["hotword.models"] = nullptr;
      break;
    case 5:
      if (wanted.target.kind == hub::Target::Kind::persona) wanted.target = {};
      wanted.values["persona.active"] = Json(personas[world_.random().below(3)]);
      break;
  }
  if (world_.chance(10)) hub_->fail_next_write();
  hub_->append("write", write(std::move(wanted)));
}

void Simulation::start_again_later(VirtualDevice& device) {
  const bool restore = world_.chance(10);
  world_.after(world_.between(500, 30'000), [this, &device, restore] {
    if (device.running()) return;
    if (restore && device.restore_identity()) ++trouble_[std::size_t(Trouble::identity_restored)];
    device.start();
  });
}

void Simulation::trouble_a_device(VirtualDevice& device, Trouble trouble) {
  ++trouble_[std::size_t(trouble)];
  switch (trouble) {
    case Trouble::power_loss: device.lose_power(); break;
    case Trouble::power_loss_between_steps: device.lose_power_after(1 + world_.random().below(30)); break;
    case Trouble::link_cut: device.cut_link(); break;
    case Trouble::link_half_open: device.half_open_link(); break;
    case Trouble::unreachable:
      device.set_reachable(false);
      device.half_open_link();
      world_.after(world_.between(1'000, 90'000), [&device] { device.set_reachable(true); });
      break;
    case Trouble::edit_of_threshold:
      device.edit("hotword.threshold", static_cast<double>(world_.random().below(11)) / 10);
      if (world_.chance(30)) device.lose_power();  // what was acknowledged must be there at the next start
      break;
    case Trouble::edit_of_level:
      device.edit("logger.level", world_.chance(50) ? Json("DEBUG") : Json(nullptr));
      break;
    case Trouble::override_edited_by_hand:
      device.edit_override_by_hand(world_.chance(50) ? R"({"HOTWORD_THRESHOLD":0.75})" : R"({"HOTWORD_THR)");
      break;
    case Trouble::session_duplicated: device.duplicate_session(); break;
    case Trouble::identity_remembered: device.remember_identity(); break;
    case Trouble::identity_restored: break;  // not drawn: it comes with a start
  }
  if (!device.running()) start_again_later(device);
}

void Simulation::trouble_the_hub() {
  if (!hub_->running()) return;
  switch (world_.random().below(4)) {
    case 0: return hub_->remember_backup();
    case 1:
      for (auto& device : devices_)
        device->cut_link();
      return;
    default: break;
  }
  const bool restore = world_.chance(25);
  hub_->kill();
  world_.after(world_.between(100, 40'000), [this, restore] {
    if (hub_->running()) return;
    if (restore) hub_->restore_backup();
    hub_->start();
  });
}

void Simulation::make_peace() {
  world_.note("world", "peace");
  world_.run_until(world_.now() + Milliseconds(90'000));  // what was going to start again has
  if (!hub_->running()) hub_->start();
  for (auto& device : devices_) {
    device->set_reachable(true);
    if (device->running()) device->stay_powered();
    if (!device->running()) device->start();
  }
}

void Simulation::check(SimulationResult& result) {
  for (auto& device : devices_) {
    result.failures.insert(result.failures.end(), device->complaints().begin(), device->complaints().end());
    check_device(*device, result.failures);
  }
  const auto stored = hub_->stored();
  result.changes = static_cast<std::int64_t>(stored.size());
  if (!stored.empty() && stored.rbegin()->first != result.changes) {
    result.failures.push_back("the log has gaps");
  }
  for (const auto& [revision, text] : hub_->acknowledged()) {
    const auto found = stored.find(revision);
    if (found == stored.end() || found->second != text) {
      result.failures.push_back("acknowledged revision " + std::to_string(revision) + " is lost or changed");
    }
  }
}

void Simulation::check_device(VirtualDevice& device, std::vector<std::string>& failures) {
  const auto complain = [&](const std::string& what) { failures.push_back(device.name() + " " + what); };
  if (!device.running()) return complain("does not run");
  const hub::Device* entity = hub_->state().device(device.id());
  if (entity == nullptr) return complain("is not registered");
  if (!hub_->core().sessions().online(device.id())) return complain("is not connected");
  const hub::DeviceRecord* record = hub_->core().records().find(device.id());
  const auto declared = hub::declared_by(hub_->state(), record);
  const auto target = hub_->core().documents().desired(hub_->state(), *entity, declared).settings;
  const Digest running = device.core().settings().running_hash();
  if (record->settings.running != running) complain("runs another document than the hub was told");
  if (running != target->hash) {
    const auto facts = hub::DeviceFacts::parse(record->facts);
    const bool visible = record->settings.refused == target->hash && !facts->errors.empty();
    if (!visible) {
      complain("runs " + running.hex().substr(0, 8) + ", not " + target->hash.hex().substr(0, 8) +
               " as desired, and shows not why: refused " + record->settings.refused.hex().substr(0, 8) +
               ", " + std::to_string(facts->errors.size()) + " errors, kept apart " +
               std::to_string(target->quarantined.size()) + " of " +
               std::to_string(facts->quarantine.size()));
    }
  }
  for (const std::string& key : device.unsettled_edits())
    complain("has an edit that was never settled: " + key);
}

}  // namespace starling::fleetsim
