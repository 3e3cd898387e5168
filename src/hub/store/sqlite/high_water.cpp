#include "hub/store/sqlite/high_water.hpp"

#include <fmt/format.h>

#include <fstream>

#include "base/files.hpp"
#include "base/json.hpp"

namespace starling::hub::sqlite {
namespace {

constexpr std::size_t max_bytes = 16u << 20;

std::string encode(const HighWater& mark) {
  JsonObject heads;
  for (const auto& [fleet, head] : mark.heads)
    heads[fleet] = head;
  return boost::json::serialize(JsonObject{{"generation", mark.generation}, {"heads", std::move(heads)}}) +
         "\n";
}

Result<HighWater> decode(std::string_view text) {
  const auto parsed = parse_json(text, {.max_bytes = max_bytes});
  if (!parsed) return fail(parsed);
  const JsonObject* object = parsed->if_object();
  if (object == nullptr) return fail(ErrorCode::invalid_argument, "not an object");
  const JsonReader reader(*object);
  auto generation = reader.string("generation");
  if (!generation) return fail(generation);
  const auto heads = reader.object("heads");
  if (!heads) return fail(heads);
  HighWater mark;
  mark.generation = std::move(*generation);
  for (const auto& [fleet, head] : **heads) {
    if (!head.is_int64()) return fail(ErrorCode::invalid_argument, "a head is not a number");
    mark.heads.emplace(fleet, head.get_int64());
  }
  return mark;
}

}  // namespace

Result<std::optional<HighWater>> read_high_water(const std::filesystem::path& path) {
  const auto text = read_file(path, max_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
  if (!text) return fail(text);
  auto mark = decode(*text);
  if (!mark) return fail(ErrorCode::corrupted, fmt::format("{}: {}", path.string(), mark.error().message));
  return std::optional(std::move(*mark));
}

Result<void> write_high_water(const std::filesystem::path& path, const HighWater& mark,
                              Durability durability) {
  const std::string text = encode(mark);
  // Within one generation the text never gets shorter, so that nothing of the former one stays behind it.
  std::fstream file;
  if (durability == Durability::buffered) file.open(path, std::ios::in | std::ios::out | std::ios::binary);
  if (!file.is_open()) return write_file_durably(path, text, 0600);
  file << text << std::flush;
  if (!file) return fail(ErrorCode::io, fmt::format("{} cannot be written", path.string()));
  return {};
}

}  // namespace starling::hub::sqlite
