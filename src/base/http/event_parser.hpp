// Purpose: events out of the bytes of a text/event-stream (WHATWG HTML, section 9.2.6), without any I/O.
// Owner: the one who reads the stream. Thread: one. Lifetime: one stream.
// Inner header of base.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/http/client.hpp"
#include "base/result.hpp"

namespace starling::http {

class EventParser {
 public:
  using Sink = std::function<bool(const Client::Event&)>;

  enum class Verdict { go_on, stop };
  // Hands over each event that is complete; stop if the sink says false. Errors: too_large.
  Result<Verdict> feed(std::string_view bytes, const Sink& sink);

 private:
  Result<Verdict> take_line(const Sink& sink);

  std::string line_;
  Client::Event event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool at_start_ = true;
};

}  // namespace starling::http
