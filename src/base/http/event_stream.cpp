#include "base/http/event_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace starling::http {
namespace {

using net::Outcome;
using Descriptor = net::SocketStream::Descriptor;

constexpr std::size_t max_unsent_bytes = 1u << 20;
constexpr std::chrono::seconds close_limit{2};

bool ends_line(char c) {
  return c == '\n' || c == '\r' || c == '\0';
}

void append_line(std::string& out, std::string_view field, std::string_view value) {
  out += field;
  out += ": ";
  std::ranges::remove_copy_if(value, std::back_inserter(out), ends_line);
  out += '\n';
}

}  // namespace

struct EventStreamConnection::ReadReady {
  std::shared_ptr<EventStreamConnection> stream;
  void operator()(const boost::system::error_code& error) const {
    if (!error) stream->on_readable();
  }
};

struct EventStreamConnection::WriteReady {
  std::shared_ptr<EventStreamConnection> stream;
  void operator()(const boost::system::error_code& error) const {
    if (!error) stream->on_writable();
  }
};

EventStreamConnection::EventStreamConnection(net::LoopResources& loop, net::SocketStream stream, bool chunked,
                                             std::uint64_t& open)
    : loop_(loop), stream_(std::move(stream)), open_(&open), chunked_(chunked) {
  ++*open_;
}

EventStreamConnection::~EventStreamConnection() = default;

void EventStreamConnection::drop() {
  if (open_ == nullptr) return;
  --*open_;
  open_ = nullptr;
  unlink();
  pending_ = {};
  sent_ = 0;
  drained_ = nullptr;
  close_timer_.reset();
  stream_.close();
}

void EventStreamConnection::wait_readable() {
  stream_.async_wait(Descriptor::wait_read, ReadReady{shared_from_this()});
}

void EventStreamConnection::wait_writable() {
  waits_writable_ = true;
  stream_.async_wait(Descriptor::wait_write, WriteReady{shared_from_this()});
}

// The client has nothing more to say; reading only shows that it is gone.
void EventStreamConnection::on_readable() {
  if (open_ == nullptr) return;
  const Outcome got = stream_.read(loop_.read_buffer());
  if (got.status == Outcome::Status::closed || got.status == Outcome::Status::failed) return drop();
  wait_readable();
}

void EventStreamConnection::on_writable() {
  waits_writable_ = false;
  if (open_ != nullptr) flush();
  if (closed() || queued_bytes() > 0 || !drained_) return;
  const std::function<void()> call = drained_;  // it may set another
  call();
}

void EventStreamConnection::send(std::string_view event, std::string_view id, std::string_view data) {
  if (closed()) return;
  std::string text;
  text.reserve(data.size() + event.size() + id.size() + 32);
  if (!event.empty()) append_line(text, "event", event);
  if (!id.empty()) append_line(text, "id", id);
  append_line(text, "data", data);
  text += '\n';
  append(text);
}

void EventStreamConnection::send_comment(std::string_view text) {
  if (closed()) return;
  std::string line;
  append_line(line, "", text);
  line += '\n';
  append(line);
}

void EventStreamConnection::append(std::string_view bytes) {
  if (pending_.size() - sent_ + bytes.size() > max_unsent_bytes) return drop();
  if (chunked_) {
    fmt::format_to(std::back_inserter(pending_), "{:x}\r\n{}\r\n", bytes.size(), bytes);
  } else {
    pending_ += bytes;
  }
  if (!waits_writable_) flush();
}

void EventStreamConnection::flush() {
  while (sent_ < pending_.size()) {
    const Outcome outcome = stream_.write(std::string_view(pending_).substr(sent_));
    if (outcome.status == Outcome::Status::want_write) {
      if (sent_ > pending_.size() / 2) {
        pending_.erase(0, sent_);
        sent_ = 0;
      }
      return wait_writable();
    }
    if (outcome.status != Outcome::Status::done) return drop();
    sent_ += outcome.bytes;
  }
  pending_ = {};
  sent_ = 0;
  if (!closing_) return;
  stream_.end_writing();
  drop();
}

void EventStreamConnection::close() {
  if (closed()) return;
  if (chunked_) pending_ += "0\r\n\r\n";
  closing_ = true;
  close_timer_ = std::make_unique<asio::steady_timer>(loop_.io(), close_limit);
  close_timer_->async_wait([self = weak_from_this()](const boost::system::error_code& error) {
    const std::shared_ptr<EventStreamConnection> stream = self.lock();
    if (!error && stream) stream->drop();
  });
  if (!waits_writable_) flush();
}

}  // namespace starling::http
