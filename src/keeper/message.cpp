#include "keeper/message.hpp"

#include <algorithm>

namespace starling::keeper {
namespace {

constexpr std::size_t max_word_bytes = 32;  // of a verb or a key

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= max_word_bytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<Message> Message::parse(std::string_view packet) {
  if (packet.size() > max_packet_bytes) return fail(ErrorCode::too_large, "larger than 64 KiB");
  if (packet.ends_with('\0')) packet.remove_suffix(1);
  Message message(packet);
  if (!is_word(message.verb())) return fail(ErrorCode::invalid_argument, "no verb of a-z, 0-9 and _");
  std::size_t offset = message.verb().size();
  while (const std::optional<Field> field = message.field_at(offset)) {
    if (!is_word(field->key)) return fail(ErrorCode::invalid_argument, "a field is not key=value");
  }
  return message;
}

void Message::add(std::string_view key, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) key_with_nul_ = key;
  packet_ += '\0';
  packet_ += key;
  packet_ += '=';
  packet_ += value;
}

std::string_view Message::verb() const {
  return std::string_view(packet_).substr(0, packet_.find('\0'));
}

std::optional<Message::Field> Message::field_at(std::size_t& offset) const {
  if (offset >= packet_.size()) return std::nullopt;
  const std::size_t begin = offset + 1;  // behind the NUL that ends what was before
  offset = std::min(packet_.find('\0', begin), packet_.size());
  const std::string_view text = std::string_view(packet_).substr(begin, offset - begin);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return Field{};
  return Field{text.substr(0, equals), text.substr(equals + 1)};
}

std::optional<std::string_view> Message::find(std::string_view key) const {
  std::size_t offset = verb().size();
  while (const std::optional<Field> field = field_at(offset)) {
    if (field->key == key) return field->value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Message::list(std::string_view key) const {
  std::vector<std::string_view> values;
  std::size_t offset = verb().size();
  while (const std::optional<Field> field = field_at(offset)) {
    if (field->key == key) values.push_back(field->value);
  }
  return values;
}

Result<std::string> Message::text(std::string_view key) const {
  const std::optional<std::string_view> found = find(key);
  if (!found) return fail(ErrorCode::invalid_argument, std::string(key) + " is missing");
  return std::string(*found);
}

Result<std::string> Message::packet() const {
  if (!key_with_nul_.empty()) {
    return fail(ErrorCode::invalid_argument, "a value of " + key_with_nul_ + " contains a NUL character");
  }
  if (packet_.size() > max_packet_bytes) {
    return fail(ErrorCode::too_large, std::string(verb()) + " is larger than the 64 KiB of one packet");
  }
  return packet_;
}

}  // namespace starling::keeper
