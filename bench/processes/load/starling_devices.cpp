#include "bench/processes/load/starling_devices.hpp"

#include <chrono>

#include "base/files.hpp"
#include "base/uuid.hpp"
#include "bench/processes/load/http_pool.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::bench {
namespace {

std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string register_request(const Arguments& arguments, const std::string& uuid,
                             const std::string& public_key, std::size_t number) {
  const JsonObject body{{"device_uuid", uuid},
                        {"device_name", "load-" + uuid.substr(24)},
                        {"timezone", "Europe/Berlin"},
                        {"current_version", "0.1.0"},
                        {"device_type", "simulated"},
                        {"public_key", public_key},
                        {"serial", uuid},
                        {"labels", JsonObject{{"room", "room-" + std::to_string(number % 100)}}}};
  return http_request("POST", "/api/v1/devices/register", arguments.key, boost::json::serialize(body));
}

}  // namespace

Result<Identities> Identities::load(const std::string& path) {
  const auto text = read_file(path, 256u << 20);
  if (!text) return fail(text);
  Identities identities;
  std::size_t at = text->find('\n');
  auto key = base64url_decode(text->substr(0, at));
  if (!key) return fail(key);
  auto pair = ed25519_key_pair_from(*key);
  if (!pair) return fail(pair);
  identities.key = *pair;
  while (++at < text->size()) {
    const auto end = text->find('\n', at);
    const auto space = text->find(' ', at);
    identities.devices.push_back({text->substr(at, space - at), text->substr(space + 1, end - space - 1)});
    at = end;
  }
  return identities;
}

Result<void> Identities::save(const std::string& path) const {
  std::string text = base64url_encode(key.private_key) + "\n";
  for (const auto& device : devices)
    text += device.uuid + " " + device.token + "\n";
  return write_file_durably(path, text, 0600);
}

Result<JsonObject> register_devices(const Arguments& arguments) {
  Loop loop;
  HttpPool pool(loop, arguments.server, arguments.connections);
  Identities identities{make_ed25519_key_pair(), {}};
  const auto public_key = base64url_encode(identities.key.public_key);
  std::string failure;
  const auto start = BenchClock::now();
  for (std::size_t i = 0; i < arguments.devices; ++i) {
    const auto uuid = make_uuid_v7(SystemClock().wall());
    pool.call(register_request(arguments, uuid, public_key, i), [&, uuid](const HttpReply& reply) {
      const auto body = parse_json(reply.body);
      if (reply.status >= 300 || reply.status == 0 || !body) {
        failure = std::to_string(reply.status) + " " + std::string(reply.body);
        return;
      }
      identities.devices.push_back({uuid, std::string(body->at("token").as_string())});
    });
  }
  const auto done = loop.run_until("registering", std::chrono::minutes(10), [&] {
    return identities.devices.size() == arguments.devices || !failure.empty() || pool.lost() > 0;
  });
  if (!done) return fail(done);
  if (pool.lost() > 0)
    return fail(ErrorCode::unavailable, "the hub cannot be reached, or closed a connection");
  if (!failure.empty()) return fail(ErrorCode::unavailable, "a registration was refused: " + failure);
  const double elapsed_ms = milliseconds_since(start);
  if (const auto saved = identities.save(arguments.identities); !saved) return fail(saved);
  return JsonObject{{"devices", arguments.devices},
                    {"per_s", static_cast<double>(arguments.devices) / elapsed_ms * 1000}};
}

StarlingDevices::StarlingDevices(Loop& loop, const Identities& identities, Endpoint hub)
    : loop_(loop),
      identities_(identities),
      hub_(std::move(hub)),
      devices_(identities.devices.size()),
      epoch_{.start = unix_ms(), .connection = 0} {}

void StarlingDevices::connect(std::size_t count) {
  for (std::uint32_t i = 0; i < count && i < devices_.size(); ++i) {
    auto endpoint = hub_;
    endpoint.source = 1 + i / 1000;
    devices_[i].link = &loop_.connect(std::move(endpoint), *this, i);
  }
}

void StarlingDevices::disconnect_all() {
  for (auto& device : devices_) {
    if (device.link != nullptr) std::exchange(device.link, nullptr)->close();
  }
  counters_ = {};
  ++epoch_.connection;
}

void StarlingDevices::begin_round(BenchTime start) {
  round_start_ = start;
  delivered_ms_.clear();
}

void StarlingDevices::on_open(Link& link) {
  ++counters_.opened;
  if (stage_ == Stage::tcp) return;
  const auto& identity = identities_.devices[link.index()];
  link.send(upgrade_request(protocol::link_path, {{"Authorization", "Bearer " + identity.token},
                                                  {"X-Device-ID", identity.uuid},
                                                  {"X-Device-Type", "simulated"},
                                                  {"X-Starling-Protocol", "1"}}));
}

