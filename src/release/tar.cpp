#include "release/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace starling::release {
namespace {

// The members of a ustar header: where they begin and how long they are.
struct Field {
  std::size_t offset, size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, owner_field{108, 8}, group_field{116, 8},
    size_field{124, 12}, time_field{136, 12}, checksum_field{148, 8}, kind_field{156, 1},
    target_field{157, 100}, magic_field{257, 8}, major_field{329, 8}, minor_field{337, 8},
    prefix_field{345, 155};
constexpr char file_kind = '0', link_kind = '2', folder_kind = '5';

std::unexpected<Error> no_tar(std::string_view why) {
  return fail(ErrorCode::malformed, fmt::format("this is no tar of a release: {}", why));
}

void put(std::string& header, Field field, std::string_view text) {
  std::memcpy(header.data() + field.offset, text.data(), std::min(text.size(), field.size));
}

void put_octal(std::string& header, Field field, std::uint64_t number) {
  put(header, field, fmt::format("{:0{}o}", number, field.size - 1));
}

std::string_view text_of(std::string_view header, Field field) {
  const std::string_view whole = header.substr(field.offset, field.size);
  return whole.substr(0, std::min(whole.find('\0'), whole.size()));
}

// Where a name is cut in two that is too long for one field; 0 if it is not.
std::size_t tar_split(std::string_view name) {
  return name.size() <= name_field.size ? 0 : name.rfind('/', std::min(name.size() - 2, prefix_field.size));
}

std::string tar_name(const Entry& entry) {
  return entry.kind == Entry::Kind::folder ? entry.path + "/" : entry.path;
}

char tar_kind(Entry::Kind kind) {
  switch (kind) {
    case Entry::Kind::folder: return folder_kind;
    case Entry::Kind::link: return link_kind;
    case Entry::Kind::file: break;
  }
  return file_kind;
}

unsigned tar_mode(const Entry& entry) {
  if (entry.kind == Entry::Kind::link) return 0777;
  return entry.kind == Entry::Kind::folder || entry.executable ? 0755 : 0644;
}

}  // namespace

std::string tar_header(const Entry& entry) {
  const std::string name = tar_name(entry);
  std::string header(tar_block, '\0');
  const std::size_t slash = tar_split(name);
  put(header, prefix_field, std::string_view(name).substr(0, slash));
  put(header, name_field, std::string_view(name).substr(slash == 0 ? 0 : slash + 1));
  put_octal(header, mode_field, tar_mode(entry));
  for (const Field zero : {owner_field, group_field, time_field, major_field, minor_field})
    put_octal(header, zero, 0);
  put_octal(header, size_field, entry.size);
  header[kind_field.offset] = tar_kind(entry.kind);
  put(header, target_field, entry.target);
  put(header, magic_field, std::string_view("ustar\00000", 8));
  put(header, checksum_field, "        ");
  unsigned sum = 0;
  for (const char c : header)
    sum += static_cast<unsigned char>(c);
  put(header, checksum_field, fmt::format("{:06o}", sum));
  header[checksum_field.offset + 6] = '\0';
  return header;
}

Result<void> TarReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (state_ == State::done) return no_tar("something follows its end");
    const bool in_content = state_ == State::content;
    const std::uint64_t wanted = in_content ? remaining_ : tar_block - block_.size();
    const std::string_view taken =
        bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(wanted, bytes.size())));
    bytes.remove_prefix(taken.size());
    if (!in_content) {
      block_ += taken;
      if (block_.size() < tar_block) return {};
      if (auto done = take_block(); !done) return done;
      block_.clear();
      continue;
    }
    if (auto passed = sink_.content(taken); !passed) return passed;
    remaining_ -= taken.size();
    // What is left of the last block.
    if (remaining_ == 0) state_ = padding_ > 0 ? State::padding : State::header;
    if (state_ == State::padding) block_.assign(tar_block - static_cast<std::size_t>(padding_), '\0');
  }
  return {};
}

Result<void> TarReader::take_block() {
  const bool zeros = block_.find_first_not_of('\0') == std::string::npos;
  switch (state_) {
    case State::padding:
      if (!zeros) return no_tar("what fills a block up is not zero");
      state_ = State::header;
      return {};
    case State::end:
      if (!zeros) return no_tar("its end is not zero");
      state_ = State::done;
      return {};
    case State::header:
      if (!zeros) return take_header();
      state_ = State::end;
      return {};
    default: return no_tar("it goes on where it should not");
  }
}

// Whether the header is in our form is seen by writing it anew.
Result<void> TarReader::take_header() {
  Entry entry;
  const std::string_view prefix = text_of(block_, prefix_field);
  entry.path = fmt::format("{}{}{}", prefix, prefix.empty() ? "" : "/", text_of(block_, name_field));
  entry.target = text_of(block_, target_field);
  entry.executable = block_[kind_field.offset] == file_kind && text_of(block_, mode_field) == "0000755";
  const std::string_view digits = text_of(block_, size_field);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), entry.size, 8);
  if (error != std::errc{} || end != digits.data() + digits.size()) return no_tar("a size is no number");
  switch (block_[kind_field.offset]) {
    case file_kind: break;
    case link_kind: entry.kind = Entry::Kind::link; break;
    case folder_kind:
      entry.kind = Entry::Kind::folder;
      if (entry.path.ends_with('/')) entry.path.pop_back();
      break;
    default: return no_tar("it holds what is no file, folder or link");
  }
  if (auto admitted = rules_.admit(entry); !admitted) return admitted;
  if (tar_header(entry) != block_)
    return no_tar(fmt::format("{} is not written as releases are", entry.path));
  remaining_ = entry.size;
  padding_ = tar_padding(entry.size);
  state_ = remaining_ > 0 ? State::content : State::header;
  return sink_.begin(entry);
}

Result<void> TarReader::finish() {
  if (state_ != State::done) return no_tar("it ends too early");
  return rules_.finish();
}

}  // namespace starling::release
