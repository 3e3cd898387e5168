#include "base/ws/connection.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>

namespace starling::ws {
namespace {

using net::Outcome;
using Descriptor = net::SocketStream::Descriptor;

constexpr std::chrono::seconds close_limit{2};
constexpr int reads_per_turn = 4;  // then others have their turn
constexpr std::size_t frames_per_write = 64;
// Past this a pong is left out: the other end does not read, and only the newest ping needs an answer.
constexpr std::size_t max_queued_for_pong = 4096;

}  // namespace

struct Connection::ReadReady {
  std::shared_ptr<Connection> connection;
  void operator()(const boost::system::error_code& error) const {
    if (!error) connection->on_readable();
  }
};

struct Connection::WriteReady {
  std::shared_ptr<Connection> connection;
  void operator()(const boost::system::error_code& error) const {
    if (!error) connection->on_writable();
  }
};

Connection::Connection(net::LoopResources& loop, net::SocketStream stream, Role role, Limits limits,
                       std::string address, std::unique_ptr<Session> session, Owner& owner)
    : loop_(loop),
      owner_(owner),
      session_(std::move(session)),
      stream_(std::move(stream)),
      max_queued_bytes_(limits.max_queued_bytes),
      address_(std::move(address)),
      decoder_(role, limits.max_message_bytes),
      role_(role) {}

void Connection::start(std::string received) {
  session_->on_open(*this);
  consume(received);
  if (state_ >= State::ending) return;
  if (!stream_.may_have_more(0, 1)) return wait_readable();
  // TLS took the first messages off the socket together with the handshake: nothing would say so any more.
  asio::post(loop_.io(), [self = shared_from_this()] { self->on_readable(); });
}

// --- receiving

void Connection::wait_readable() {
  stream_.async_wait(Descriptor::wait_read, ReadReady{shared_from_this()});
}

void Connection::on_readable() {
  if (state_ >= State::ending) return;
  const std::span<char> buffer = loop_.read_buffer();
  for (int turn = 0; turn < reads_per_turn; ++turn) {
    const Outcome got = stream_.read(buffer);
    if (got.status == Outcome::Status::want_read) return wait_readable();
    if (got.status == Outcome::Status::want_write) {  // a TLS key update wants to be answered
      stream_.async_wait(Descriptor::wait_write, ReadReady{shared_from_this()});
      return;
    }
    if (got.status != Outcome::Status::done) {
      return end_now(CloseCode::abnormal, got.status == Outcome::Status::closed
                                              ? "the other end closed the connection"
                                              : got.what());
    }
    consume(buffer.first(got.bytes));
    if (state_ >= State::ending) return;
    if (!stream_.may_have_more(got.bytes, buffer.size())) return wait_readable();
  }
  // What TLS has already taken off the socket would never make it readable again.
  asio::post(loop_.io(), [self = shared_from_this()] { self->on_readable(); });
}

void Connection::consume(std::span<char> input) {
  while (state_ == State::open || state_ == State::closing) {
    const Decoder::Event event = decoder_.next(input);
    if (event.kind == Decoder::Event::Kind::need_more) return;
    take(event);
  }
}

void Connection::take(const Decoder::Event& event) {
  using Kind = Decoder::Event::Kind;
  if (event.kind == Kind::violation) return refuse(event.code, event.payload);
  if (event.kind == Kind::close) return take_close(event);
  if (state_ != State::open) return;  // after our close frame only the answer to it counts
  switch (event.kind) {
    case Kind::text: return session_->on_text(event.payload);
    case Kind::binary:
      if (!session_->on_binary(event.payload))
        refuse(CloseCode::unsupported_data, "binary messages are not taken");
      return;
    case Kind::ping:
      if (queued_bytes_ <= max_queued_for_pong) send_own(Opcode::pong, event.payload);
      return session_->on_ping();
    case Kind::pong: return session_->on_pong();
    default: return;
  }
}

void Connection::take_close(const Decoder::Event& event) {
  note_end(event.code, event.payload);
  if (state_ == State::open) send_close(event.code, {});
  if (state_ >= State::ending) return;
  limit_closing();
  state_ = State::answering;
  if (queue_.empty()) after_flush();
}

// The other end broke the protocol: nothing more of what it says can be understood.
void Connection::refuse(CloseCode code, std::string_view what) {
  note_end(code, what);
  if (state_ == State::open) send_close(code, what);
  if (state_ >= State::ending) return;
  limit_closing();
  state_ = State::discarding;
  if (queue_.empty()) stream_.end_writing();
}

// --- sending

std::optional<MaskKey> Connection::mask() const {
  return role_ == Role::client ? std::optional<MaskKey>(random_mask_key()) : std::nullopt;
}

void Connection::send(SharedFrame frame) {
  if (state_ == State::open) enqueue(std::move(frame));
}

void Connection::send_text(std::string_view text) {
  send_own(Opcode::text, text);
}
void Connection::ping() {
  send_own(Opcode::ping, {});
}

void Connection::send_own(Opcode opcode, std::string_view payload) {
  if (state_ != State::open) return;
  enqueue(std::make_shared<const std::string>(encode_frame(opcode, payload, mask())));
}

void Connection::send_close(CloseCode code, std::string_view reason) {
  enqueue(std::make_shared<const std::string>(encode_close(code, reason, mask())));
}

void Connection::enqueue(SharedFrame frame) {
  std::size_t sent = 0;
  if (queue_.empty()) {
    const Outcome outcome = stream_.write(*frame);
    if (outcome.status == Outcome::Status::done) {
      sent = outcome.bytes;
    } else if (outcome.status != Outcome::Status::want_write) {
      note_end(CloseCode::abnormal, outcome.what());
      return end_soon();  // never from within: the Session is calling
    }
    if (sent == frame->size()) return;
    front_sent_ = sent;
  }
  queued_bytes_ += frame->size() - sent;
  if (queued_bytes_ > max_queued_bytes_) {
    note_end(CloseCode::abnormal, "the other end does not read what it is sent");
    return end_soon();
  }
  queue_.push_back(std::move(frame));
  if (!waits_writable_) wait_writable();
}

void Connection::wait_writable() {
  waits_writable_ = true;
  stream_.async_wait(Descriptor::wait_write, WriteReady{shared_from_this()});
}

// False if the connection has failed.
bool Connection::flush() {
  while (!queue_.empty()) {
    std::array<iovec, frames_per_write> pieces;
    std::size_t count = 0;
    std::size_t skip = front_sent_;
    for (std::size_t i = queue_front_; i < queue_.size() && count < pieces.size(); ++i, skip = 0) {
      pieces[count++] = {const_cast<char*>(queue_[i]->data()) + skip, queue_[i]->size() - skip};
    }
    const Outcome outcome = stream_.write(std::span<const iovec>(pieces.data(), count));
    if (outcome.status == Outcome::Status::want_write) return true;
    if (outcome.status != Outcome::Status::done) {
      note_end(CloseCode::abnormal, outcome.what());
      return false;
    }
    queued_bytes_ -= outcome.bytes;
    front_sent_ += outcome.bytes;
    while (queue_front_ < queue_.size() && front_sent_ >= queue_[queue_front_]->size()) {
      front_sent_ -= queue_[queue_front_]->size();
      queue_[queue_front_++].reset();
    }
    if (queue_front_ == queue_.size()) {
      queue_ = {};
      queue_front_ = 0;
    } else if (queue_front_ >= frames_per_write) {
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_front_));
      queue_front_ = 0;
    }
  }
  return true;
}

