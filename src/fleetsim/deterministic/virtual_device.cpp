#include "fleetsim/deterministic/virtual_device.hpp"

#include <utility>

#include "protocol/canonical_json.hpp"

namespace starling::fleetsim {

namespace {

constexpr std::string_view missing_prefix = "missing";

// What the module refuses: a model whose file it does not have.
std::vector<protocol::KeyError> errors_in(const JsonObject& values) {
  const Json* models = values.if_contains("hotword.models");
  if (models == nullptr || !models->is_array()) return {};
  for (const Json& model : models->get_array()) {
    if (model.is_string() && std::string_view(model.get_string()).starts_with(missing_prefix)) {
      return {{"hotword.models", std::string(model.get_string()) + " is not on this device"}};
    }
  }
  return {};
}

}  // namespace

VirtualDevice::VirtualDevice(World& world, VirtualHub& hub, const protocol::Catalog& catalog,
                             std::string name, protocol::Labels labels)
    : world_(world),
      hub_(hub),
      catalog_(catalog),
      name_(std::move(name)),
      labels_(std::move(labels)),
      number_seed_(world.random()()),
      disk_(world.random()()) {}

VirtualDevice::~VirtualDevice() = default;

void VirtualDevice::start() {
  disk_.restore_power();
  ++starts_;
  agent::DeviceOptions options;
  options.board_serial = "serial-" + name_;
  options.seed = number_seed_ + starts_;
  options.link.agent_version = "sim";
  options.link.boot_id = name_ + "-" + std::to_string(starts_);
  auto loaded =
      agent::DeviceCore::load(disk_, world_.clock(), catalog_, *this, *this, *this, options, nullptr);
  if (!loaded) {
    if (disk_.crashed()) return world_.note(name_, "lost power while starting");
    complaints_.push_back(name_ + " does not start: " + loaded.error().message);
    return;
  }
  core_ = std::move(*loaded);
  id_ = core_->identity().device_id();
  tick_at_.reset();
  world_.note(name_, "starts with " + core_->settings().running_hash().hex().substr(0, 8));
  core_->connect();
  if (core_) later(world_.between(1, 500), [this] { say_hello(); });
  look();
}

void VirtualDevice::lose_power() {
  if (!running()) return;
  world_.note(name_, "loses power");
  disk_.crash_now();
  core_.reset();
  module_.reset();
  if (link_) std::exchange(link_, nullptr)->device_gone();
}

void VirtualDevice::lose_power_after(std::uint64_t steps) {
  if (running()) disk_.crash_after(steps);
}

void VirtualDevice::cut_link() {
  if (link_) link_->cut();
}

void VirtualDevice::half_open_link() {
  if (link_) link_->make_half_open();
}

void VirtualDevice::duplicate_session() {
  if (!link_) return;
  std::exchange(link_, nullptr)->make_half_open();
  core_->link().closed("the network changed");
  look();
}

void VirtualDevice::remember_identity() {
  old_identity_ = disk_.content(agent::Identity::path);
}

bool VirtualDevice::restore_identity() {
  if (!old_identity_ || running()) return false;
  disk_.put(agent::Identity::path, *old_identity_);
  return true;
}

void VirtualDevice::later(Milliseconds delay, std::function<void()> work) {
  world_.after(delay, [this, start = starts_, work = std::move(work)] {
    if (!running() || start != starts_) return;
    work();
    look();
  });
}

void VirtualDevice::look() {
  if (!running()) return;
  if (disk_.crashed()) return lose_power();
  const Digest hash = core_->settings().running_hash();
  if (hash != running_) {
    running_ = hash;
    world_.note(name_, "runs " + hash.hex().substr(0, 8));
    const Digest defaults = agent::default_document(catalog_).hash();
    if (hash && hash != defaults && !hub_.ever_desired(id_, hash)) {
      complaints_.push_back(name_ + " runs a document that nobody ever wanted: " + hash.hex());
    }
  }
  look_at_values();
  const auto next = core_->next_deadline();
  if (!next || (tick_at_ && *tick_at_ <= *next)) return;
  tick_at_ = *next;
  const auto wait = std::chrono::ceil<Milliseconds>(*next - world_.clock().steady());
  later(std::max(wait, Milliseconds(0)), [this] {
    tick_at_.reset();
    core_->tick();
  });
}

// Every value in force is the running document's, or was given on the device itself.
void VirtualDevice::look_at_values() {
  const auto& document = core_->settings().document().settings;
  for (const auto& [key, value] : core_->settings().values()) {
    if (key == protocol::persona_active_key) continue;
    const auto wanted = document.find(key);
    if (wanted != document.end() && agent::same_value(wanted->second, value)) continue;
    const auto edited = edited_values_.find(key);
    const std::string text = protocol::canonical_json(value);
    const bool back_to_default = agent::same_value(catalog_.find(key)->default_value, value);
    if (edited != edited_values_.end() && (edited->second.contains(text) || back_to_default)) continue;
    if (wanted == document.end() && back_to_default) continue;
    complaints_.push_back(name_ + " runs " + key + " = " + text + ", which nobody wanted");
  }
}

void VirtualDevice::edit(const std::string& key, Json value) {
  if (!running()) return;
  edited_values_[key].insert(protocol::canonical_json(value));
  core_->settings().set(key, std::move(value), [this, key](const Result<void>& done) {
    if (!done || !running()) return;
    for (const protocol::PendingEdit& pending : core_->settings().pending_edits()) {
      if (pending.key == key) acknowledged_edits_[key] = pending.id;
    }
    world_.note(name_, "edits " + key);
  });
  look();
}

void VirtualDevice::edit_override_by_hand(const std::string& content) {
  if (!running()) return;
  world_.note(name_, "override file edited by hand");
  disk_.put(agent::override_path, content);
  if (const auto values = agent::parse_override(catalog_, content)) {
    for (const auto& [key, value] : *values)
      edited_values_[key].insert(protocol::canonical_json(value));
    for (const auto& [key, value] : core_->settings().values())
      edited_values_[key];  // taken out of the file
  }
  core_->settings().check_override();
  look();
}

std::vector<std::string> VirtualDevice::unsettled_edits() const {
  std::vector<std::string> keys;
  if (!running()) return keys;
  for (const protocol::PendingEdit& pending : core_->settings().pending_edits())
    keys.push_back(pending.key);
  for (const auto& [key, id] : acknowledged_edits_) {
    if (!settled_edits_.contains(id)) keys.push_back(key + " (" + id + ")");
  }
  return keys;
}

void VirtualDevice::enrol() {
  later(world_.between(5, 50), [this] {
    if (!reachable_ || !hub_.running()) {
      return core_->link().attempt_failed({ErrorCode::unavailable, "connection refused", {}});
    }
    hub::Device device;
    device.id = id_;
    device.name = name_;
    device.labels = labels_;
    device.serial = core_->identity().serial();
    device.public_key = base64url_encode(core_->identity().public_key());
    hub_.enrol(device, [this, start = starts_](Result<std::string> token) {
      if (start != starts_) return;
      later(world_.between(5, 50), [this, token = std::move(token)] {
        if (token) return core_->link().enrolled(*token);
        core_->link().attempt_failed(token.error());
      });
    });
    // Nobody answers if the hub dies meanwhile: the HTTP client's own time limit.
    later(Milliseconds(10'000), [this] {
      if (core_->link().state() == agent::LinkCore::State::enrolling) {
        core_->link().attempt_failed({ErrorCode::timed_out, "no answer", {}});
      }
    });
  });
}

void VirtualDevice::connect(std::string_view token) {
  later(world_.between(5, 50), [this, bearer = std::string(token)] {
    if (!reachable_) return core_->link().attempt_failed({ErrorCode::unavailable, "no route to host", {}});
    open_link(hub_.accept(id_, bearer));
  });
}

void VirtualDevice::open_link(Result<std::unique_ptr<ws::Session>> session) {
  if (!session) return core_->link().attempt_failed(session.error());
  VirtualLink::DeviceEnd end;
  end.received = [this](std::string_view text) {
    if (const auto message = protocol::decode_from_hub(text)) {
      const auto* answer = std::get_if<protocol::ConfigProposed>(&*message);
      if (answer != nullptr) {
        world_.note(name_, "hears of edit " + answer->id + (answer->accepted ? " accepted" : " refused"));
        settled_edits_.insert(answer->id);
      }
    }
    core_->link().received(text);
    look();
  };
  end.pinged = [this] { core_->link().alive(); };
  end.closed = [this](std::string_view reason) {
    link_.reset();
    core_->link().closed(reason);
    look();
  };
  link_ = std::make_shared<VirtualLink>(world_, std::move(end));
  hub_.add_link(link_);
  core_->link().opened();
  link_->open(std::move(*session));
}

void VirtualDevice::send(std::string_view text) {
  if (link_) link_->send_from_device(std::string(text));
}

void VirtualDevice::close(std::string_view) {
  if (link_) std::exchange(link_, nullptr)->close_from_device();
}

void VirtualDevice::say_hello() {
  const auto opened = core_->modules().opened(1);
  if (!opened) return;
  module_ = *opened;
  protocol::module::Hello hello;
  hello.name = "hotword";
  hello.components = {"hotword"};
  core_->modules().line(*module_, protocol::module::encode(protocol::module::FromModule(hello)));
}

void VirtualDevice::send_line(agent::ModuleId module, std::string_view line) {
  later(world_.between(1, 300), [this, module, text = std::string(line)] { answer_module(module, text); });
}

void VirtualDevice::answer_module(agent::ModuleId module, const std::string& line) {
  if (module_ != module) return;
  const auto message = protocol::module::decode_from_agent(line);
  if (!message) return;
  std::optional<protocol::module::FromModule> answer;
  if (const auto* prepare = std::get_if<protocol::module::Prepare>(&*message)) {
    if (world_.chance(3)) return;  // silence is refusal
    const auto errors = errors_in(prepare->values);
    answer = protocol::module::Prepared{prepare->hash, errors.empty(), errors};
  } else if (const auto* commit = std::get_if<protocol::module::Commit>(&*message)) {
    answer = protocol::module::Committed{commit->hash};
  }
  if (answer) core_->modules().line(module, protocol::module::encode(*answer));
}

void VirtualDevice::drop(agent::ModuleId module) {
  if (module_ != module) return;
  module_.reset();
  later(world_.between(100, 1'000), [this] { say_hello(); });
}

agent::IdentitySource VirtualDevice::make() {
  agent::SeededRandom random(number_seed_);
  std::string private_key;
  while (private_key.size() < 32)
    private_key.push_back(static_cast<char>(random() & 0xff));
  return {random.uuid(), *ed25519_key_pair_from(private_key)};
}

}  // namespace starling::fleetsim
