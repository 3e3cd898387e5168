#include "fleetsim/deterministic/virtual_hub.hpp"

#include <stdexcept>
#include <utility>

#include "hub/settings/explain.hpp"

namespace starling::fleetsim {

namespace {

std::string text_of(const hub::Change& change) {
  return boost::json::serialize(change.to_json());
}

std::string generation_name(std::uint64_t number) {
  return "generation-" + std::to_string(number);
}

}  // namespace

VirtualHub::VirtualHub(World& world)
    : world_(world), store_(store_turns_, world.clock(), generation_name(0)) {}

VirtualHub::~VirtualHub() {
  if (running()) kill();
}

void VirtualHub::start() {
  turns_ = std::make_unique<WorldExecutor>(world_);
  core_ = std::make_unique<hub::Hub>(store_, *turns_, world_.clock(), nullptr, hub::Sessions::Options{});
  ++starts_;
  const auto loaded = core_->load();
  if (!loaded) throw std::runtime_error("the hub does not start: " + loaded.error().message);
  core_->changes().add_fleet(std::string(hub::default_fleet));
  core_->changes().observe(*this);
  core_->sessions().observe(*this);
  note_desired(state());
  world_.note("hub", "starts at revision " + std::to_string(state().revision()));
  tick_later();
}

void VirtualHub::kill() {
  world_.note("hub", "killed");
  store_.crash(world_.random().below(store_.writes_in_flight() + 1));
  for (const auto& weak : std::exchange(links_, {})) {
    if (const auto link = weak.lock()) link->hub_gone();
  }
  core_->sessions().stop_observing(*this);
  core_->changes().stop_observing(*this);
  turns_.reset();
  core_.reset();
}

void VirtualHub::tick_later() {
  turns_->post([this] {
    world_.after(Milliseconds(999), [this, start = starts_] {
      if (!running() || start != starts_) return;
      core_->tick();
      tick_later();
    });
  });
}

void VirtualHub::remember_backup() {
  backup_ = store_.snapshot();
  backup_head_ = backup_->fleets.empty() ? 0 : backup_->fleets.begin()->second.head();
}

void VirtualHub::restore_backup() {
  if (!backup_) return;
  world_.note("hub", "restored from a backup of revision " + std::to_string(backup_head_));
  store_.restore(*backup_, generation_name(++starts_ + 1'000));
  acknowledged_.erase(acknowledged_.upper_bound(backup_head_), acknowledged_.end());
}

void VirtualHub::fail_next_write() {
  store_.fail_next_write({ErrorCode::unavailable, "the disk is full", {}});
}

void VirtualHub::append(std::string what, hub::ChangeLog::Plan plan) {
  core_->changes().append(std::string(hub::default_fleet), std::move(plan),
                          [this, what = std::move(what)](Result<hub::SharedChange> outcome) {
                            if (!outcome) {
                              world_.note("operator", what + " refused: " + outcome.error().message);
                              return;
                            }
                            if (*outcome == nullptr) return;
                            acknowledged_[(*outcome)->revision] = text_of(**outcome);
                            world_.note("operator",
                                        what + " is revision " + std::to_string((*outcome)->revision));
                          });
}

void VirtualHub::enrol(const hub::Device& device, std::function<void(Result<std::string>)> done) {
  core_->changes().append(
      std::string(hub::default_fleet),
      [device](const hub::FleetState& head, std::int64_t) -> Result<hub::Draft> {
        hub::Draft draft;
        draft.actor = {"device:" + device.id, device.name};
        draft.action = "device.register";
        const hub::Edit edit = head.edit(hub::EntityKind::device, device.id, device.to_json());
        if (edit.before.is_null()) draft.edits.push_back(edit);
        return draft;
      },
      [this, id = device.id, done = std::move(done)](Result<hub::SharedChange> outcome) {
        if (!outcome) return done(fail(outcome));
        if (*outcome == nullptr) return done(std::string());  // known: the handshake brings the token
        auto& record = core_->records().edit(std::string(hub::default_fleet), id);
        done(core_->records().issue_token(record));
      });
}

Result<std::unique_ptr<ws::Session>> VirtualHub::accept(const std::string& device_id,
                                                        std::string_view token) {
  if (!running()) return fail(ErrorCode::unavailable, "connection refused");
  if (state().device(device_id) == nullptr) {
    return fail(ErrorCode::unauthenticated, "no device is registered as '" + device_id + "'");
  }
  const hub::DeviceRecord* owner = token.empty() ? nullptr : core_->records().find_by_token(token);
  hub::LinkRequest request;
  request.fleet = hub::default_fleet;
  request.device_id = device_id;
  request.token_valid = owner != nullptr && owner->device_id == device_id;
  request.protocol = protocol::protocol_version;
  return core_->sessions().accept(std::move(request));
}

void VirtualHub::add_link(const std::shared_ptr<VirtualLink>& link) {
  std::erase_if(links_, [](const auto& weak) { return weak.expired(); });
  links_.push_back(link);
}

void VirtualHub::on_change(const hub::SharedChange& change, const hub::FleetState& state) {
  world_.note("hub", "revision " + std::to_string(change->revision) + " " + change->action);
  note_desired(state);
}

// What it refuses makes another document of its own.
void VirtualHub::on_reported(const std::string&, const std::string& device_id) {
  const hub::Device* device = state().device(device_id);
  if (device != nullptr) note_desired(state(), *device, device_id);
}

void VirtualHub::note_desired(const hub::FleetState& state, const hub::Device& device,
                              const std::string& id) {
  const auto declared = hub::declared_by(state, core_->records().find(id));
  desired_[id].insert(core_->documents().desired(state, device, declared).settings->hash);
}

void VirtualHub::note_desired(const hub::FleetState& state) {
  for (const auto& [id, device] : state.devices())
    note_desired(state, *device, id);
}

bool VirtualHub::ever_desired(const std::string& device_id, const Digest& hash) const {
  const auto found = desired_.find(device_id);
  return found != desired_.end() && found->second.contains(hash);
}

std::map<std::int64_t, std::string> VirtualHub::stored() const {
  std::map<std::int64_t, std::string> changes;
  const auto disk = store_.snapshot();
  for (const auto& [name, fleet] : disk.fleets) {
    for (const hub::SharedChange& change : fleet.log)
      changes[change->revision] = text_of(*change);
  }
  return changes;
}

}  // namespace starling::fleetsim
