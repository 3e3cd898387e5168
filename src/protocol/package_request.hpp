// Purpose: what a device's agent asks of `starling-install`, which may do what the agent may not, and what it
// is answered: two small files. A request says no more than which Debian packages a release names.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/result.hpp"

namespace starling::protocol {

enum class PackageAction {
  fetch,    // what the release needs, and what is there now, for the way back; nothing is changed
  install,  // what was fetched for it
  go_back,  // to what was there when that was fetched
  keep,     // what was installed for it: that way back ends
};

struct PackageRequest {
  PackageAction action = PackageAction::fetch;
  Digest release;                     // of its tar
  std::vector<std::string> packages;  // NAME or NAME=VERSION; only `fetch` says them
  std::int64_t attempt = 0;           // what is asked once more is another request
  bool operator==(const PackageRequest&) const = default;
};

// What the device has when the request is done. The last two have changed nothing.
enum class PackageOutcome {
  fetched,
  former,    // "old": each package is as it was when they were fetched, or nothing of it was installed
  wanted,    // "new": each is as the release needs it
  mixed,     // "packages-mixed"
  hindered,  // something was in the way that may go
  refused,   // it cannot be asked for
};

struct PackageAnswer {
  Digest request;  // of its text
  PackageOutcome outcome = PackageOutcome::refused;
  std::string message;                        // for people: why, where it is not what was asked for
  std::vector<std::string> without_way_back;  // NAME=VERSION: what is there, and cannot be had any more
  bool operator==(const PackageAnswer&) const = default;
};

constexpr std::size_t max_package_request_bytes = 128u << 10;
constexpr std::size_t max_package_answer_bytes = 128u << 10;

std::string_view to_string(PackageAction action);
std::string_view to_string(PackageOutcome outcome);
Result<PackageOutcome> parse_package_outcome(std::string_view text);  // invalid_argument

std::string text_of(const PackageRequest& request);
std::string text_of(const PackageAnswer& answer);
// Errors: invalid_argument, too_large.
Result<PackageRequest> parse_package_request(std::string_view text);
Result<PackageAnswer> parse_package_answer(std::string_view text);

}  // namespace starling::protocol
