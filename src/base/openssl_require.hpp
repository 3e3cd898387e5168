// Purpose: what OpenSSL can always do has to succeed; else it is a bug, or there is no memory.
// Owner: none. Thread: any. Lifetime: none. Inner header of base.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

namespace starling {

inline void require(bool held, const char* what) {
  if (!held) throw std::runtime_error(fmt::format("OpenSSL could not {}", what));
}

}  // namespace starling
