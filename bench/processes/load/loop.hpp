// Purpose: many client connections on one thread, cheap enough that the measured server is the slower end.
// Raw epoll on purpose: the load must not share the code, or the faults, of what it measures.
// Owner: a scenario. Thread: one. Lifetime: the Loop outlives its Links; Dialects outlive the Loop.
#pragma once

#include <openssl/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace starling::bench {

using BenchClock = std::chrono::steady_clock;
using BenchTime = BenchClock::time_point;

double milliseconds_since(BenchTime start);

class Link;
class Loop;

// What is spoken on a connection.
class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual void on_open(Link& link) = 0;
  // Returns how many bytes it has dealt with; the rest comes again with what follows.
  virtual std::size_t on_bytes(Link& link, std::string_view bytes) = 0;
  virtual void on_lost(Link& link, std::string_view why) = 0;
};

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  bool tls = false;
  std::uint32_t source = 0;  // which loopback source address: 127.0.(1 + n / 250).(1 + n % 250); 0: any
};

class Link {
 public:
  Link(Loop& loop, Dialect& dialect, std::uint32_t index, Endpoint endpoint);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void send(std::string_view bytes);
  void close();
  bool open() const { return phase_ == Phase::open; }
  std::uint32_t index() const { return index_; }  // of the connection among its kind

 private:
  friend class Loop;
  enum class Phase { waiting, connecting, securing, open, closed };

  Result<void> start(int epoll);
  void on_event(std::uint32_t events);
  void secure();
  void opened();
  void read();
  std::ptrdiff_t receive(char* into, std::size_t size);  // 0: would block, -1: ended
  std::ptrdiff_t write(std::string_view bytes);          // likewise
  void take(std::string_view bytes);
  void flush();
  void watch(bool writable);
  void lost(std::string_view why);

  Loop& loop_;
  Dialect& dialect_;
  Endpoint endpoint_;
  std::uint32_t index_;
  int epoll_ = -1;
  int descriptor_ = -1;
  SSL* tls_ = nullptr;
  Phase phase_ = Phase::waiting;
  bool watching_writable_ = false;
  std::string unread_;
  std::string unsent_;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Connects as soon as fewer than max_connecting() others are being connected.
  Link& connect(Endpoint endpoint, Dialect& dialect, std::uint32_t index = 0);
  void set_max_connecting(std::size_t count) { max_connecting_ = count; }
  void after(std::chrono::microseconds delay, std::function<void()> work);

  // Turns until `done` holds. Errors: timed_out, with `what` in the message.
  Result<void> run_until(std::string_view what, std::chrono::milliseconds limit,
                         const std::function<bool()>& done);
  void run_for(std::chrono::milliseconds time);
  void close_all();

 private:
  friend class Link;
  void turn(std::chrono::milliseconds limit);
  void start_waiting();

  int epoll_;
  SSL_CTX* tls_context_;
  std::vector<std::unique_ptr<Link>> links_;
  std::deque<Link*> waiting_;
  std::size_t connecting_ = 0;
  std::size_t max_connecting_ = 1024;
  std::multimap<BenchTime, std::function<void()>> timers_;
  std::unique_ptr<char[]> buffer_;  // of one read; shared, since a link keeps only what its dialect left
};

}  // namespace starling::bench
