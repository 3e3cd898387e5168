#include "bench/processes/load/fanout.hpp"

namespace starling::bench {
namespace {

// MQTT 3.1.1 control packets, section 2.2.1.
enum class Packet : std::uint8_t {
  connect = 0x10,
  connack = 0x20,
  publish = 0x30,
  puback = 0x40,
  subscribe = 0x82,
  suback = 0x90,
};

std::string packet(unsigned first, std::string_view body) {
  std::string bytes(1, static_cast<char>(first));
  std::size_t size = body.size();
  do {
    const auto low = size & 0x7f;
    size >>= 7;
    bytes.push_back(static_cast<char>(low | (size > 0 ? 0x80 : 0)));
  } while (size > 0);
  return bytes.append(body);
}

std::string field(std::string_view text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)}.append(text);
}

std::string connect_packet(const std::string& client) {
  std::string body = field("MQTT");
  body += '\x04';                 // protocol level of 3.1.1
  body += '\x02';                 // clean session
  body.append({'\x00', '\x00'});  // no keep-alive
  return packet(static_cast<unsigned>(Packet::connect), body + field(client));
}

std::string subscribe_packet(std::string_view topic, char qos) {
  const std::string id{'\x00', '\x01'};
  return packet(static_cast<unsigned>(Packet::subscribe), id + field(topic) + qos);
}

// `id` is empty at QoS 0.
std::string publish_packet(std::string_view topic, std::string_view id, std::size_t size) {
  const unsigned qos_bits = id.empty() ? 0u : 2u;
  return packet(static_cast<unsigned>(Packet::publish) | qos_bits,
                field(topic).append(id) + std::string(size, 'x'));
}

class MqttFanout final : public Fanout {
 public:
  explicit MqttFanout(FanoutOptions options) : Fanout(std::move(options)), device_(*this), publisher_(*this) {
    const std::string id = this->options().answer_qos > 0 ? std::string{'\x00', '\x01'} : "";
    if (this->options().ack_bytes > 0) answer_ = publish_packet("answer", id, this->options().ack_bytes);
  }

  Result<void> connect() override {
    if (const auto devices = connect_devices(device_); !devices) return devices;
    publishing_ = &loop_.connect(options().endpoint, publisher_);
    return loop_.run_until("connecting the publisher", std::chrono::seconds(5),
                           [this] { return presence().ready > options().devices; });
  }

  void begin_round(std::size_t number) override {
    const auto id = static_cast<char>(number + 1);
    publishing_->send(publish_packet("change", std::string{'\x00', id}, options().payload_bytes));
  }

 private:
  struct Client final : Dialect {
    explicit Client(MqttFanout& f) : fanout(f) {}
    bool publisher() const { return this == &fanout.publisher_; }

    void on_open(Link& link) override {
      link.send(connect_packet(publisher() ? "publisher" : "device-" + std::to_string(link.index())));
    }

    std::size_t on_bytes(Link& link, std::string_view bytes) override {
      std::size_t used = 0;
      while (bytes.size() - used >= 2) {
        std::size_t body = 0, at = used + 1, shift = 0;
        for (; at < bytes.size(); ++at, shift += 7) {
          body |= static_cast<std::size_t>(bytes[at] & 0x7f) << shift;
          if ((bytes[at] & 0x80) == 0) break;
        }
        if (at >= bytes.size() || bytes.size() < at + 1 + body) return used;
        on_packet(link, static_cast<std::uint8_t>(bytes[used]), bytes.substr(at + 1, body));
        used = at + 1 + body;
      }
      return used;
    }

    void on_packet(Link& link, std::uint8_t first, std::string_view body) {
      switch (static_cast<Packet>(first & 0xf0)) {
        case Packet::connack:
          link.send(publisher() ? subscribe_packet("answer", fanout.options().answer_qos > 0 ? 1 : 0)
                                : subscribe_packet("change", 1));
          break;
        case Packet::suback: ++fanout.presence().ready; break;
        case Packet::publish: on_publish(link, first, body); break;
        default: break;
      }
    }

    void on_publish(Link& link, std::uint8_t first, std::string_view body) {
      std::string reply;
      if ((first & 0x06) != 0) {
        const auto topic = static_cast<std::size_t>(static_cast<std::uint8_t>(body[0])) << 8 |
                           static_cast<std::uint8_t>(body[1]);
        reply = packet(static_cast<unsigned>(Packet::puback), body.substr(2 + topic, 2));
      }
      if (publisher()) {
        ++fanout.round().answers;
        return link.send(reply);
      }
      fanout.round().delivered_ms.push_back(milliseconds_since(fanout.round().start));
      link.send(reply.append(fanout.answer_));
      // Without a published answer nobody is told; the last PUBACK sent is the nearest that can be seen.
      if (fanout.answer_.empty()) ++fanout.round().answers;
    }

    void on_lost(Link&, std::string_view why) override {
      ++fanout.presence().lost;
      fanout.presence().last_reason = why;
    }

    MqttFanout& fanout;
  };

  std::string answer_;
  Client device_;
  Client publisher_;
  Link* publishing_ = nullptr;
};

}  // namespace

std::unique_ptr<Fanout> make_mqtt_fanout(FanoutOptions options) {
  return std::make_unique<MqttFanout>(std::move(options));
}

}  // namespace starling::bench
