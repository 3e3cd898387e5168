// Whatever is taken as a URL, a query or an escaped text must survive being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/http/event_parser.hpp"
#include "base/http/message.hpp"

using namespace starling::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (percent_decode(percent_encode(text)).value() != text) std::abort();
  if (const auto url = Url::parse(text)) {
    const auto again = Url::parse(url->origin() + url->target);
    if (!again || again->origin() != url->origin() || again->target != url->target) std::abort();
  }
  if (const auto query = Query::parse(text)) {
    std::string written;
    for (const auto& [name, value] : *query)
      written += percent_encode(name) + "=" + percent_encode(value) + "&";
    const auto again = Query::parse(written);
    if (!again ||
        std::distance(again->begin(), again->end()) != std::distance(query->begin(), query->end())) {
      std::abort();
    }
  }
  EventParser events;
  static_cast<void>(events.feed(text, [](const Client::Event& event) { return event.data.size() < 1000; }));
  return 0;
}
