// Purpose: whether an address leads nowhere but to this machine. What is said in clear, and to whom, hangs on
// it. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string_view>

namespace starling::net {

// Numeric addresses (127.0.0.0/8, ::1, and the former mapped into IPv6; in brackets or not) and exactly
// `localhost`. Any other name may lead anywhere, whatever it begins with.
bool is_loopback(std::string_view host);

}  // namespace starling::net