void Connection::on_writable() {
  waits_writable_ = false;
  if (state_ >= State::ending) return;
  if (!flush()) return end_now(end_code_, {});
  if (!queue_.empty()) return wait_writable();
  after_flush();
  if (state_ == State::open) session_->on_drained();
}

void Connection::after_flush() {
  if (state_ == State::discarding) stream_.end_writing();
  if (state_ != State::answering) return;
  if (role_ == Role::server) return end_soon();
  // The server ends the TCP connection first, so that the waiting state of TCP stays with it (section 7.1.1).
  state_ = State::discarding;
}

// --- ending

void Connection::close(CloseCode code, std::string_view reason) {
  if (state_ != State::open) return;
  note_end(code, reason);
  send_close(code, reason);
  if (state_ >= State::ending) return;
  state_ = State::closing;
  limit_closing();
}

void Connection::abort() {
  if (state_ >= State::ending) return;
  note_end(CloseCode::abnormal, "dropped by this end");
  end_soon();
}

// The first cause is the one that is told.
void Connection::note_end(CloseCode code, std::string_view reason) {
  if (end_noted_) return;
  end_noted_ = true;
  end_code_ = code;
  end_reason_ = reason;
}

void Connection::limit_closing() {
  if (close_timer_) return;
  close_timer_ = std::make_unique<asio::steady_timer>(loop_.io(), close_limit);
  close_timer_->async_wait([self = weak_from_this()](const boost::system::error_code& error) {
    const std::shared_ptr<Connection> connection = self.lock();
    if (!error && connection) connection->end_now(CloseCode::abnormal, "the close frame was not answered");
  });
}

void Connection::end_soon() {
  if (state_ >= State::ending) return;
  state_ = State::ending;
  asio::post(loop_.io(), [self = shared_from_this()] { self->end_now(CloseCode::abnormal, {}); });
}

void Connection::end_now(CloseCode code, std::string_view reason) {
  if (state_ == State::ended) return;
  const std::shared_ptr<Connection> self = shared_from_this();  // closing drops the waits, which own this
  note_end(code, reason);
  state_ = State::ended;
  if (end_code_ != CloseCode::abnormal) stream_.end_writing();
  stream_.close();
  close_timer_.reset();
  session_->on_close(end_code_, end_reason_);
  session_.reset();
  owner_.connection_ended(*this);
}

}  // namespace starling::ws
