#include <charconv>

#include "bench/processes/load/fanout.hpp"

namespace starling::bench {
namespace {

// The text protocol of nats-server (docs.nats.io, "Client Protocol").
class NatsFanout final : public Fanout {
 public:
  explicit NatsFanout(FanoutOptions options)
      : Fanout(std::move(options)), device_(*this, "change"), publisher_(*this, "answer") {
    answer_ = publish("answer", this->options().ack_bytes);
  }

  Result<void> connect() override {
    if (const auto devices = connect_devices(device_); !devices) return devices;
    publishing_ = &loop_.connect(options().endpoint, publisher_);
    return loop_.run_until("connecting the publisher", std::chrono::seconds(5),
                           [this] { return presence().ready > options().devices; });
  }

  void begin_round(std::size_t) override { publishing_->send(publish("change", options().payload_bytes)); }

 private:
  static std::string publish(std::string_view subject, std::size_t size) {
    return "PUB " + std::string(subject) + " " + std::to_string(size) + "\r\n" + std::string(size, 'x') +
           "\r\n";
  }

  struct Client final : Dialect {
    Client(NatsFanout& f, std::string_view s) : fanout(f), subject(s) {}
    void on_open(Link&) override {}

    std::size_t on_bytes(Link& link, std::string_view bytes) override {
      std::size_t used = 0;
      while (true) {
        const auto rest = bytes.substr(used);
        const auto line_end = rest.find("\r\n");
        if (line_end == std::string_view::npos) return used;
        const auto line = rest.substr(0, line_end);
        std::size_t size = line_end + 2;
        if (line.starts_with("MSG ")) {
          std::size_t payload = 0;
          std::from_chars(line.data() + line.rfind(' ') + 1, line.data() + line.size(), payload);
          size += payload + 2;
          if (rest.size() < size) return used;
          on_message(link);
        } else {
          on_line(link, line);
        }
        used += size;
      }
    }

    void on_line(Link& link, std::string_view line) {
      if (line.starts_with("INFO ")) {
        link.send(
            "CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"load\",\"lang\":\"c\","
            "\"version\":\"1\",\"protocol\":1}\r\nSUB " +
            subject + " 1\r\nPING\r\n");
      } else if (line == "PONG") {
        ++fanout.presence().ready;
      } else if (line == "PING") {
        link.send("PONG\r\n");
      } else if (line.starts_with("-ERR")) {
        on_lost(link, line);
      }
    }

    void on_message(Link& link) {
      if (this == &fanout.publisher_) {
        ++fanout.round().answers;
        return;
      }
      fanout.round().delivered_ms.push_back(milliseconds_since(fanout.round().start));
      link.send(fanout.answer_);
    }

    void on_lost(Link&, std::string_view why) override {
      ++fanout.presence().lost;
      fanout.presence().last_reason = why;
    }

    NatsFanout& fanout;
    std::string subject;
  };

  std::string answer_;
  Client device_;
  Client publisher_;
  Link* publishing_ = nullptr;
};

}  // namespace

std::unique_ptr<Fanout> make_nats_fanout(FanoutOptions options) {
  return std::make_unique<NatsFanout>(std::move(options));
}

}  // namespace starling::bench
