// Purpose: in which time zone this machine is, by the name that the hub understands.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace starling::agent {

// `tz` is the environment's TZ ("" if there is none). What is no IANA name is passed over: then the link
// /etc/localtime counts, then /etc/timezone, then UTC. `root` is "/" but in tests.
std::string local_timezone(std::string_view tz, const std::filesystem::path& root = "/");

}  // namespace starling::agent