std::size_t StarlingDevices::on_bytes(Link& link, std::string_view bytes) {
  std::size_t used = 0;
  if (bytes.starts_with("HTTP/1.1 ")) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    if (!bytes.starts_with("HTTP/1.1 101")) {
      drop(link, bytes.substr(0, 400));
      return bytes.size();
    }
    ++counters_.upgraded;
    used = end + 4;
  }
  while (const auto frame = next_frame(bytes.substr(used))) {
    used += frame->size;
    switch (frame->opcode) {
      case Opcode::text: on_message(link, frame->payload); break;
      case Opcode::ping: link.send(client_frame(Opcode::pong, frame->payload)); break;
      case Opcode::close:
        drop(link, frame->payload.substr(std::min<std::size_t>(2, frame->payload.size())));
        return bytes.size();
      case Opcode::pong: break;
    }
  }
  return used;
}

void StarlingDevices::drop(Link& link, std::string_view why) {
  link.close();
  on_lost(link, why);
}

void StarlingDevices::on_lost(Link& link, std::string_view why) {
  devices_[link.index()].link = nullptr;
  ++counters_.lost;
  counters_.last_reason = why;
}

void StarlingDevices::on_message(Link& link, std::string_view text) {
  if (stage_ != Stage::session) return;
  if (text == last_.update) return answer(link);
  const auto message = protocol::decode_from_hub(text);
  if (!message) return drop(link, message.error().message);
  if (const auto* update = std::get_if<protocol::ConfigUpdate>(&*message)) {
    on_update(link, text, *update);
  } else if (const auto* challenge = std::get_if<protocol::Challenge>(&*message)) {
    handshake(link, *challenge);
  } else if (const auto* welcome = std::get_if<protocol::Welcome>(&*message)) {
    ++counters_.welcomed;
    hub_generation_ = welcome->hub_generation;
  } else if (const auto* error = std::get_if<protocol::LinkError>(&*message)) {
    drop(link, error->message);
  }
}

void StarlingDevices::handshake(Link& link, const protocol::Challenge& challenge) {
  const auto& device = devices_[link.index()];
  protocol::Handshake message;
  message.device_id = identities_.devices[link.index()].uuid;
  message.boot_id = "00000000-0000-4000-8000-000000000000";
  message.epoch = epoch_;
  message.agent_version = "0.1.0";
  message.serial = message.device_id;
  message.capabilities = {{"memory_mb", 512}};
  for (const auto* name : {"acknowledgement", "audio", "hotword", "logger"}) {
    message.components.emplace(name, Digest{});
  }
  message.cursor = {hub_generation_, device.revision};
  message.sections = {{protocol::Section::settings, device.applied, {}}};
  message.nonce = challenge.nonce;
  const auto proof = ed25519_sign(identities_.key.private_key, protocol::handshake_proof_text(message));
  if (!proof) return drop(link, proof.error().message);
  message.proof = base64url_encode(*proof);
  link.send(client_frame(Opcode::text, protocol::encode(protocol::FromDevice(std::move(message)))));
}

Result<void> StarlingDevices::apply(const protocol::ConfigUpdate& update) {
  Json document = update.payload;
  if (update.base) {
    const auto base = documents_.find(update.base);
    if (base == documents_.end()) return fail(ErrorCode::not_found, "the patch's base is not known here");
    document = base->second;
    protocol::apply_merge_patch(document, update.payload);
  }
  if (protocol::hash_of(document) != update.hash) {
    return fail(ErrorCode::corrupted, "the document does not have the hash that the hub says");
  }
  if (documents_.size() > 1000) documents_.clear();
  documents_.insert_or_assign(update.hash, std::move(document));
  return {};
}

void StarlingDevices::on_update(Link& link, std::string_view text, const protocol::ConfigUpdate& update) {
  if (update.base != devices_[link.index()].applied && update.base) ++counters_.mismatches;
  if (!apply(update)) {
    ++counters_.mismatches;
    link.send(client_frame(Opcode::text,
                           protocol::encode(protocol::FromDevice(protocol::ConfigRequest{update.section}))));
    return;
  }
  protocol::ConfigStatus status;
  status.section = update.section;
  status.target = update.hash;
  status.running_revision = update.revision;
  status.running = update.hash;
  last_ = {std::string(text), update.hash, update.revision,
           client_frame(Opcode::text, protocol::encode(protocol::FromDevice(std::move(status))))};
  counters_.update_bytes = text.size();
  counters_.answer_bytes = last_.frame.size() - 8;  // without the head of a masked frame of this length
  answer(link);
}

void StarlingDevices::answer(Link& link) {
  auto& device = devices_[link.index()];
  device.applied = last_.hash;
  device.revision = last_.revision;
  ++counters_.updates;
  delivered_ms_.push_back(milliseconds_since(round_start_));
  link.send(last_.frame);
}

}  // namespace starling::bench
