// Purpose: the plain page at `/`: version, devices online, and the API's reference rendered from its OpenAPI
// document. Works without scripts and loads nothing from elsewhere.
// Owner: System. Thread: the hub's. Lifetime: the reference is rendered once, at start.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/http/message.hpp"

namespace starling::hub {

// docs/openapi.json as it was when the hub was built.
std::string_view openapi_document();

class Page {
 public:
  Page();
  http::Response show(std::size_t online, std::size_t registered) const;

 private:
  std::string style_policy_;  // the Content-Security-Policy, with the hash of the one style sheet
  std::string reference_;
};

std::string html_escape(std::string_view text);

}  // namespace starling::hub
