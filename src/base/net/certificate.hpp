// Purpose: the pin of a certificate that OpenSSL holds. Owner: none. Thread: any. Lifetime: none.
// Inner header of base.
#pragma once

#include <string>

struct x509_st;

namespace starling::net {

std::string pin_of(x509_st* certificate);

}  // namespace starling::net
