#include "bench/processes/load/fanout.hpp"
#include "bench/processes/load/frames.hpp"

namespace starling::bench {
namespace {

class EpollFanout final : public Fanout {
 public:
  explicit EpollFanout(FanoutOptions options)
      : Fanout(std::move(options)),
        answer_(client_frame(Opcode::text, std::string(this->options().ack_bytes, 'a'))),
        device_(*this),
        publisher_(*this) {}

  Result<void> connect() override {
    if (const auto devices = connect_devices(device_); !devices) return devices;
    publishing_ = &loop_.connect(options().endpoint, publisher_);
    return loop_.run_until("connecting the publisher", std::chrono::seconds(5),
                           [this] { return publisher_ready_; });
  }

  void begin_round(std::size_t) override {
    publishing_->send(client_frame(Opcode::text, std::string(options().payload_bytes, 'x')));
  }

 private:
  struct Device final : Dialect {
    explicit Device(EpollFanout& f) : fanout(f) {}
    void on_open(Link& link) override { link.send(upgrade_request("/device", {})); }
    std::size_t on_bytes(Link& link, std::string_view bytes) override {
      if (bytes.starts_with("HTTP/1.1 101")) {
        ++fanout.presence().ready;
        return bytes.find("\r\n\r\n") + 4;
      }
      const auto frame = next_frame(bytes);
      if (!frame) return 0;
      fanout.round().delivered_ms.push_back(milliseconds_since(fanout.round().start));
      link.send(fanout.answer_);
      return frame->size;
    }
    void on_lost(Link&, std::string_view why) override {
      ++fanout.presence().lost;
      fanout.presence().last_reason = why;
    }
    EpollFanout& fanout;
  };

  struct Publisher final : Dialect {
    explicit Publisher(EpollFanout& f) : fanout(f) {}
    void on_open(Link& link) override { link.send(upgrade_request("/control", {})); }
    std::size_t on_bytes(Link&, std::string_view bytes) override {
      if (bytes.starts_with("HTTP/1.1 101")) {
        fanout.publisher_ready_ = true;
      } else {
        fanout.round().answers = fanout.options().devices;
      }
      return bytes.size();
    }
    void on_lost(Link&, std::string_view) override { ++fanout.presence().lost; }
    EpollFanout& fanout;
  };

  std::string answer_;
  Device device_;
  Publisher publisher_;
  Link* publishing_ = nullptr;
  bool publisher_ready_ = false;
};

}  // namespace

std::unique_ptr<Fanout> make_epoll_fanout(FanoutOptions options) {
  return std::make_unique<EpollFanout>(std::move(options));
}

}  // namespace starling::bench
