// The canonical form is a fixed point wherever it is JSON (it leaves control characters as they are), and two
// values that differ never have the same one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/tuf/canonical_form.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const Result<Json> value = parse_json({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const Result<std::string> form = protocol::tuf::canonical_form(*value);
  if (!form) return 0;
  if (std::any_of(form->begin(), form->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    return 0;
  const Result<Json> again = parse_json(*form);
  if (!again || *again != *value) std::abort();
  if (protocol::tuf::canonical_form(*again).value() != *form) std::abort();
  return 0;
}
