#include "release/delta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace starling::release {
namespace {

constexpr std::string_view magic = "STDELTA1";
constexpr std::size_t piece_bytes = std::size_t{64} << 10;
constexpr std::uint64_t largest = std::uint64_t{1} << 40;  // of any length: sums do not overflow

std::unexpected<Error> no_delta(std::string_view why) {
  return fail(ErrorCode::malformed, fmt::format("this is no delta: {}", why));
}

std::uint64_t take_u64(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (int i = 7; i >= 0; --i)
    number = number << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  bytes.remove_prefix(8);
  return number;
}

void append_u64(std::string& out, std::uint64_t number) {
  for (int i = 0; i < 8; ++i, number >>= 8)
    out += static_cast<char>(number & 0xff);
}

Digest take_digest(std::string_view& bytes) {
  Digest digest;
  std::memcpy(digest.bytes.data(), bytes.data(), digest.bytes.size());
  bytes.remove_prefix(digest.bytes.size());
  return digest;
}

}  // namespace

std::string delta_head_bytes_of(const DeltaHead& head) {
  std::string out(magic);
  for (const Digest* digest : {&head.old_hash, &head.new_hash})
    out.append(reinterpret_cast<const char*>(digest->bytes.data()), digest->bytes.size());
  append_u64(out, head.old_size);
  append_u64(out, head.new_size);
  for (const DeltaHead::Stream* stream : {&head.control, &head.differences, &head.literals}) {
    append_u64(out, stream->size);
    append_u64(out, stream->packed_size);
  }
  return out;
}

Result<DeltaHead> read_delta_head(Bytes& delta) {
  std::array<char, delta_head_bytes> bytes{};
  if (delta.size() < bytes.size()) return no_delta("it is cut short");
  if (auto read = delta.read(0, bytes); !read) return fail(read);
  std::string_view rest(bytes.data(), bytes.size());
  if (!rest.starts_with(magic)) return no_delta("it begins otherwise");
  rest.remove_prefix(magic.size());
  DeltaHead head;
  head.old_hash = take_digest(rest);
  head.new_hash = take_digest(rest);
  head.old_size = take_u64(rest);
  head.new_size = take_u64(rest);
  std::uint64_t whole = delta_head_bytes;
  for (DeltaHead::Stream* stream : {&head.control, &head.differences, &head.literals}) {
    stream->size = take_u64(rest);
    stream->packed_size = take_u64(rest);
    if (stream->size > largest || stream->packed_size > largest) return no_delta("its lengths are wrong");
    whole += stream->packed_size;
  }
  if (head.old_size > largest || head.new_size > largest ||
      head.differences.size + head.literals.size != head.new_size)
    return no_delta("its lengths are wrong");
  if (whole != delta.size()) return no_delta("it is cut short, or goes on behind its end");
  return head;
}

DeltaReader::DeltaReader(Bytes& delta, Bytes& old_tar, const DeltaHead& head)
    : old_(&old_tar),
      control_(delta, delta_head_bytes, head.control.packed_size, head.control.size),
      differences_(delta, delta_head_bytes + head.control.packed_size, head.differences.packed_size,
                   head.differences.size),
      literals_(delta, delta_head_bytes + head.control.packed_size + head.differences.packed_size,
                head.literals.packed_size, head.literals.size),
      left_(head.new_size),
      piece_(piece_bytes),
      added_(piece_bytes) {}

Result<DeltaReader> DeltaReader::open(Bytes& delta, Bytes& old_tar, std::uint64_t signed_size) {
  const auto head = read_delta_head(delta);
  if (!head) return fail(head);
  if (head->old_size != old_tar.size())
    return fail(ErrorCode::failed_precondition, "the delta is for another release than the one that is here");
  if (head->new_size != signed_size)
    return fail(ErrorCode::failed_precondition,
                "the delta makes a release of another length than the signed one");
  return DeltaReader(delta, old_tar, *head);
}

Result<std::string_view> DeltaReader::next() {
  std::size_t filled = 0;
  while (filled < piece_.size() && left_ > 0) {
    if (add_ == 0 && insert_ == 0) {
      if (auto begun = begin_step(); !begun) return fail(begun);
    }
    const bool adds = add_ > 0;
    std::uint64_t& of_step = adds ? add_ : insert_;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(of_step, piece_.size() - filled));
    const auto into = std::span(piece_).subspan(filled, count);
    if (auto read = (adds ? differences_ : literals_).read(into); !read) return fail(read);
    if (adds) {
      const auto old = std::span(added_).first(count);
      if (auto read = old_->read(place_, old); !read) return fail(read);
      for (std::size_t i = 0; i < count; ++i)
        into[i] = static_cast<char>(static_cast<unsigned char>(into[i]) + static_cast<unsigned char>(old[i]));
      place_ += count;
    }
    of_step -= count;
    left_ -= count;
    filled += count;
  }
  // The streams are as long together as the new tar, so that nothing of those is left either.
  if (left_ == 0 && !control_.at_end()) return no_delta("it has steps behind its end");
  return std::string_view(piece_.data(), filled);
}

Result<void> DeltaReader::begin_step() {
  const auto move = read_number();
  if (!move) return fail(move);
  const auto add = read_number();
  if (!add) return fail(add);
  const auto insert = read_number();
  if (!insert) return fail(insert);
  if (*add > left_ || *insert > left_ - *add || *add + *insert == 0) return no_delta("a step leads too far");
  const std::uint64_t distance = *move / 2 + *move % 2;
  const bool back = *move % 2 == 1;
  if (back ? distance > place_ : distance > old_->size() - place_) return no_delta("a step leads too far");
  place_ = back ? place_ - distance : place_ + distance;
  if (*add > old_->size() - place_) return no_delta("a step leads too far");
  add_ = *add;
  insert_ = *insert;
  return {};
}

Result<std::uint64_t> DeltaReader::read_number() {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 49; shift += 7) {
    char byte = 0;
    if (auto read = control_.read(std::span(&byte, 1)); !read) return fail(read);
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(byte) & 0x7f) << shift;
    if ((byte & 0x80) == 0) return number;
  }
  return no_delta("a number is too long");
}

}  // namespace starling::release
