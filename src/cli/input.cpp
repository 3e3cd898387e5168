#include "cli/input.hpp"

#include <fmt/format.h>

#include <array>
#include <istream>

#include "base/files.hpp"

namespace starling::cli {
namespace {

constexpr JsonLimits input_limits{16u << 20, 64};

Result<std::string> read_all(std::istream& in) {
  std::string text;
  std::array<char, 65536> block{};
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > input_limits.max_bytes)
      return fail(ErrorCode::too_large, "the input is larger than 16 MiB");
  }
  return text;
}

}  // namespace

Result<JsonObject> read_json_object(Console& console, const std::string& file) {
  const std::string name = file == "-" ? "standard input" : file;
  const auto text = file == "-" ? read_all(console.in()) : read_file(file, input_limits.max_bytes);
  if (!text) return fail(text);
  auto json = parse_json(*text, input_limits);
  if (!json) return fail(json, name);
  if (!json->is_object())
    return fail(ErrorCode::invalid_argument, name + ": a JSON object is needed, {\"name\": ...}");
  return std::move(json->get_object());
}

}  // namespace starling::cli
